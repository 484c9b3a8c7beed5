import { z } from 'zod';
import { amount, count, id, timestamp } from '../http/schemas';
import type { BudgetLimit, BudgetStanding } from './domain/budget';
import { budgetLimits, DEFAULT_WARN_AT, isStopped } from './domain/budget';
import type { Spending } from './domain/spending';
import { endOfMonth, monthOf, spendingIn } from './domain/spending';

const MOST = Number.MAX_SAFE_INTEGER;
const limit = z.int().min(0).max(MOST);

export const limitFields = {
  monthlyMicros: limit.nullable().describe('Micro-dollars; null: no limit'),
  monthlyTokens: limit.nullable().describe('Input, output and cached input together; null: no limit'),
  monthlyRuns: limit.nullable().describe('Starts; null: no limit'),
  warnAt: z
    .number()
    .gt(0, 'a share of the limits, above 0: 0.8 is 80 %')
    .max(1, 'a share of the limits, at most 1: 0.8 is 80 %')
    .describe('The share of a limit at which a warning is due'),
};

export const budgetRequest = z
  .strictObject({ ...limitFields, warnAt: limitFields.warnAt.default(DEFAULT_WARN_AT) })
  .partial({ monthlyMicros: true, monthlyTokens: true, monthlyRuns: true })
  .meta({
    id: 'BudgetRequest',
    description: 'The whole budget: a limit that is left out is none. Without any there is no budget.',
    examples: [{ monthlyMicros: 25_000_000, monthlyRuns: 500, warnAt: 0.8 }],
  });

export const budgetSchema = z
  .object({
    companyId: id,
    agentId: id.nullable().describe('null: the budget of the company'),
    ...limitFields,
    month: z.string().describe('The UTC month that the sums are of: `2026-02`'),
    state: z
      .enum(['unlimited', 'ok', 'warned', 'exceeded'])
      .describe('`unlimited`: there is no budget. `exceeded`: nothing is started'),
    exceededLimits: z.array(z.enum(budgetLimits)).describe('Which limits are used up'),
    stoppedBy: z
      .array(z.enum(['agent', 'company']))
      .describe('Whose budget lets nothing start: of an agent it may be both'),
    resumesAt: timestamp.nullable().describe('When the month ends for which it is stopped'),
    spent: z.object({ micros: amount, tokens: amount, runs: count }).describe('In this month'),
    remaining: z
      .object({ micros: count.nullable(), tokens: count.nullable(), runs: count.nullable() })
      .describe('null: there is no limit'),
  })
  .meta({ id: 'Budget' });

/** A budget as answers show it. */
export type BudgetView = z.output<typeof budgetSchema>;

/** The budget and the spending of somebody. */
export interface Budgeted {
  budget: BudgetStanding;
  spent: Spending;
}

/**
 * @param own whose budget it is
 * @param company of an agent; its budget counts as well
 */
export function budgetView(
  whose: { companyId: string; agentId: string | null },
  own: Budgeted,
  company: Budgeted | null,
  now: Date,
): BudgetView {
  const at = now.toISOString();
  const { budget, stop } = own.budget;
  const { month, ...spent } = spendingIn(monthOf(at), own.spent);
  const { monthlyMicros = null, monthlyTokens = null, monthlyRuns = null } = budget ?? {};
  const left = (allowed: number | null, used: number) =>
    allowed === null ? null : Math.max(allowed - used, 0);
  const isOver = isStopped(own.budget, at);
  const isCompanyOver = company !== null && isStopped(company.budget, at);
  const ownName = whose.agentId === null ? 'company' : 'agent';
  return {
    ...whose,
    ...{ monthlyMicros, monthlyTokens, monthlyRuns, warnAt: budget?.warnAt ?? DEFAULT_WARN_AT },
    month,
    state: stateOf(own.budget, month, isOver),
    exceededLimits: isOver ? (stop?.limits ?? ([] as BudgetLimit[])) : [],
    stoppedBy: [...(isOver ? ([ownName] as const) : []), ...(isCompanyOver ? (['company'] as const) : [])],
    resumesAt: isOver || isCompanyOver ? endOfMonth(month) : null,
    spent,
    remaining: {
      micros: left(monthlyMicros, spent.micros),
      tokens: left(monthlyTokens, spent.tokens),
      runs: left(monthlyRuns, spent.runs),
    },
  };
}

function stateOf({ budget, warned }: BudgetStanding, month: string, isOver: boolean): BudgetView['state'] {
  if (isOver) return 'exceeded';
  if (budget === null) return 'unlimited';
  return warned?.month === month ? 'warned' : 'ok';
}
