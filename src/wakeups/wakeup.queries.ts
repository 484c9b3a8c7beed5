import { Injectable } from '@nestjs/common';
import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { runsProjection } from '../runs/projections/runs.projection';
import { wakeupsProjection } from './projections/wakeups.projection';
import type { WakeupView } from './wakeup.view';
import { wakeupView } from './wakeup.view';

export class GetWakeup extends Query<WakeupView> {
  constructor(
    readonly wakeupId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class ListWakeups extends Query<{ items: WakeupView[]; nextCursor: string | null }> {
  constructor(
    readonly agentId: string,
    readonly page: { runId?: string; limit: number; cursor?: string },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

const NEEDED = [wakeupsProjection.name, runsProjection.name];

/** Shows a wakeup as it is at a position, or later. */
@Injectable()
export class WakeupAnswers {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async one(wakeupId: string, seenBy: Position | null): Promise<WakeupView> {
    if (seenBy !== null) await this.processing.waitFor(seenBy, NEEDED);
    const wakeup = await this.directory.wakeup(wakeupId);
    const run = wakeup.runId === null ? null : await this.readModels.get(runsProjection, wakeup.runId);
    return wakeupView(wakeup, run ?? undefined);
  }
}

@QueryHandler(GetWakeup)
export class GetWakeupHandler implements IQueryHandler<GetWakeup> {
  constructor(
    private readonly processing: Processing,
    private readonly answers: WakeupAnswers,
  ) {}

  async execute({ wakeupId, waitFor }: GetWakeup) {
    await this.processing.waitForReader(waitFor, NEEDED);
    return this.answers.one(wakeupId, null);
  }
}

@QueryHandler(ListWakeups)
export class ListWakeupsHandler implements IQueryHandler<ListWakeups> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ agentId, page, waitFor }: ListWakeups) {
    await this.processing.waitForReader(waitFor, NEEDED);
    await this.directory.agent(agentId);
    const { runId, limit, cursor } = page;
    const { items, nextCursor } = await this.readModels.query(wakeupsProjection, {
      where: runId === undefined ? { agentId } : { agentId, runId },
      orderBy: 'requestedPosition',
      direction: 'desc',
      limit,
      cursor,
    });
    const runIds = new Set(items.flatMap((wakeup) => wakeup.runId ?? []));
    const runs = await this.readModels.getMany(runsProjection, [...runIds]);
    return { items: items.map((wakeup) => wakeupView(wakeup, runs.get(wakeup.runId ?? ''))), nextCursor };
  }
}
