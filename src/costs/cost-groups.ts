import type { Usage } from './domain/cost-entry';
import type { SpendSheet, Tally } from './domain/spend-sheet';
import type { CostEntryDocument } from './projections/cost-entries.projection';

export const groupings = ['agent', 'model', 'source', 'day', 'month', 'run', 'provider'] as const;

export type Grouping = (typeof groupings)[number];

/** The spend of one agent, model, day, … */
export interface CostGroup extends Usage {
  key: string;
  /** Micro-dollars, without what is unpriced. */
  costMicros: number;
  /** How many runs have entries in the group: one that used two models is in both of theirs. */
  runs: number;
  /** Those among them of which nobody knows all of the cost. */
  unpricedRuns: number;
}

interface OpenGroup extends Tally {
  key: string;
  /** Runs that are not counted by a sheet: known by their ids, since they may come again. */
  knownRuns: Set<string>;
  /** Those among them with an unpriced entry, which a settlement may have made good since. */
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

/** Adds entries, and sums of entries, up by group. No entry may be in both. */
export class CostGroups {
  private readonly groups = new Map<string, OpenGroup>();

  constructor(private readonly grouping: Grouping) {}

  add(entry: CostEntryDocument): void {
    const group = this.group(keyOf[this.grouping](entry));
    addSums(group, entry);
    addRun(group, entry.runId, entry.costSource === 'unpriced');
  }

  /** @param groupOf the group that a key of the sheet belongs to; null: none */
  addSheet({ tallies, openRuns }: SpendSheet, groupOf: (key: string) => string | null): void {
    for (const [key, tally] of Object.entries(tallies)) {
      const name = groupOf(key);
      if (name === null) continue;
      const group = this.group(name);
      addSums(group, tally);
      group.runs += tally.runs;
      group.unpricedRuns += tally.unpricedRuns;
    }
    for (const [runId, keys] of Object.entries(openRuns)) {
      for (const [key, isUnpriced] of Object.entries(keys)) {
        const name = groupOf(key);
        if (name !== null) addRun(this.group(name), runId, isUnpriced);
      }
    }
  }

  /** The runs to be asked about, whether their cost is known by now. */
  doubtfulRuns(): string[] {
    return [...new Set([...this.groups.values()].flatMap(({ doubtful }) => [...doubtful]))];
  }

  /** Days and months in their order, everything else by what it cost, the dearest first. */
  close(unpriced: ReadonlySet<string>): { items: CostGroup[]; totalMicros: number } {
    const items = [...this.groups.values()].map(({ knownRuns, doubtful, ...group }) => ({
      ...group,
      runs: group.runs + knownRuns.size,
      unpricedRuns: group.unpricedRuns + [...doubtful].filter((runId) => unpriced.has(runId)).length,
    }));
    const isCalendar = this.grouping === 'day' || this.grouping === 'month';
    const byKey = (a: CostGroup, b: CostGroup) => (a.key < b.key ? -1 : 1);
    items.sort(isCalendar ? byKey : (a, b) => b.costMicros - a.costMicros || byKey(a, b));
    return { items, totalMicros: items.reduce((sum, { costMicros }) => sum + costMicros, 0) };
  }

  private group(key: string): OpenGroup {
    let group = this.groups.get(key);
    if (!group) {
      const nothing = { costMicros: 0, inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };
      const noRuns = { runs: 0, unpricedRuns: 0, knownRuns: new Set<string>(), doubtful: new Set<string>() };
      group = { key, ...nothing, ...noRuns };
      this.groups.set(key, group);
    }
    return group;
  }
}

function addSums(group: OpenGroup, sums: Usage & { costMicros: number | null }): void {
  group.costMicros += sums.costMicros ?? 0;
  group.inputTokens += sums.inputTokens;
  group.outputTokens += sums.outputTokens;
  group.cachedInputTokens += sums.cachedInputTokens;
}

function addRun(group: OpenGroup, runId: string, isUnpriced: boolean): void {
  group.knownRuns.add(runId);
  if (isUnpriced) group.doubtful.add(runId);
}
