import { Dice } from '../../test/support/dice';
import type { LedgerRun } from '../../test/support/ledger-world';
import { LedgerWorld } from '../../test/support/ledger-world';
import type { CostGroup, Grouping } from './cost-groups';
import { groupings } from './cost-groups';
import type { CostEntry } from './domain/cost-entry';
import type { Period } from './period';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const BEGIN_MS = Date.parse('2026-01-20T00:00:00.000Z');
const DAYS = 50;
const ALWAYS: Period = { from: null, to: null };

const iso = (ms: number) => new Date(ms).toISOString();
const dayAt = (day: number) => iso(BEGIN_MS + day * DAY_MS);

let world: LedgerWorld | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

const someEntry = (dice: Dice): CostEntry => {
  const costSource = dice.oneOf(['reported', 'priced', 'unpriced'] as const);
  return {
    provider: dice.oneOf(['anthropic', 'openai', 'unknown']),
    model: dice.oneOf(['small', 'large', 'gpt-4.1', '__proto__', 'constructor', 'small.$x']),
    inputTokens: dice.upTo(2_000) - 100,
    outputTokens: dice.upTo(500),
    cachedInputTokens: dice.upTo(9_000),
    costMicros: costSource === 'unpriced' ? null : dice.upTo(40_000) - 2_000,
    costSource,
  };
};

/** Most of them short, many around midnight, some over days; some lost to another node, some still running. */
const someRun = (dice: Dice): LedgerRun => {
  const day = BEGIN_MS + dice.upTo(DAYS) * DAY_MS;
  const startMs = day + dice.oneOf([dice.upTo(DAY_MS), DAY_MS - 1 - dice.upTo(MINUTE_MS), 0]);
  const durationMs = dice.oneOf([0, dice.upTo(MINUTE_MS), dice.upTo(60 * MINUTE_MS), dice.upTo(3 * DAY_MS)]);
  const at = (share: number) => iso(startMs + Math.floor(durationMs * share));
  const byOther = dice.upTo(8) === 0;
  // A node that has lost its run may not know that yet.
  const until = byOther ? 1.5 : 1;
  const booked = Array.from({ length: dice.oneOf([0, 0, 1, 2, 5]) }, () => {
    return { at: at((dice.upTo(101) / 100) * until), entry: someEntry(dice) };
  });
  const end = { at: at(1), settlement: dice.upTo(3) === 0 ? null : someEntry(dice), byOther };
  return {
    agentId: dice.oneOf(['ada', 'bob', 'eve']),
    source: dice.oneOf(['timer', 'on_demand', 'assignment']),
    startedAt: iso(startMs),
    booked,
    end: dice.upTo(12) === 0 ? null : end,
  };
};

const somePeriod = (dice: Dice): Period => {
  const moment = () => iso(BEGIN_MS + dice.upTo((DAYS + 4) * 24 * 60) * MINUTE_MS - DAY_MS);
  const end = () => dice.oneOf([null, moment(), `${moment().slice(0, 10)}T00:00:00.000Z`]);
  const [from, to] = [end(), end()];
  return from !== null && to !== null && from > to ? { from: to, to: from } : { from, to };
};

interface Line extends CostEntry {
  run: LedgerRun;
  at: string;
}

const linesOf = (run: LedgerRun): Line[] => [
  ...run.booked.map(({ at, entry }) => ({ ...entry, run, at })),
  ...(run.end?.settlement ? [{ ...run.end.settlement, run, at: run.end.at }] : []),
];

/** Its result has made up for what was booked before it, as far as it says what that cost. */
const isUnpriced = ({ booked, end }: LedgerRun): boolean => {
  const isMadeUp = end?.settlement?.costSource === 'reported';
  return (
    booked.some(({ at, entry }) => entry.costSource === 'unpriced' && !(isMadeUp && at <= end.at)) ||
    end?.settlement?.costSource === 'unpriced'
  );
};

const keyOf: Record<Grouping, (line: Line, index: number) => string> = {
  agent: ({ run }) => run.agentId,
  model: ({ model }) => model,
  source: ({ run }) => run.source,
  day: ({ at }) => at.slice(0, 10),
  month: ({ at }) => at.slice(0, 7),
  run: (_, index) => `r${index}`,
  provider: ({ provider }) => provider,
};

/** The answer, from nothing but the lines of the ledger. */
function addedUp(runs: readonly LedgerRun[], grouping: Grouping, { from, to }: Period): CostGroup[] {
  const groups = new Map<string, Line[]>();
  for (const [index, run] of runs.entries()) {
    for (const line of linesOf(run)) {
      if ((from !== null && line.at < from) || (to !== null && line.at >= to)) continue;
      const key = keyOf[grouping](line, index);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key)!.push(line);
    }
  }
  return [...groups].map(([key, lines]) => {
    const sum = (of: (line: Line) => number) => lines.reduce((total, line) => total + of(line), 0);
    const unpriced = lines.filter(({ run, costSource }) => costSource === 'unpriced' && isUnpriced(run));
    return {
      key,
      costMicros: sum(({ costMicros }) => costMicros ?? 0),
      inputTokens: sum(({ inputTokens }) => inputTokens),
      outputTokens: sum(({ outputTokens }) => outputTokens),
      cachedInputTokens: sum(({ cachedInputTokens }) => cachedInputTokens),
      runs: new Set(lines.map(({ run }) => run)).size,
      unpricedRuns: new Set(unpriced.map(({ run }) => run)).size,
    };
  });
}

const byKey = (groups: readonly CostGroup[]) =>
  [...groups].sort((one, other) => (one.key < other.key ? -1 : 1));

async function expectExact(runs: readonly LedgerRun[], grouping: Grouping, period: Period): Promise<void> {
  const { items, totalMicros } = await world!.costs(grouping, period);
  const expected = byKey(addedUp(runs, grouping, period));
  expect({ grouping, period, items: byKey(items) }).toEqual({ grouping, period, items: expected });
  expect(totalMicros).toBe(expected.reduce((sum, { costMicros }) => sum + costMicros, 0));
}

test.each([1, 2, 3, 4])('sums are those of the entries, for any period: ledger %i', async (seed) => {
  const dice = new Dice(seed);
  const runs = Array.from({ length: 200 }, () => someRun(dice));
  world = await LedgerWorld.open(runs);
  for (const grouping of groupings) {
    await expectExact(runs, grouping, ALWAYS);
    for (let question = 0; question < 12; question++) await expectExact(runs, grouping, somePeriod(dice));
  }
});

/** Each books once on the way, and settles. */
const shortRun = (agentId: string, startMs: number, parts: Partial<CostEntry> = {}): LedgerRun => {
  const usage = { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3 };
  const model = { provider: 'anthropic', model: 'small' };
  const entry: CostEntry = { ...usage, ...model, costMicros: 7, costSource: 'reported', ...parts };
  const [startedAt, at] = [iso(startMs), iso(startMs + 1)];
  const booked = [{ at: startedAt, entry }];
  return { agentId, source: 'timer', startedAt, booked, end: { at, settlement: entry, byOther: false } };
};

test('how much is read does not depend on how much has happened', async () => {
  const readWith = async (runsADay: number) => {
    const runs = Array.from({ length: DAYS * runsADay }, (_, index) =>
      shortRun(index % 2 ? 'ada' : 'bob', BEGIN_MS + Math.floor((index / runsADay) * DAY_MS)),
    );
    world = await LedgerWorld.open(runs);
    const read: Record<string, number> = {};
    const periods = { always: ALWAYS, february: { from: '2026-02-01T00:00:00.000Z', to: dayAt(40) } };
    for (const grouping of groupings.filter((one) => one !== 'run')) {
      for (const [name, period] of Object.entries(periods)) {
        world.documentsRead = 0;
        await expectExact(runs, grouping, period);
        read[`${grouping}, ${name}`] = world.documentsRead;
      }
    }
    await world.close();
    world = undefined;
    return read;
  };
  const little = await readWith(2);
  expect(await readWith(20)).toEqual(little);
  // The company, its first and its last entry; then a document a day, or one a month and agent.
  expect(little).toMatchObject({
    'day, always': 3 + DAYS,
    'model, february': 3 + 28,
    'agent, always': 3 + 6,
  });
});

test('of a day that is cut off no more is read than what is on the right side', async () => {
  const runs = Array.from({ length: 3_000 }, (_, index) =>
    shortRun('ada', BEGIN_MS + Math.floor((index / 3_000) * 2 * DAY_MS)),
  );
  world = await LedgerWorld.open(runs);
  const evening = { from: iso(BEGIN_MS + DAY_MS - 30 * MINUTE_MS), to: null };
  await expectExact(runs, 'model', evening);
  world.documentsRead = 0;
  await world.costs('model', evening);
  // One page of entries, of the 3,000 that the first day has.
  expect(world.documentsRead).toBeLessThanOrEqual(3 + 1 + 1_000);
});

test('where there is too much in a sum, it is added up from the entries', async () => {
  const models = Array.from({ length: 600 }, (_, index) =>
    shortRun('ada', BEGIN_MS + index * MINUTE_MS, { model: `model ${index}` }),
  );
  const crossing = Array.from({ length: 1_100 }, (_, index) => {
    const run = shortRun('bob', BEGIN_MS + 2 * DAY_MS - 1 - index, {
      costMicros: null,
      costSource: 'unpriced',
    });
    return { ...run, end: { ...run.end!, at: dayAt(2) } };
  });
  const runs = [...models, ...crossing, shortRun('ada', BEGIN_MS + 3 * DAY_MS)];
  world = await LedgerWorld.open(runs);
  for (const grouping of groupings) {
    await expectExact(runs, grouping, ALWAYS);
    await expectExact(runs, grouping, { from: dayAt(1), to: dayAt(3) });
  }
});
