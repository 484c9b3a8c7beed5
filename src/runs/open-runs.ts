import type { AgentEvent } from '../agents/domain/agent.events';
import type { Position, Recorded } from '../kernel/event';
import type { Feed } from '../processing/feed';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { RunEvent } from './domain/run.events';
import { lifecycle } from './domain/run.events';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress } from './run-claims';
import { runsOfStatus } from './runs-by-status';
import { executionSaga } from './sagas/execution.saga';

export interface OpenRun extends RunAddress {
  priority: number;
  coalesceKey: string | null;
  /** Where it is running; null: it is queued. */
  nodeId: string | null;
  /** Whether its stream has been opened: before that nobody claims it. */
  hasStream: boolean;
}

interface Deps {
  processing: { feed: Pick<Feed, 'range'> } & Pick<Processing, 'reached'>;
  readModels: Pick<ReadModels, 'all' | 'get'>;
}

/**
 * The runs that are not over, as of a position of the log: those of the read model, led on by what the log says behind
 * it. A read model that stands still, or is being built, hides no run. What is wrong here nonetheless does no harm:
 * whether a run may be started, or gone on with, is its agent's decision.
 */
export class OpenRuns {
  private readonly open = new Map<string, OpenRun>();
  private readonly over = new Set<string>();
  /** How many events could not be read that would have said something. */
  unreadCount = 0;
  /** The first of them. */
  firstUnread: Recorded | null = null;

  private constructor(
    private readonly deps: Deps,
    /** Whether the read model knows all runs that there are. */
    readonly isComplete: boolean,
  ) {}

  /**
   * @param leftBehind the runs that somebody will ask about: of others it is not remembered that they are over
   * @throws the abort reason
   */
  static async asOf(
    head: Position,
    deps: Deps,
    leftBehind: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<OpenRuns> {
    const { processing, readModels } = deps;
    // Looked at first: documents that are newer than that are met again on the log.
    const known = processing.reached(runsProjection.name);
    const opened = processing.reached(executionSaga.name);
    const hasStream = (queued: Position) => queued <= opened && queued <= head;
    const runs = new OpenRuns(deps, known >= head);
    for (const status of ['queued', 'running'] as const) {
      for await (const run of runsOfStatus(readModels, status)) {
        const { companyId, agentId, runId, priority, coalesceKey, nodeId, queuedPosition } = run;
        const place = { companyId, agentId, runId, priority, coalesceKey, nodeId };
        runs.open.set(runId, { ...place, hasStream: hasStream(BigInt(queuedPosition!)) });
      }
    }
    const from = known < opened ? known : opened;
    for await (const { events } of processing.feed.range(from, head, signal)) {
      for (const recorded of events) runs.note(recorded as Recorded<AgentEvent | RunEvent>, leftBehind);
    }
    signal.throwIfAborted();
    return runs;
  }

  /** Those that are running on a node. */
  *runningOn(nodeId: string): Generator<OpenRun> {
    for (const run of this.open.values()) if (run.nodeId === nodeId) yield run;
  }

  /** Those that can be claimed, the longest queued first. The others are told of when their streams are opened. */
  *startable(): Generator<OpenRun> {
    for (const run of this.open.values()) if (run.nodeId === null && run.hasStream) yield run;
  }

  /**
   * Whether the run is known to be over, or the log has never heard of it. Where not all runs are known, that nobody
   * knows one proves nothing.
   */
  async isOver(runId: string): Promise<boolean> {
    if (this.open.has(runId)) return false;
    if (this.over.has(runId)) return true;
    const document = await this.deps.readModels.get(runsProjection, runId);
    return document === null ? this.isComplete : document.finishedAt !== null;
  }

  private note(recorded: Recorded<AgentEvent | RunEvent>, leftBehind: ReadonlySet<string>): void {
    try {
      this.lead(recorded.event, leftBehind);
    } catch {
      this.unreadCount += 1;
      this.firstUnread ??= recorded;
    }
  }

  private lead(event: AgentEvent | RunEvent, leftBehind: ReadonlySet<string>): void {
    switch (event.type) {
      case 'RunQueued': {
        const { companyId, agentId, runId, priority, coalesceKey } = event.data;
        const run = { companyId, agentId, runId, priority, coalesceKey };
        this.open.set(runId, { ...run, nodeId: null, hasStream: false });
        return;
      }
      case 'RunLifecycleRecorded': {
        const run = event.data.message === lifecycle.queued && this.open.get(event.data.runId);
        if (run) run.hasStream = true;
        return;
      }
      case 'RunStarted': {
        const { companyId, agentId, runId, nodeId } = event.data;
        const known = this.open.get(runId) ?? { priority: 0, coalesceKey: null };
        this.open.set(runId, { ...known, companyId, agentId, runId, nodeId, hasStream: true });
        return;
      }
      case 'RunFinished':
        this.open.delete(event.data.runId);
        if (leftBehind.has(event.data.runId)) this.over.add(event.data.runId);
        return;
      default:
    }
  }
}
