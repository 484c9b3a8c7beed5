import type { Usage } from './cost-entry';

/** What a model costs from a time on, in micro-dollars per million tokens: $3 is 3,000,000. */
export interface ModelPrice {
  provider: string;
  model: string;
  /** ISO 8601 UTC, inclusive; until the next price of the same model. */
  validFrom: string;
  inputMicros: number;
  outputMicros: number;
  cachedInputMicros: number;
}

/** The price tables of a company, the first before the others. */
export type PriceTables = (companyId: string) => Promise<readonly (readonly ModelPrice[])[]>;

/**
 * List prices of some models as of the end of 2025, as examples: what counts is what an agent reports, or what its
 * company has said that it pays.
 */
export const defaultPrices: readonly ModelPrice[] = [
  price('anthropic', 'claude-opus-4-1', '2025-08-05', [15_000_000, 75_000_000, 1_500_000]),
  price('anthropic', 'claude-sonnet-4-5', '2025-09-29', [3_000_000, 15_000_000, 300_000]),
  price('anthropic', 'claude-haiku-4-5', '2025-10-15', [1_000_000, 5_000_000, 100_000]),
  price('openai', 'gpt-5', '2025-08-07', [1_250_000, 10_000_000, 125_000]),
  price('openai', 'gpt-5-mini', '2025-08-07', [250_000, 2_000_000, 25_000]),
];

/**
 * The price of a model at a time, ISO 8601 UTC; the first table that has one decides. A provider that was not said
 * (null) is any.
 */
export function priceAt(
  tables: readonly (readonly ModelPrice[])[],
  { provider, model }: { provider: string | null; model: string | null },
  at: string,
): ModelPrice | null {
  for (const table of tables) {
    let newest: ModelPrice | null = null;
    for (const candidate of table) {
      const isOther = candidate.model !== model || (provider !== null && candidate.provider !== provider);
      if (isOther || candidate.validFrom > at) continue;
      if (newest === null || candidate.validFrom >= newest.validFrom) newest = candidate;
    }
    if (newest) return newest;
  }
  return null;
}

const TOKENS_PER_PRICE = 1_000_000n;

/** Micro-dollars, halves up. Exact: no product of tokens and prices is rounded before the sum. */
export function costOf(usage: Usage, price: ModelPrice): number {
  const sum =
    BigInt(usage.inputTokens) * BigInt(price.inputMicros) +
    BigInt(usage.outputTokens) * BigInt(price.outputMicros) +
    BigInt(usage.cachedInputTokens) * BigInt(price.cachedInputMicros);
  const raised = sum + TOKENS_PER_PRICE / 2n;
  const truncated = raised / TOKENS_PER_PRICE;
  const isBelow = raised < 0n && raised % TOKENS_PER_PRICE !== 0n;
  return Number(isBelow ? truncated - 1n : truncated);
}

function price(
  provider: string,
  model: string,
  day: string,
  [inputMicros, outputMicros, cachedInputMicros]: readonly [number, number, number],
): ModelPrice {
  return {
    provider,
    model,
    validFrom: `${day}T00:00:00.000Z`,
    inputMicros,
    outputMicros,
    cachedInputMicros,
  };
}
