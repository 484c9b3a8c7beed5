/** Tokens, each counted once: `inputTokens` are those that were not read from a cache. */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
}

/** How the cost of an entry came about: the agent said it, the price table gave it, or nobody knows it. */
export type CostSource = 'reported' | 'priced' | 'unpriced';

/** What an agent says that it has used; null: it doesn't say. */
export interface ReportedCost {
  usage: Usage | null;
  costMicros: number | null;
  provider: string | null;
  model: string | null;
  /** What the provider charges on top, in input tokens (writing a cache costs more than reading): priced, not counted. */
  surchargeTokens?: number;
  /** The model whose price is taken where no table has one for `model`. */
  pricedLike?: string | null;
}

/**
 * One line of the ledger. An entry never changes: a settlement that finds that too much was booked is negative, so
 * that the sum over all entries of a run is what the run has used.
 */
export interface CostEntry extends Usage {
  /** `unknown` where nobody said. */
  provider: string;
  model: string;
  /** Micro-dollars; null where the entry is unpriced. */
  costMicros: number | null;
  costSource: CostSource;
}

export const UNKNOWN = 'unknown';

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  };
}

export function subtractUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens - b.inputTokens,
    outputTokens: a.outputTokens - b.outputTokens,
    cachedInputTokens: a.cachedInputTokens - b.cachedInputTokens,
  };
}

export function isNoUsage({ inputTokens, outputTokens, cachedInputTokens }: Usage): boolean {
  return inputTokens === 0 && outputTokens === 0 && cachedInputTokens === 0;
}
