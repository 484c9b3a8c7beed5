import type { RunnerLogger } from './runner-deps';
import { DomainError } from '../kernel/errors';
import type { Recorded } from '../kernel/event';

export interface QueuedRun {
  companyId: string;
  agentId: string;
  runId: string;
  priority: number;
  /** What made the run known; kept as the cause of its claim. */
  cause?: Recorded;
}

interface Lane {
  agentId: string;
  /** By priority, then arrival. */
  waiting: QueuedRun[];
  /** One claim of an agent at a time: its stream takes one after the other anyway. */
  claiming: boolean;
  /** A claim was refused: only something new on the agent's stream can change that. */
  blocked: boolean;
  /** Counts what has happened to the agent, so that news that came during a claim are not missed. */
  news: number;
}

/**
 * Decides which queued run this node starts next: the highest priority first, then round robin over agents, and never
 * more than `maxRuns` at once. Whether a run may start at all is the agent's decision.
 */
export class Dispatcher {
  private readonly lanes = new Map<string, Lane>();
  private readonly known = new Set<string>();
  private claiming = 0;
  private open = false;

  constructor(
    private readonly deps: {
      maxRuns: number;
      /** How many runs this node is executing. */
      activeCount: () => number;
      /** Claims and starts the run. @throws DomainError where the agent refuses */
      start: (run: QueuedRun) => Promise<void>;
      logger: RunnerLogger;
    },
  ) {}

  get queueDepth(): number {
    return this.known.size;
  }

  start(): void {
    this.open = true;
    this.dispatch();
  }

  /** Starts nothing any more. */
  stop(): void {
    this.open = false;
  }

  add(run: QueuedRun): void {
    if (this.known.has(run.runId)) return;
    this.known.add(run.runId);
    const lane = this.laneOf(run.agentId);
    const index = lane.waiting.findIndex(({ priority }) => priority < run.priority);
    lane.waiting.splice(index < 0 ? lane.waiting.length : index, 0, run);
    this.unblock(run.agentId);
  }

  remove({ agentId, runId }: Pick<QueuedRun, 'agentId' | 'runId'>): void {
    if (!this.known.delete(runId)) return;
    const lane = this.lanes.get(agentId);
    if (!lane) return;
    lane.waiting = lane.waiting.filter((run) => run.runId !== runId);
    if (lane.waiting.length === 0) this.lanes.delete(agentId);
  }

  /** Something happened to the agent that may let it start what was refused. */
  unblock(agentId: string): void {
    const lane = this.lanes.get(agentId);
    if (lane) {
      lane.blocked = false;
      lane.news += 1;
    }
    this.dispatch();
  }

  /** Starts what can be started; to be called when a run has ended, too. */
  dispatch(): void {
    while (this.open && this.deps.activeCount() + this.claiming < this.deps.maxRuns) {
      const lane = this.next();
      if (!lane) return;
      void this.claimFirst(lane);
    }
  }

  private async claimFirst(lane: Lane): Promise<void> {
    const run = lane.waiting[0]!;
    const newsBefore = lane.news;
    let refused = false;
    lane.claiming = true;
    this.claiming += 1;
    try {
      await this.deps.start(run);
      this.remove(run);
    } catch (error) {
      refused = this.isRefused(run, error);
    }
    this.claiming -= 1;
    lane.claiming = false;
    lane.blocked = refused && lane.news === newsBefore;
    this.dispatch();
  }

  /** Whether the run has to wait for news of its agent; a run that is not to be started any more is forgotten. */
  private isRefused(run: QueuedRun, error: unknown): boolean {
    if (!(error instanceof DomainError)) {
      this.deps.logger.error({ err: error, runId: run.runId }, 'a queued run could not be started');
      return true;
    }
    if (error.code === 'log_unavailable') return false;
    const because = error.details['because'];
    if (because !== 'not_open' && because !== 'claimed') return true;
    this.remove(run);
    return false;
  }

  /** The lane whose turn it is; it goes to the end of the round. */
  private next(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.lanes.values()) {
      if (lane.blocked || lane.claiming || lane.waiting.length === 0) continue;
      if (!best || lane.waiting[0]!.priority > best.waiting[0]!.priority) best = lane;
    }
    if (best) {
      this.lanes.delete(best.agentId);
      this.lanes.set(best.agentId, best);
    }
    return best;
  }

  private laneOf(agentId: string): Lane {
    let lane = this.lanes.get(agentId);
    if (!lane) {
      lane = { agentId, waiting: [], claiming: false, blocked: false, news: 0 };
      this.lanes.set(agentId, lane);
    }
    return lane;
  }
}
