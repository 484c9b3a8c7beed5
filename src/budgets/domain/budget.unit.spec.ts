import { budgetOf, spent } from '../../../test/support/agent-history';
import type { BudgetStanding } from './budget';
import { afterChange, changeBudget, endsRuns, isStopped, NO_BUDGET, reviewBudget } from './budget';
import { endOfMonth, noSpending, spendingIn, withEntry, withStart } from './spending';

const half = budgetOf({ monthlyMicros: 500_000 });
const with500 = (parts: Partial<BudgetStanding> = {}): BudgetStanding => ({
  ...NO_BUDGET,
  budget: half,
  ...parts,
});
const month = '2025-11';
const stop = { month, limits: ['micros' as const] };
const kinds = (changes: { kind: string }[]) => changes.map(({ kind }) => kind);

describe('what was spent', () => {
  const usage = { inputTokens: 3, outputTokens: 2, cachedInputTokens: 4 };
  const entry = { ...usage, provider: 'p', model: 'm', costMicros: 7, costSource: 'reported' } as const;
  const at = '2025-11-30T23:59:59.999Z';

  test('adds up entries and starts of a month', () => {
    const booked = withEntry(withEntry(noSpending(month), entry, at), { ...entry, costMicros: null }, at);
    expect(withStart(booked, at)).toEqual(spent({ micros: 7, tokens: 18, runs: 1 }));
    expect(withEntry(booked, null, at)).toBe(booked);
  });

  test('a settlement takes back what was booked too much', () => {
    const back = { ...usage, inputTokens: -3, outputTokens: -2, cachedInputTokens: -4 };
    const booked = withEntry(noSpending(month), entry, at);
    expect(withEntry(booked, { ...entry, ...back, costMicros: -7 }, at)).toEqual(spent());
  });

  test('begins anew with the first entry of a month, and ignores what comes late from the one before', () => {
    const december = withEntry(spent({ micros: 9 }), entry, '2025-12-01T00:00:00.000Z');
    expect(december).toEqual({ month: '2025-12', micros: 7, tokens: 9, runs: 0 });
    expect(withEntry(december, entry, at)).toBe(december);
    expect(spendingIn('2026-01', december)).toEqual(noSpending('2026-01'));
    expect(endOfMonth('2025-12')).toBe('2026-01-01T00:00:00.000Z');
    expect(endOfMonth('2024-02')).toBe('2024-03-01T00:00:00.000Z');
  });
});

describe('held against a budget', () => {
  test.each([
    ['nothing below the warning', 399_999, []],
    ['a warning at 80 %', 400_000, ['warned']],
    ['a warning below the limit', 499_999, ['warned']],
    ['warning and stop where both are passed at once', 500_000, ['warned', 'exceeded']],
  ])('%s', (_name, micros, expected) => {
    expect(kinds(reviewBudget(with500(), spent({ micros }), false))).toEqual(expected);
  });

  test('each threshold is told once a month', () => {
    const spending = spent({ micros: 600_000, tokens: 1 });
    const told = reviewBudget(with500(), spending, false).reduce(afterChange, with500());
    expect(told).toEqual({ budget: half, warned: stop, stop });
    expect(reviewBudget(told, { ...spending, micros: 9_000_000 }, false)).toEqual([]);
  });

  test('another limit that is reached is told, with those that were', () => {
    const budget = budgetOf({ monthlyMicros: 10, monthlyTokens: 10 });
    const changes = reviewBudget({ budget, warned: stop, stop }, spent({ micros: 10, tokens: 10 }), false);
    expect(changes).toMatchObject([
      { kind: 'warned', notice: { limits: ['micros', 'tokens'] } },
      { kind: 'exceeded', notice: { limits: ['micros', 'tokens'] } },
    ]);
  });

  test.each([0.07, 0.29, 0.57, 0.58, 0.8, 1])('a share of %d is reached at a whole number', (warnAt) => {
    const budget = budgetOf({ monthlyTokens: 100, warnAt });
    const warns = (tokens: number) =>
      kinds(reviewBudget({ ...NO_BUDGET, budget }, spent({ tokens }), false)).includes('warned');
    expect([warns(Math.round(warnAt * 100) - 1), warns(Math.round(warnAt * 100))]).toEqual([false, true]);
  });

  test('the last run that is allowed may come to its end', () => {
    const standing = { ...NO_BUDGET, budget: budgetOf({ monthlyRuns: 1 }) };
    expect(kinds(reviewBudget(standing, spent({ runs: 1 }), true))).toEqual(['warned']);
    expect(kinds(reviewBudget(standing, spent({ runs: 1 }), false))).toEqual(['warned', 'exceeded']);
    expect(endsRuns({ month, limits: ['runs'] })).toBe(false);
    expect(endsRuns({ month, limits: ['runs', 'tokens'] })).toBe(true);
  });

  test('a budget of nothing allows nothing, and none allows everything', () => {
    const nothing = { ...NO_BUDGET, budget: budgetOf({ monthlyMicros: 0 }) };
    expect(kinds(reviewBudget(nothing, spent(), false))).toContain('exceeded');
    expect(reviewBudget(NO_BUDGET, spent({ micros: 1e12 }), false)).toEqual([]);
  });
});

describe('a stop', () => {
  test('ends with its month, seen or not', () => {
    expect(isStopped({ stop }, '2025-11-30T23:59:59.999Z')).toBe(true);
    expect(isStopped({ stop }, '2025-12-01T00:00:00.000Z')).toBe(false);
    expect(isStopped({ stop: null }, '2025-11-01T00:00:00.000Z')).toBe(false);
  });

  test('is lifted by a new month', () => {
    const standing = with500({ warned: stop, stop });
    const december = noSpending('2025-12');
    expect(reviewBudget(standing, december, false)).toEqual([{ kind: 'restored', reason: 'month.began' }]);
    expect(kinds(reviewBudget(standing, { ...december, micros: 400_000 }, false))).toEqual([
      'restored',
      'warned',
    ]);
    expect(kinds(reviewBudget(standing, { ...december, micros: 500_000 }, false))).toEqual([
      'warned',
      'exceeded',
    ]);
  });

  test('is not lifted by a settlement', () => {
    expect(reviewBudget(with500({ warned: stop, stop }), spent({ micros: 1 }), false)).toEqual([]);
  });

  const stopped = with500({ warned: stop, stop });
  const spending = spent({ micros: 500_000 });

  test('is lifted by a budget that allows more than was spent, or by none', () => {
    const raised = budgetOf({ monthlyMicros: 1_000_000 });
    expect(changeBudget(stopped, raised, spending, false)).toEqual([
      { kind: 'changed', budget: raised },
      { kind: 'restored', reason: 'budget.changed' },
    ]);
    expect(kinds(changeBudget(stopped, null, spending, false))).toEqual(['changed', 'restored']);
  });

  test('stays where the new budget is used up as well', () => {
    const lower = budgetOf({ monthlyMicros: 400_000 });
    expect(kinds(changeBudget(stopped, lower, spending, false))).toEqual(['changed', 'warned']);
    expect(changeBudget(stopped, half, spending, false)).toEqual([]);
  });

  test('comes with a budget that is used up already', () => {
    expect(kinds(changeBudget(NO_BUDGET, half, spending, false))).toEqual(['changed', 'warned', 'exceeded']);
  });
});
