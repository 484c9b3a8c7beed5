import type { ModelPrice } from './prices';
import { costOf, defaultPrices, priceAt } from './prices';

const usage = (inputTokens: number, outputTokens = 0, cachedInputTokens = 0) => ({
  inputTokens,
  outputTokens,
  cachedInputTokens,
});

function price(validFrom: string, inputMicros: number, parts: Partial<ModelPrice> = {}): ModelPrice {
  const model = { provider: 'p', model: 'm' };
  return { ...model, validFrom, inputMicros, outputMicros: 0, cachedInputMicros: 0, ...parts };
}

const YEAR_1 = '2024-01-01T00:00:00.000Z';
const YEAR_2 = '2025-01-01T00:00:00.000Z';
const m = { provider: 'p', model: 'm' };

test('the price of a time is the newest that was valid by then, whatever the order of the table', () => {
  const table = [price(YEAR_2, 2), price(YEAR_1, 1)];
  expect(priceAt([table], m, '2023-12-31T23:59:59.999Z')).toBeNull();
  expect(priceAt([table], m, YEAR_1)?.inputMicros).toBe(1);
  expect(priceAt([table], m, '2024-12-31T23:59:59.999Z')?.inputMicros).toBe(1);
  expect(priceAt([table], m, YEAR_2)?.inputMicros).toBe(2);
});

test("the company's table goes before the others, from when on it has a price", () => {
  const tables = [[price(YEAR_2, 7)], [price(YEAR_1, 1)]];
  expect(priceAt(tables, m, YEAR_1)?.inputMicros).toBe(1);
  expect(priceAt(tables, m, YEAR_2)?.inputMicros).toBe(7);
});

test('a provider that was not said is any, another one is none', () => {
  const tables = [[price(YEAR_1, 1)]];
  expect(priceAt(tables, { provider: null, model: 'm' }, YEAR_2)?.inputMicros).toBe(1);
  expect(priceAt(tables, { provider: 'q', model: 'm' }, YEAR_2)).toBeNull();
  expect(priceAt(tables, { provider: 'p', model: null }, YEAR_2)).toBeNull();
});

test.each(['m-20250929', 'm-2025-08-07', 'm[1m]', 'vendor/m', 'm@20250929', 'm-latest'])(
  '%s has the price of its family, unless it has one of its own in the same table',
  (model) => {
    const own = price(YEAR_1, 9, { model });
    expect(priceAt([[price(YEAR_1, 1)]], { provider: 'p', model }, YEAR_2)?.inputMicros).toBe(1);
    expect(priceAt([[price(YEAR_1, 1), own]], { provider: 'p', model }, YEAR_2)?.inputMicros).toBe(9);
    expect(priceAt([[price(YEAR_1, 1)], [own]], { provider: 'p', model }, YEAR_2)?.inputMicros).toBe(1);
    expect(priceAt([[own]], m, YEAR_2)).toBeNull();
  },
);

test('a surcharge is charged like input, in quarters of a token', () => {
  expect(costOf(usage(1), price(YEAR_1, 4_000_000), 0.25)).toBe(5);
  expect(costOf(usage(0), price(YEAR_1, 1_000_000), 12.5)).toBe(13);
});

test.each([
  { tokens: 499_999, micros: 0 },
  { tokens: 500_000, micros: 1 },
  { tokens: 1_499_999, micros: 1 },
  { tokens: 1_500_000, micros: 2 },
  { tokens: -500_000, micros: -0 },
  { tokens: -500_001, micros: -1 },
  { tokens: -1_500_000, micros: -1 },
  { tokens: -1_500_001, micros: -2 },
])('$tokens tokens at one micro-dollar per million are $micros: halves go up', ({ tokens, micros }) => {
  expect(costOf(usage(tokens), price(YEAR_1, 1)) + 0).toBe(micros + 0);
});

test('kinds of tokens are added before they are rounded', () => {
  const each = price(YEAR_1, 1, { outputMicros: 1, cachedInputMicros: 1 });
  expect(costOf(usage(250_000, 125_000, 125_000), each)).toBe(1);
});

test('more than a float could hold is exact', () => {
  expect(costOf(usage(900_719_925_474_099), price(YEAR_1, 10_000_000))).toBe(9_007_199_254_740_990);
});

test('the built-in prices are whole numbers, and each has its own beginning', () => {
  const keys = defaultPrices.map(({ provider, model, validFrom }) => `${provider} ${model} ${validFrom}`);
  expect(new Set(keys).size).toBe(defaultPrices.length);
  for (const { validFrom, inputMicros, outputMicros, cachedInputMicros } of defaultPrices) {
    expect(new Date(validFrom).toISOString()).toBe(validFrom);
    for (const micros of [inputMicros, outputMicros, cachedInputMicros]) {
      expect(Number.isSafeInteger(micros) && micros > 0).toBe(true);
    }
  }
});
