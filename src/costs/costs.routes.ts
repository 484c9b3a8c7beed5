import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { count, dayOrInstant, timestamp, waitFor } from '../http/schemas';
import { groupings } from './cost-groups';

const MAX_PRICES = 1_000;
/** Micro-dollars per million tokens: a million dollars is more than anybody could mean. */
const priceMicros = z
  .number()
  .int()
  .min(0)
  .max(1_000_000_000_000)
  .describe('Micro-dollars per million tokens');
const label = z.string().min(1).max(200);

export const costsSchema = z
  .object({
    items: z.array(
      z
        .object({
          key: z.string().describe('Of the group: an agent, a model, a day, …'),
          costMicros: z.int().describe('Micro-dollars, without what is unpriced'),
          inputTokens: z.int(),
          outputTokens: z.int(),
          cachedInputTokens: z.int(),
          runs: count.describe(
            'Runs with entries in the group: one that used two models is in both of theirs',
          ),
          unpricedRuns: count.describe('Those among them of which nobody knows all of the cost'),
        })
        .meta({ id: 'CostGroup' }),
    ),
    totalMicros: z.int(),
  })
  .meta({ id: 'Costs' });

export type CostsView = z.output<typeof costsSchema>;

/** What a model costs from a time on. */
const priceFields = {
  provider: label,
  model: label,
  inputMicros: priceMicros,
  outputMicros: priceMicros,
  cachedInputMicros: priceMicros,
};

export const priceTableRequest = z
  .strictObject({
    prices: z.array(z.strictObject({ ...priceFields, validFrom: dayOrInstant })).max(MAX_PRICES),
  })
  .meta({
    id: 'PriceTableRequest',
    examples: [
      {
        prices: [
          {
            provider: 'anthropic',
            model: 'claude-sonnet-4-5',
            validFrom: '2026-01-01',
            inputMicros: 3_000_000,
            outputMicros: 15_000_000,
            cachedInputMicros: 300_000,
          },
        ],
      },
    ],
  });

const priceTableSchema = z
  .object({ prices: z.array(z.object({ ...priceFields, validFrom: timestamp }).meta({ id: 'ModelPrice' })) })
  .meta({ id: 'PriceTable' });

export type PriceTableView = z.output<typeof priceTableSchema>;

export const costRoutes = routeTable('Costs', {
  getCosts: {
    method: 'GET',
    path: '/v1/companies/:companyId/costs',
    access: 'viewer',
    summary: 'What a company has spent',
    query: z
      .strictObject({
        from: dayOrInstant.optional().describe('A date or a time, inclusive'),
        to: dayOrInstant.optional().describe('A date or a time, exclusive'),
        groupBy: z.enum(groupings).default('day').describe('What one item stands for'),
        waitFor,
      })
      .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
        path: ['to'],
        message: 'is before from',
      }),
    answers: { 200: answer(costsSchema, 'Days and months in their order, everything else by its cost') },
    errors: ['company_not_found'],
  },
  getPrices: {
    method: 'GET',
    path: '/v1/companies/:companyId/prices',
    access: 'viewer',
    summary: "Show a company's own prices",
    query: z.strictObject({ waitFor }),
    answers: { 200: answer(priceTableSchema, 'They go before the built-in ones') },
    errors: ['company_not_found'],
  },
  putPrices: {
    method: 'PUT',
    path: '/v1/companies/:companyId/prices',
    access: 'operator',
    summary: "Replace a company's own prices",
    description: "What is booked already doesn't change.",
    body: priceTableRequest,
    answers: { 200: written(priceTableSchema, 'What usage is booked at from now on') },
    errors: ['company_not_found'],
  },
});
