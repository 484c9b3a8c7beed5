import { Inject, Injectable } from '@nestjs/common';
import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import type { EventLog } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { Position, Recorded } from '../kernel/event';
import { decode } from '../kernel/event';
import { runStream } from '../kernel/streams';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { EVENT_LOG } from '../tokens';
import { wakeupsProjection } from '../wakeups/projections/wakeups.projection';
import type { RunEvent } from './domain/run.events';
import { isClosingLine } from './domain/run.events';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';
import type { LogSource } from './run-log-reader';
import { RunLogReader } from './run-log-reader';
import type { RunEventView, RunView, RunWithExcerptsView } from './run.view';
import { contextWakeupIds, runView } from './run.view';
import { executionSaga } from './sagas/execution.saga';
import { dropBrokenStart } from './whole-characters';

const EXCERPT_BYTES = 32 * 1024;
const NEEDED = [runsProjection.name, wakeupsProjection.name];

export class GetRun extends Query<RunWithExcerptsView> {
  constructor(
    readonly runId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class ListRuns extends Query<{ items: RunView[]; nextCursor: string | null }> {
  constructor(
    readonly companyId: string,
    readonly page: { agentId?: string; status?: string; limit: number; cursor?: string },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class GetActiveRun extends Query<RunView | null> {
  constructor(
    readonly agentId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class GetRunEvents extends Query<{ items: RunEventView[]; nextCursor: string | null }> {
  constructor(
    readonly runId: string,
    readonly afterSeq: number,
    readonly limit: number,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

/** Run documents with the wakeups that their contexts are composed of. */
@Injectable()
export class RunAnswers {
  constructor(private readonly readModels: ReadModels) {}

  async one(runId: string): Promise<{ document: RunDocument; view: RunView }> {
    const document = await this.readModels.get(runsProjection, runId);
    if (!document || document.status === 'reserved') throw new DomainError('run_not_found');
    const [view] = await this.many([document]);
    return { document, view: view! };
  }

  async many(documents: readonly RunDocument[]): Promise<RunView[]> {
    const ids = new Set(documents.flatMap(contextWakeupIds));
    const wakeups = await this.readModels.getMany(wakeupsProjection, [...ids]);
    return documents.map((document) => runView(document, wakeups));
  }
}

@QueryHandler(GetRun)
export class GetRunHandler implements IQueryHandler<GetRun> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly answers: RunAnswers,
    private readonly logs: RunLogReader,
  ) {}

  async execute({ runId, waitFor }: GetRun) {
    await this.processing.waitForReader(waitFor, NEEDED);
    const address = await this.directory.run(runId);
    const { view } = await this.answers.one(runId);
    const [stdoutExcerpt, stderrExcerpt] = await Promise.all([
      this.excerpt({ ...address, stream: 'stdout' }),
      this.excerpt({ ...address, stream: 'stderr' }),
    ]);
    return { ...view, stdoutExcerpt, stderrExcerpt };
  }

  private async excerpt(source: LogSource): Promise<string> {
    const bytes = await this.logs.excerpt(source, EXCERPT_BYTES);
    const isCut = bytes.length === EXCERPT_BYTES;
    return (isCut ? dropBrokenStart(bytes) : bytes).toString('utf8');
  }
}

@QueryHandler(ListRuns)
export class ListRunsHandler implements IQueryHandler<ListRuns> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    private readonly answers: RunAnswers,
  ) {}

  async execute({ companyId, page, waitFor }: ListRuns) {
    await this.processing.waitForReader(waitFor, NEEDED);
    await this.directory.company(companyId);
    const { agentId, status, limit, cursor } = page;
    if (agentId !== undefined) {
      const agent = await this.directory.agent(agentId);
      if (agent.companyId !== companyId) throw new DomainError('agent_not_found');
    }
    const { items, nextCursor } = await this.readModels.query(runsProjection, {
      where: { ...(agentId === undefined ? { companyId } : { agentId }), ...(status && { status }) },
      orderBy: 'queuedPosition',
      direction: 'desc',
      limit,
      cursor,
    });
    return { items: await this.answers.many(items), nextCursor };
  }
}

@QueryHandler(GetActiveRun)
export class GetActiveRunHandler implements IQueryHandler<GetActiveRun> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    private readonly answers: RunAnswers,
  ) {}

  async execute({ agentId, waitFor }: GetActiveRun) {
    await this.processing.waitForReader(waitFor, NEEDED);
    await this.directory.agent(agentId);
    const { items } = await this.readModels.query(runsProjection, {
      where: { agentId, status: 'running' },
      orderBy: 'queuedPosition',
      direction: 'desc',
      limit: 1,
    });
    const [view] = await this.answers.many(items);
    return view ?? null;
  }
}

@QueryHandler(GetRunEvents)
export class GetRunEventsHandler implements IQueryHandler<GetRunEvents> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly answers: RunAnswers,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  async execute({ runId, afterSeq, limit, waitFor }: GetRunEvents) {
    await this.processing.waitForReader(waitFor, [...NEEDED, executionSaga.name]);
    const { companyId } = await this.directory.run(runId);
    const { document } = await this.answers.one(runId);
    const stream = runStream(companyId, runId);
    let events = await this.read(stream, afterSeq, limit);
    const last = events.at(-1);
    if (document.finishedPosition !== null && events.length < limit && !(last && isClosingLine(last.event))) {
      // Whoever sees that a run is over also finds the line that closes it: the saga may be a moment behind.
      await this.processing.waitFor(BigInt(document.finishedPosition), [executionSaga.name]);
      events = await this.read(stream, afterSeq, limit);
    }
    const items = events.map(runEventView);
    return { items, nextCursor: items.length < limit ? null : `${items.at(-1)!.seq}` };
  }

  private async read(stream: string, afterSeq: number, limit: number): Promise<Recorded<RunEvent>[]> {
    const events: Recorded<RunEvent>[] = [];
    for await (const stored of this.log.read(stream, { from: afterSeq, limit })) events.push(decode(stored));
    return events;
  }
}

/** `seq` is 1 for the event at revision 0. */
function runEventView({ event, id, revision, position, metadata }: Recorded<RunEvent>): RunEventView {
  return { ...event.data, id, seq: revision + 1, position: position.toString(), at: metadata.at };
}
