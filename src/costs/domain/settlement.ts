import type { CostEntry, ReportedCost, Usage } from './cost-entry';
import { NO_USAGE, UNKNOWN, addUsage, isNoUsage, subtractUsage } from './cost-entry';
import type { ModelPrice } from './prices';
import { costOf, priceAt } from './prices';

/** The price tables in force, the first before the others, and when: an ISO 8601 time. */
export interface Pricing {
  tables: readonly (readonly ModelPrice[])[];
  at: string;
}

/** What has been booked for a run while it was going on. */
export interface Booked {
  count: number;
  usage: Usage;
  /** Without what was unpriced. */
  costMicros: number;
  /** null before the first entry, and where the entries differ. */
  provider: string | null;
  model: string | null;
}

export const NOTHING_BOOKED: Booked = {
  count: 0,
  usage: NO_USAGE,
  costMicros: 0,
  provider: null,
  model: null,
};

/** A ledger entry of what an agent reported. The price is part of the entry: prices that change later don't matter. */
export function costEntry(reported: ReportedCost, { tables, at }: Pricing): CostEntry {
  const usage = reported.usage ?? NO_USAGE;
  const named = { provider: reported.provider ?? UNKNOWN, model: reported.model ?? UNKNOWN };
  if (reported.costMicros !== null) {
    return { ...named, ...usage, costMicros: reported.costMicros, costSource: 'reported' };
  }
  const price = reported.usage === null ? null : priceOf(reported, { tables, at });
  return price === null
    ? { ...named, ...usage, costMicros: null, costSource: 'unpriced' }
    : {
        ...{ ...named, ...usage, costSource: 'priced' },
        costMicros: costOf(usage, price, reported.surchargeTokens),
      };
}

function priceOf(reported: ReportedCost, { tables, at }: Pricing): ModelPrice | null {
  const { provider, pricedLike = null } = reported;
  return priceAt(tables, reported, at) ?? priceAt(tables, { provider, model: pricedLike }, at);
}

export function book(booked: Booked, entry: CostEntry): Booked {
  const isFirst = booked.count === 0;
  return {
    count: booked.count + 1,
    usage: addUsage(booked.usage, entry),
    costMicros: booked.costMicros + (entry.costMicros ?? 0),
    provider: isFirst || booked.provider === entry.provider ? entry.provider : null,
    model: isFirst || booked.model === entry.model ? entry.model : null,
  };
}

/**
 * The entry that makes a run's ledger equal to what its result says; null where it does already. Each of tokens and
 * cost is settled where the result says it, and stays as booked where it doesn't. Tokens that are left to book are
 * priced like any others; correcting them never takes a run's cost below zero.
 *
 * @param result null where the run ended without one: what was booked stays. Where nothing was, the entry says that
 *   nobody knows what the run cost.
 */
export function settlementOf(
  result: ReportedCost | null,
  booked: Booked,
  pricing: Pricing,
): CostEntry | null {
  const usage = result?.usage ?? null;
  const costMicros = result?.costMicros ?? null;
  const rest = usage === null ? NO_USAGE : subtractUsage(usage, booked.usage);
  if (costMicros === null && isNoUsage(rest) && booked.count > 0) return null;
  const entry = costEntry(
    {
      provider: result?.provider ?? said(booked.provider),
      model: result?.model ?? said(booked.model),
      usage: usage === null ? null : rest,
      costMicros: costMicros === null ? null : costMicros - booked.costMicros,
    },
    pricing,
  );
  if (entry.costSource !== 'priced') return entry;
  return { ...entry, costMicros: Math.max(entry.costMicros ?? 0, -booked.costMicros) };
}

function said(name: string | null): string | null {
  return name === UNKNOWN ? null : name;
}
