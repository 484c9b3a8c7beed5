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

/** Before any run that could be priced by this list. */
const LISTED_FROM = '2025-01-01T00:00:00.000Z';

/**
 * List prices of models that coding agents use: what counts is what an agent reports, or what its company has said
 * that it pays. Those of Anthropic's models are what Claude Code 2.1 itself reckons with.
 */
export const defaultPrices: readonly ModelPrice[] = [
  ...alike('anthropic', ['claude-opus-4', 'claude-opus-4-0', 'claude-opus-4-1'], [15, 75, 1.5]),
  ...alike(
    'anthropic',
    ['claude-opus-4-5', 'claude-opus-4-6', 'claude-opus-4-7', 'claude-opus-4-8'],
    [5, 25, 0.5],
  ),
  ...alike(
    'anthropic',
    ['claude-3-5-sonnet', 'claude-3-7-sonnet', 'claude-sonnet-4', 'claude-sonnet-4-0', 'claude-sonnet-4-5'],
    [3, 15, 0.3],
  ),
  ...alike('anthropic', ['claude-sonnet-4-6', 'claude-sonnet-5'], [3, 15, 0.3]),
  ...alike('anthropic', ['claude-haiku-4-5'], [1, 5, 0.1]),
  ...alike('anthropic', ['claude-3-5-haiku'], [0.8, 4, 0.08]),
  ...alike('anthropic', ['claude-fable-5', 'claude-mythos-5'], [10, 50, 1]),
  ...alike('openai', ['gpt-5', 'gpt-5-codex', 'gpt-5.1', 'gpt-5.1-codex'], [1.25, 10, 0.125]),
  ...alike('openai', ['gpt-5-mini', 'gpt-5.1-codex-mini'], [0.25, 2, 0.025]),
  ...alike('openai', ['gpt-5-nano'], [0.05, 0.4, 0.005]),
  ...alike('openai', ['gpt-5.2', 'gpt-5.2-codex'], [1.75, 14, 0.175]),
  ...alike('openai', ['gpt-4.1', 'o3'], [2, 8, 0.5]),
  ...alike('openai', ['o4-mini'], [1.1, 4.4, 0.275]),
  ...alike('google', ['gemini-2.5-pro'], [1.25, 10, 0.125]),
  ...alike('google', ['gemini-2.5-flash'], [0.3, 2.5, 0.03]),
  ...alike('google', ['gemini-2.5-flash-lite'], [0.1, 0.4, 0.01]),
];

/**
 * The price of a model at a time, ISO 8601 UTC; the first table that has one decides, and in a table the model's whole
 * name goes before that of its family. A provider that was not said (null) is any.
 */
export function priceAt(
  tables: readonly (readonly ModelPrice[])[],
  { provider, model }: { provider: string | null; model: string | null },
  at: string,
): ModelPrice | null {
  if (model === null) return null;
  const names = new Set([model, familyOf(model)]);
  for (const table of tables) {
    for (const name of names) {
      const price = newestPrice(table, { provider, model: name }, at);
      if (price) return price;
    }
  }
  return null;
}

function newestPrice(
  table: readonly ModelPrice[],
  { provider, model }: { provider: string | null; model: string },
  at: string,
): ModelPrice | null {
  let newest: ModelPrice | null = null;
  for (const candidate of table) {
    const isOther = candidate.model !== model || (provider !== null && candidate.provider !== provider);
    if (isOther || candidate.validFrom > at) continue;
    if (newest === null || candidate.validFrom >= newest.validFrom) newest = candidate;
  }
  return newest;
}

/** Without what names a version or a variant of one price: `claude-sonnet-4-5-20250929`, `claude-opus-4-8[1m]`, `openai/gpt-5`. */
function familyOf(model: string): string {
  return model
    .replace(/^.*\//, '')
    .replace(/\[[^\]]*\]$/, '')
    .replace(/@.*$/, '')
    .replace(/-(\d{8}|\d{4}-\d{2}-\d{2}|latest|preview)$/, '');
}

const TOKENS_PER_PRICE = 1_000_000n;

/**
 * Micro-dollars, halves up. Exact: no product of tokens and prices is rounded before the sum.
 *
 * @param surchargeTokens charged like input, in quarters of a token at the finest
 */
export function costOf(usage: Usage, price: ModelPrice, surchargeTokens = 0): number {
  const sum =
    BigInt(usage.inputTokens) * BigInt(price.inputMicros) +
    (BigInt(Math.round(surchargeTokens * 4)) * BigInt(price.inputMicros)) / 4n +
    BigInt(usage.outputTokens) * BigInt(price.outputMicros) +
    BigInt(usage.cachedInputTokens) * BigInt(price.cachedInputMicros);
  const raised = sum + TOKENS_PER_PRICE / 2n;
  const truncated = raised / TOKENS_PER_PRICE;
  const isBelow = raised < 0n && raised % TOKENS_PER_PRICE !== 0n;
  return Number(isBelow ? truncated - 1n : truncated);
}

/** @param dollars per million tokens: input, output, cached input */
function alike(
  provider: string,
  models: readonly string[],
  dollars: readonly [number, number, number],
): ModelPrice[] {
  const [inputMicros, outputMicros, cachedInputMicros] = dollars.map((price) =>
    Math.round(price * 1_000_000),
  ) as [number, number, number];
  return models.map((model) => ({
    ...{ provider, model, validFrom: LISTED_FROM },
    ...{ inputMicros, outputMicros, cachedInputMicros },
  }));
}
