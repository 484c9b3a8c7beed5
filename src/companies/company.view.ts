import { z } from 'zod';
import { isStopped } from '../budgets/domain/budget';
import { id, timestamp } from '../http/schemas';
import type { CompanyDocument } from './projections/companies.projection';

export const companySchema = z
  .object({
    id,
    name: z.string(),
    externalKey: z.string().nullable(),
    status: z
      .enum(['active', 'paused'])
      .describe('`paused` also where only the budget is used up: `GET …/budget` says so'),
    createdAt: timestamp,
    logRetentionDays: z
      .int()
      .nullable()
      .describe('How long the output of its runs is kept after their end, in days; null: for ever'),
  })
  .meta({ id: 'Company' });

/** A company as answers show it. */
export type CompanyView = z.output<typeof companySchema>;

export function companyView(document: CompanyDocument, now: Date): CompanyView {
  const { id, name, externalKey, createdAt, logRetentionDays, budget } = document;
  const status = isStopped(budget, now.toISOString()) ? 'paused' : document.status;
  return { id, name, externalKey, status, createdAt, logRetentionDays };
}
