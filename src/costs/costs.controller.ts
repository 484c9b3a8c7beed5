import { Body, Controller, Get, Param, Put, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { RequestActor } from '../http/actor';
import { parse, parseWaitFor } from '../http/parse';
import type { Actor } from '../kernel/event';
import { groupings } from './cost-groups';
import { GetCosts } from './cost.queries';
import { ChangePriceTable, GetPriceTable } from './price.handlers';

/** A day stands for its beginning. */
const instant = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], 'an ISO 8601 date, or time with its zone')
  .transform((value) => new Date(value).toISOString());

const costsSchema = z
  .strictObject({
    from: instant.optional(),
    to: instant.optional(),
    groupBy: z.enum(groupings).default('day'),
    waitFor: z.unknown().optional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ['to'],
    message: 'is before from',
  });

const MAX_PRICES = 1_000;
/** Micro-dollars per million tokens: a million dollars is more than anybody could mean. */
const priceMicros = z.number().int().min(0).max(1_000_000_000_000);
const label = z.string().min(1).max(200);

const pricesSchema = z.strictObject({
  prices: z
    .array(
      z.strictObject({
        provider: label,
        model: label,
        validFrom: instant,
        inputMicros: priceMicros,
        outputMicros: priceMicros,
        cachedInputMicros: priceMicros,
      }),
    )
    .max(MAX_PRICES),
});

@Controller('v1/companies/:companyId')
export class CostsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('costs')
  costs(@Param('companyId') companyId: string, @Query() query: unknown) {
    const { from, to, groupBy, waitFor } = parse(costsSchema, query);
    const period = { from: from ?? null, to: to ?? null };
    return this.queries.execute(new GetCosts(companyId, period, groupBy, parseWaitFor(waitFor)));
  }

  @Get('prices')
  prices(@Param('companyId') companyId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetPriceTable(companyId, parseWaitFor(waitFor)));
  }

  /** Replaces the company's own prices. They go before the built-in ones, and don't change what is booked already. */
  @Put('prices')
  changePrices(@Param('companyId') companyId: string, @Body() body: unknown, @RequestActor() actor: Actor) {
    const { prices } = parse(pricesSchema, body);
    return this.commands.execute(new ChangePriceTable(companyId, prices, actor));
  }
}
