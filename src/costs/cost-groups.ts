import type { CostEntryDocument } from './projections/cost-entries.projection';

export const groupings = ['agent', 'model', 'source', 'day', 'month', 'run', 'provider'] as const;

export type Grouping = (typeof groupings)[number];

/** The spend of one agent, model, day, … */
export interface CostGroup {
  key: string;
  /** Micro-dollars, without what is unpriced. */
  costMicros: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  /** How many runs have entries in the group: one that used two models is in both of theirs. */
  runs: number;
  /** Those among them of which nobody knows all of the cost. */
  unpricedRuns: number;
}

interface OpenGroup extends Omit<CostGroup, 'runs' | 'unpricedRuns'> {
  runs: Set<string>;
  /** Runs with an unpriced entry, which a settlement may have made good since. */
  doubtful: Set<string>;
}

const keyOf: Readonly<Record<Grouping, (entry: CostEntryDocument) => string>> = {
  agent: ({ agentId }) => agentId,
  model: ({ model }) => model,
  source: ({ invocationSource }) => invocationSource,
  day: ({ day }) => day,
  month: ({ day }) => day.slice(0, 7),
  run: ({ runId }) => runId,
  provider: ({ provider }) => provider,
};

/** Adds entries up by group. */
export class CostGroups {
  private readonly groups = new Map<string, OpenGroup>();

  constructor(private readonly grouping: Grouping) {}

  add(entry: CostEntryDocument): void {
    const key = keyOf[this.grouping](entry);
    let group = this.groups.get(key);
    if (!group) {
      const nothing = { costMicros: 0, inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };
      group = { key, ...nothing, runs: new Set(), doubtful: new Set() };
      this.groups.set(key, group);
    }
    group.costMicros += entry.costMicros ?? 0;
    group.inputTokens += entry.inputTokens;
    group.outputTokens += entry.outputTokens;
    group.cachedInputTokens += entry.cachedInputTokens;
    group.runs.add(entry.runId);
    if (entry.costSource === 'unpriced') group.doubtful.add(entry.runId);
  }

  /** The runs to be asked about, whether their cost is known by now. */
  doubtfulRuns(): string[] {
    return [...new Set([...this.groups.values()].flatMap(({ doubtful }) => [...doubtful]))];
  }

  /** Days and months in their order, everything else by what it cost, the dearest first. */
  close(unpriced: ReadonlySet<string>): { items: CostGroup[]; totalMicros: number } {
    const items = [...this.groups.values()].map(({ runs, doubtful, ...sums }) => ({
      ...sums,
      runs: runs.size,
      unpricedRuns: [...doubtful].filter((runId) => unpriced.has(runId)).length,
    }));
    const isCalendar = this.grouping === 'day' || this.grouping === 'month';
    const byKey = (a: CostGroup, b: CostGroup) => (a.key < b.key ? -1 : 1);
    items.sort(isCalendar ? byKey : (a, b) => b.costMicros - a.costMicros || byKey(a, b));
    return { items, totalMicros: items.reduce((sum, { costMicros }) => sum + costMicros, 0) };
  }
}
