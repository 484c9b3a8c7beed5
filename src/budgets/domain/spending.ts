import type { CostEntry } from '../../costs/domain/cost-entry';

/** What was spent in one UTC calendar month. */
export interface Spending {
  /** `2026-02` */
  month: string;
  /** Micro-dollars, without what is unpriced. */
  micros: number;
  /** Input, output and cached input together. */
  tokens: number;
  /** Starts. */
  runs: number;
}

/** @param at ISO 8601 UTC */
export function monthOf(at: string): string {
  return at.slice(0, 7);
}

/** The first moment after a month, ISO 8601 UTC. */
export function endOfMonth(month: string): string {
  const moment = new Date(`${month}-01T00:00:00.000Z`);
  moment.setUTCMonth(moment.getUTCMonth() + 1);
  return moment.toISOString();
}

export function noSpending(month: string): Spending {
  return { month, micros: 0, tokens: 0, runs: 0 };
}

/** What was spent in the month, as far as the newest sums tell of it. */
export function spendingIn(month: string, newest: Spending): Spending {
  return newest.month === month ? newest : noSpending(month);
}

/** An entry of the ledger more; null: none. */
export function withEntry(spending: Spending, entry: CostEntry | null, at: string): Spending {
  if (entry === null) return spending;
  const { costMicros, inputTokens, outputTokens, cachedInputTokens } = entry;
  return added(spending, at, {
    micros: costMicros ?? 0,
    tokens: inputTokens + outputTokens + cachedInputTokens,
    runs: 0,
  });
}

/** A run more. */
export function withStart(spending: Spending, at: string): Spending {
  return added(spending, at, { micros: 0, tokens: 0, runs: 1 });
}

function added(spending: Spending, at: string, more: Omit<Spending, 'month'>): Spending {
  const month = monthOf(at);
  // Nodes' clocks differ: what is a moment late for its month is not of the next one.
  if (month < spending.month) return spending;
  const { micros, tokens, runs } = spendingIn(month, spending);
  return {
    month,
    micros: micros + more.micros,
    tokens: tokens + more.tokens,
    runs: runs + more.runs,
  };
}
