import { canonicalJson } from '../../kernel/canonical-json';
import type { Spending } from './spending';
import { monthOf } from './spending';

/** What may be spent in a UTC calendar month. Null: there is no limit of that kind. */
export interface Budget {
  /** Micro-dollars. */
  monthlyMicros: number | null;
  /** Input, output and cached input together. */
  monthlyTokens: number | null;
  /** Starts. */
  monthlyRuns: number | null;
  /** The share of a limit at which a warning is due: above 0, at most 1. */
  warnAt: number;
}

export const DEFAULT_WARN_AT = 0.8;

/** The kinds of limits that a budget may have. */
export const budgetLimits = ['micros', 'tokens', 'runs'] as const;
export type BudgetLimit = (typeof budgetLimits)[number];

/** Which limits were reached, and in which month. */
export interface ReachedLimits {
  month: string;
  limits: BudgetLimit[];
}

/** How it stands with the budget of an agent or a company. */
export interface BudgetStanding {
  /** null: there is none. */
  budget: Budget | null;
  /** What was warned of last. */
  warned: ReachedLimits | null;
  /** Why nothing is started; null: the budget allows it. */
  stop: ReachedLimits | null;
}

/** What is said when limits, or the share of them at which a warning is due, are reached. */
export interface BudgetNotice extends ReachedLimits {
  budget: Budget;
  spending: Spending;
}

/** What lets a stopped agent or company go on. */
export type RestoreReason = 'month.began' | 'budget.changed';

/** What a look at a budget leads to. Agents and companies make events of their own of it. */
export type BudgetChange =
  | { kind: 'changed'; budget: Budget | null }
  | { kind: 'warned'; notice: BudgetNotice }
  | { kind: 'exceeded'; notice: BudgetNotice }
  | { kind: 'restored'; reason: RestoreReason };

export const NO_BUDGET: BudgetStanding = { budget: null, warned: null, stop: null };

/** Whether nothing may be started for the sake of the budget. A stop ends with its month, seen or not. */
export function isStopped({ stop }: Pick<BudgetStanding, 'stop'>, at: string): boolean {
  return stop !== null && stop.month >= monthOf(at);
}

/** Runs that are going on may come to their end where it is only their number that is used up. */
export function endsRuns({ limits }: ReachedLimits): boolean {
  return limits.some((limit) => limit !== 'runs');
}

/**
 * Holds a budget against what was spent. Each threshold is told once a month, the warning also where it was passed
 * together with the limit. A stop is lifted by a new month only: that a settlement takes something back doesn't.
 *
 * @param spending of the current month
 * @param isRunning the last run that the budget allows may be going on: then it isn't used up yet
 */
export function reviewBudget(
  standing: BudgetStanding,
  spending: Spending,
  isRunning: boolean,
): BudgetChange[] {
  const { budget, stop } = standing;
  const isOver = stop !== null && stop.month < spending.month && reachedLimits(budget, spending).length === 0;
  return [
    ...(isOver ? [{ kind: 'restored', reason: 'month.began' } as const] : []),
    ...crossings(standing, spending, isRunning),
  ];
}

/** Another budget, or (null) none: where it allows more than was spent, a stop is lifted. */
export function changeBudget(
  standing: BudgetStanding,
  budget: Budget | null,
  spending: Spending,
  isRunning: boolean,
): BudgetChange[] {
  if (canonicalJson(budget) === canonicalJson(standing.budget)) return [];
  const isRestored = standing.stop !== null && reachedLimits(budget, spending).length === 0;
  return [
    { kind: 'changed', budget },
    ...(isRestored ? [{ kind: 'restored', reason: 'budget.changed' } as const] : []),
    ...crossings({ budget, warned: null, stop: standing.stop }, spending, isRunning),
  ];
}

/** How it stands after a change. */
export function afterChange(standing: BudgetStanding, change: BudgetChange): BudgetStanding {
  switch (change.kind) {
    case 'changed':
      return { ...standing, budget: change.budget, warned: null };
    case 'warned':
      return { ...standing, warned: reachedIn(change.notice) };
    case 'exceeded':
      return { ...standing, stop: reachedIn(change.notice) };
    case 'restored':
      return { ...standing, stop: null };
  }
}

function crossings(
  { budget, warned, stop }: BudgetStanding,
  spending: Spending,
  isRunning: boolean,
): BudgetChange[] {
  if (budget === null) return [];
  const changes: BudgetChange[] = [];
  const notice = (limits: BudgetLimit[]) => ({ month: spending.month, limits, budget, spending });
  const near = reachedLimits(budget, spending, budget.warnAt);
  if (tellsMore(near, warned, spending)) changes.push({ kind: 'warned', notice: notice(near) });
  const reached = reachedLimits(budget, spending).filter((limit) => limit !== 'runs' || !isRunning);
  if (tellsMore(reached, stop, spending)) changes.push({ kind: 'exceeded', notice: notice(reached) });
  return changes;
}

/** The limits of which at least `share` is used up. */
function reachedLimits(budget: Budget | null, spending: Spending, share = 1): BudgetLimit[] {
  if (budget === null) return [];
  const { monthlyMicros, monthlyTokens, monthlyRuns } = budget;
  const allowed = { micros: monthlyMicros, tokens: monthlyTokens, runs: monthlyRuns };
  return budgetLimits.filter((limit) => {
    const most = allowed[limit];
    // A share of a limit is rarely a whole number, and a binary fraction even more rarely the one that was meant.
    return most !== null && spending[limit] >= Math.ceil(most * share - 1e-6);
  });
}

function tellsMore(reached: BudgetLimit[], told: ReachedLimits | null, { month }: Spending): boolean {
  const known = told !== null && told.month >= month ? told.limits : [];
  return reached.some((limit) => !known.includes(limit));
}

function reachedIn({ month, limits }: ReachedLimits): ReachedLimits {
  return { month, limits };
}
