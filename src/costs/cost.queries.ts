import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import type { Page } from '../documents/document-store';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { runsProjection } from '../runs/projections/runs.projection';
import type { CostGroup, Grouping } from './cost-groups';
import { CostGroups } from './cost-groups';
import type { CostEntryDocument } from './projections/cost-entries.projection';
import { costEntriesProjection } from './projections/cost-entries.projection';

const PAGE = 1_000;
const DAY_MS = 24 * 3_600_000;

/** ISO 8601 UTC with milliseconds; `from` inclusive, `to` exclusive, null: without an end. */
export interface Period {
  from: string | null;
  to: string | null;
}

export class GetCosts extends Query<{ items: CostGroup[]; totalMicros: number }> {
  constructor(
    readonly companyId: string,
    readonly period: Period,
    readonly groupBy: Grouping,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@QueryHandler(GetCosts)
export class GetCostsHandler implements IQueryHandler<GetCosts> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ companyId, period, groupBy, waitFor }: GetCosts) {
    const needed = [costEntriesProjection.name, runsProjection.name];
    await this.processing.waitForReader(waitFor, needed);
    await this.directory.company(companyId);
    const groups = new CostGroups(groupBy);
    for await (const page of this.pages(companyId, period)) {
      for (const entry of page) if (isWithin(period, entry.at)) groups.add(entry);
    }
    return groups.close(await this.unpriced(groups.doubtfulRuns()));
  }

  /** Day by day, since an index serves equality: a day costs as much as it has entries. */
  private async *pages(companyId: string, { from, to }: Period): AsyncGenerator<CostEntryDocument[]> {
    const first = await this.outermost(companyId, 'asc');
    const last = await this.outermost(companyId, 'desc');
    if (first === null || last === null) return;
    const start = from !== null && from > first ? from : first;
    const end = to !== null && to < last ? to : last;
    for (let day = start.slice(0, 10); day <= end.slice(0, 10); day = dayAfter(day)) {
      let cursor: string | null = null;
      do {
        const page: Page<CostEntryDocument> = await this.readModels.query(costEntriesProjection, {
          ...{ where: { companyId, day }, orderBy: 'at', direction: 'asc' },
          limit: PAGE,
          cursor,
        });
        yield page.items;
        cursor = page.nextCursor;
      } while (cursor !== null);
    }
  }

  /** The time of the company's first or last entry; null where it has none. */
  private async outermost(companyId: string, direction: 'asc' | 'desc'): Promise<string | null> {
    const { items } = await this.readModels.query(costEntriesProjection, {
      ...{ where: { companyId }, orderBy: 'at', direction },
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

function isWithin({ from, to }: Period, at: string): boolean {
  return (from === null || at >= from) && (to === null || at < to);
}

function dayAfter(day: string): string {
  return new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
}
