import fc from 'fast-check';
import type { CostEntry, ReportedCost } from './cost-entry';
import { NO_USAGE, addUsage } from './cost-entry';
import type { Pricing } from './settlement';
import { NOTHING_BOOKED, book, costEntry, settlementOf } from './settlement';

const usage = (inputTokens: number, outputTokens = 0, cachedInputTokens = 0) => ({
  inputTokens,
  outputTokens,
  cachedInputTokens,
});

const pricing: Pricing = {
  at: '2025-11-23T10:00:00.000Z',
  tables: [
    [
      {
        ...{ provider: 'p', model: 'm', validFrom: '2025-01-01T00:00:00.000Z' },
        ...{ inputMicros: 2_000_000, outputMicros: 10_000_000, cachedInputMicros: 500_000 },
      },
    ],
  ],
};

function said(parts: Partial<ReportedCost> = {}): ReportedCost {
  return { usage: null, costMicros: null, provider: null, model: null, ...parts };
}

/** The entries of a run that reports so while it goes on, and so at its end. */
function ledger(reports: readonly ReportedCost[], result: ReportedCost | null): CostEntry[] {
  const entries = reports.map((reported) => costEntry(reported, pricing));
  const settlement = settlementOf(result, entries.reduce(book, NOTHING_BOOKED), pricing);
  return settlement === null ? entries : [...entries, settlement];
}

const micros = (entries: readonly CostEntry[]) =>
  entries.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
const tokens = (entries: readonly CostEntry[]) => entries.reduce(addUsage, NO_USAGE);

describe('an entry', () => {
  test('is reported where the agent said the cost, whatever the table says', () => {
    expect(costEntry(said({ usage: usage(10), costMicros: 3, provider: 'p', model: 'm' }), pricing)).toEqual({
      ...{ provider: 'p', model: 'm', costMicros: 3, costSource: 'reported' },
      ...usage(10),
    });
  });

  test('is priced where the table has a price', () => {
    const entry = costEntry(said({ usage: usage(10, 2, 4), model: 'm' }), pricing);
    expect(entry).toMatchObject({ provider: 'unknown', model: 'm', costMicros: 42, costSource: 'priced' });
  });

  test('is priced like another model where the table has none for its own', () => {
    const tokens = { usage: usage(10), provider: 'p' };
    expect(costEntry(said({ ...tokens, model: 'x', pricedLike: 'm' }), pricing).costMicros).toBe(20);
    const entry = costEntry(said({ ...tokens, model: 'm', pricedLike: 'x', surchargeTokens: 5 }), pricing);
    expect(entry).toMatchObject({ model: 'm', inputTokens: 10, costMicros: 30 });
  });

  test('is unpriced where it has none, or nothing is known', () => {
    const other = costEntry(said({ usage: usage(10), model: 'other' }), pricing);
    expect(other).toMatchObject({ inputTokens: 10, costMicros: null, costSource: 'unpriced' });
    const silent = costEntry(said({ provider: 'p', model: 'm' }), pricing);
    expect(silent).toMatchObject({ costMicros: null, costSource: 'unpriced' });
  });
});

describe('a settlement', () => {
  test('is all of the result where nothing was booked', () => {
    const result = said({ usage: usage(10, 2), costMicros: 7, provider: 'p', model: 'm' });
    expect(ledger([], result)).toEqual([costEntry(result, pricing)]);
  });

  test('of a run that said nothing at all shows it as unpriced', () => {
    for (const result of [null, said()]) {
      expect(ledger([], result)).toEqual([
        {
          ...{ provider: 'unknown', model: 'unknown', costMicros: null, costSource: 'unpriced' },
          ...NO_USAGE,
        },
      ]);
    }
  });

  test('leaves what was booked where the run ends without a result', () => {
    const reports = [said({ usage: usage(10), costMicros: 5 }), said({ costMicros: 2 })];
    for (const result of [null, said({ model: 'm' })]) {
      expect(ledger(reports, result)).toEqual(reports.map((reported) => costEntry(reported, pricing)));
    }
  });

  test('leaves tokens that the result does not mention', () => {
    const entries = ledger([said({ usage: usage(10), costMicros: 5 })], said({ costMicros: 6 }));
    expect(entries.at(-1)).toMatchObject({ ...NO_USAGE, costMicros: 1, costSource: 'reported' });
  });

  test('leaves costs that the result does not mention, and prices the tokens that were not booked', () => {
    const reports = [said({ usage: usage(10), costMicros: 999, provider: 'p', model: 'm' })];
    expect(ledger(reports, said({ usage: usage(10) }))).toHaveLength(1);
    expect(ledger(reports, said({ usage: usage(13) })).at(-1)).toMatchObject({
      ...{ provider: 'p', model: 'm', ...usage(3), costMicros: 6, costSource: 'priced' },
    });
  });

  test('takes its names from the bookings only where they all agree', () => {
    const one = said({ usage: usage(1), provider: 'p', model: 'm' });
    const names = (reports: ReportedCost[]) => {
      const { provider, model } = ledger(reports, said({ costMicros: 1 })).at(-1)!;
      return { provider, model };
    };
    expect(names([one, one])).toEqual({ provider: 'p', model: 'm' });
    expect(names([one, { ...one, model: 'n' }, one])).toEqual({ provider: 'p', model: 'unknown' });
    expect(names([one, said(), one])).toEqual({ provider: 'unknown', model: 'unknown' });
  });

  test('goes below what was booked where the result does, but never below nothing', () => {
    const reports = [said({ usage: usage(10), costMicros: 5, provider: 'p', model: 'm' })];
    expect(micros(ledger(reports, said({ usage: usage(1), costMicros: 2 })))).toBe(2);
    expect(micros(ledger(reports, said({ usage: usage(1) })))).toBe(0);
  });

  const count = fc.nat(1_000_000);
  const anyUsage = fc.record({ inputTokens: count, outputTokens: count, cachedInputTokens: count });
  const name = (known: string) => fc.constantFrom(null, known, 'other');
  const anyReport: fc.Arbitrary<ReportedCost> = fc.record({
    usage: fc.option(anyUsage),
    costMicros: fc.option(fc.nat(10_000_000)),
    provider: name('p'),
    model: name('m'),
  });

  test('makes the sum over all entries what the result says', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 8 }), fc.option(anyReport), (reports, result) => {
        const entries = ledger(reports, result);
        const booked = entries.slice(0, reports.length);
        expect(tokens(entries)).toEqual(result?.usage ?? tokens(booked));
        const total = result?.costMicros ?? null;
        if (total !== null) expect(micros(entries)).toBe(total);
        else if (!result?.usage) expect(micros(entries)).toBe(micros(booked));
        expect(micros(entries)).toBeGreaterThanOrEqual(0);
        expect(entries.length).toBeGreaterThan(0);
      }),
    );
  });
});
