import type { Page, Query } from '../documents/document-store';
import type { ReadModels } from '../processing/read-models';
import { runsProjection } from '../runs/projections/runs.projection';
import type { CostGroup, Grouping } from './cost-groups';
import { CostGroups } from './cost-groups';
import type { DayPart, Period, SplitPeriod } from './period';
import { reachesEndOfDay, splitPeriod } from './period';
import type { CostEntryDocument } from './projections/cost-entries.projection';
import { costEntriesProjection } from './projections/cost-entries.projection';
import type { AgentMonthDocument, CompanyDayDimension } from './projections/spend.projections';
import {
  agentMonthsProjection,
  companyDayId,
  companyDayKey,
  companyDaysProjection,
} from './projections/spend.projections';

const PAGE = 1_000;

/** What costs are read from. */
export const COST_MODELS = [
  companyDaysProjection.name,
  agentMonthsProjection.name,
  costEntriesProjection.name,
  runsProjection.name,
];

/** Which keys of a company's day a grouping adds up, and to which groups. */
const dayKeysOf: Readonly<
  Record<
    Exclude<Grouping, 'agent' | 'run'>,
    { dimension: CompanyDayDimension; groupOf: (value: string) => string }
  >
> = {
  day: { dimension: 'day', groupOf: (day) => day },
  month: { dimension: 'day', groupOf: (day) => day.slice(0, 7) },
  model: { dimension: 'model', groupOf: (model) => model },
  provider: { dimension: 'provider', groupOf: (provider) => provider },
  source: { dimension: 'source', groupOf: (source) => source },
};

/**
 * Adds up what a company has spent in a period: whole days from their sums, so that a month costs the same however much
 * happened in it, and the rest from the entries.
 */
export class CompanyCosts {
  private readonly groups: CostGroups;

  constructor(
    private readonly readModels: ReadModels,
    private readonly companyId: string,
    private readonly grouping: Grouping,
  ) {
    this.groups = new CostGroups(grouping);
  }

  async in(period: Period): Promise<{ items: CostGroup[]; totalMicros: number }> {
    const first = await this.outermost('asc');
    const last = await this.outermost('desc');
    if (first !== null && last !== null) await this.addAll(splitPeriod(period, first, last));
    return this.groups.close(await this.unpriced(this.groups.doubtfulRuns()));
  }

  private async addAll({ days, parts }: SplitPeriod): Promise<void> {
    const { grouping } = this;
    // There are as many groups as runs: nothing is gained by sums.
    if (grouping === 'run') for (const day of days) await this.addEntriesOf(day);
    else if (grouping === 'agent') await this.addAgentMonths(days);
    else await this.addDays(days, dayKeysOf[grouping]);
    for (const part of parts) await this.addPart(part);
  }

  private async addDays(
    days: readonly string[],
    { dimension, groupOf }: (typeof dayKeysOf)['day'],
  ): Promise<void> {
    const prefix = companyDayKey(dimension, '');
    const groupOfKey = (key: string) => (key.startsWith(prefix) ? groupOf(key.slice(prefix.length)) : null);
    for (let from = 0; from < days.length; from += PAGE) {
      const ids = days.slice(from, from + PAGE).map((day) => companyDayId(this.companyId, day));
      const documents = await this.readModels.getMany(companyDaysProjection, ids);
      for (const { day, sheet } of documents.values()) {
        if (sheet) this.groups.addSheet(sheet, groupOfKey);
        else await this.addEntriesOf(day);
      }
    }
  }

  private async addAgentMonths(days: readonly string[]): Promise<void> {
    const wanted = new Set(days);
    const unsummed = new Set<string>();
    for (const month of new Set(days.map((day) => day.slice(0, 7)))) {
      for await (const { agentId, sheet } of this.agentMonths(month)) {
        if (sheet) this.groups.addSheet(sheet, (day) => (wanted.has(day) ? agentId : null));
        else unsummed.add(`${agentId} ${month}`);
      }
    }
    if (unsummed.size === 0) return;
    const isUnsummed = ({ agentId, day }: CostEntryDocument) => unsummed.has(`${agentId} ${day.slice(0, 7)}`);
    for (const day of days) await this.addEntriesOf(day, isUnsummed);
  }

  private async *agentMonths(month: string): AsyncGenerator<AgentMonthDocument> {
    yield* this.readModels.all(agentMonthsProjection, {
      where: { companyId: this.companyId, month },
      orderBy: 'agentId',
    });
  }

  private async addEntriesOf(day: string, isWanted = (_: CostEntryDocument) => true): Promise<void> {
    for await (const entry of this.entries(day, 'asc')) if (isWanted(entry)) this.groups.add(entry);
  }

  /** From the end of the day that is in it, so that little is read beyond the part. */
  private async addPart(part: DayPart): Promise<void> {
    const isBackwards = reachesEndOfDay(part);
    for await (const entry of this.entries(part.day, isBackwards ? 'desc' : 'asc')) {
      if (isBackwards ? entry.at < part.from : entry.at >= part.to) return;
      if (entry.at >= part.from) this.groups.add(entry);
    }
  }

  private async *entries(day: string, direction: Query['direction']): AsyncGenerator<CostEntryDocument> {
    const query = { where: { companyId: this.companyId, day }, orderBy: 'at', direction, limit: PAGE };
    let cursor: string | null = null;
    do {
      const page: Page<CostEntryDocument> = await this.readModels.query(costEntriesProjection, {
        ...query,
        cursor,
      });
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The time of the company's first or last entry; null where it has none. */
  private async outermost(direction: Query['direction']): Promise<string | null> {
    const { items } = await this.readModels.query(costEntriesProjection, {
      ...{ where: { companyId: this.companyId }, orderBy: 'at', direction },
      limit: 1,
    });
    return items[0]?.at ?? null;
  }

  private async unpriced(runIds: readonly string[]): Promise<Set<string>> {
    const unpriced = new Set<string>();
    for (let from = 0; from < runIds.length; from += PAGE) {
      const runs = await this.readModels.getMany(runsProjection, runIds.slice(from, from + PAGE));
      for (const run of runs.values()) if (run.costSource === 'unpriced') unpriced.add(run.id);
    }
    return unpriced;
  }
}
