import type { RunnerLogger } from './runner-deps';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Recorded } from '../kernel/event';

/** Longer ones look again, and are refused again: setTimeout takes no more than 2^31 ms. */
const LONGEST_TIMER_MS = 60_000;
/** After a fault that had nothing to do with the agent. */
const RETRY_MS = 1_000;

export interface QueuedRun {
  companyId: string;
  agentId: string;
  runId: string;
  priority: number;
  coalesceKey: string | null;
  /** What made the run known; kept as the cause of its claim. */
  cause?: Recorded;
}

interface Lane {
  agentId: string;
  /** By priority, then arrival. */
  waiting: QueuedRun[];
  /** One claim of an agent at a time: its stream takes one after the other anyway. */
  claiming: boolean;
  /** Nothing of the agent can start before there is news of it, or its alarm goes off. */
  blocked: boolean;
  /** Nor can a run of these keys. */
  blockedKeys: Set<string | null>;
  /** Nor can these runs, which says nothing of others of the agent. */
  blockedRuns: Set<string>;
  /** The earliest time at which time alone changes something, in milliseconds since 1970. */
  alarm: { at: number; timer: NodeJS.Timeout } | null;
  /** Counts what has happened to the agent, so that news that came during a claim are not missed. */
  news: number;
}

type Refusal = 'gone' | 'run' | 'key' | 'agent' | 'later';

/**
 * Decides which queued run this node starts next: the highest priority first, then round robin over agents, and never
 * more than `maxRuns` at once. Whether a run may start at all is the agent's decision.
 */
export class Dispatcher {
  private readonly lanes = new Map<string, Lane>();
  private readonly known = new Set<string>();
  private readonly claiming = new Set<Promise<void>>();
  private open = false;

  constructor(
    private readonly deps: {
      maxRuns: number;
      /** How many runs this node is executing. */
      activeCount: () => number;
      /** Claims and starts the run. @throws DomainError where the agent refuses */
      start: (run: QueuedRun) => Promise<void>;
      clock: Clock;
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

  /** Starts nothing any more; comes back when no claim is on its way either. */
  async stop(): Promise<void> {
    this.open = false;
    for (const { alarm } of this.lanes.values()) if (alarm) clearTimeout(alarm.timer);
    await Promise.all(this.claiming);
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
    if (lane.waiting.length > 0) return;
    if (lane.alarm) clearTimeout(lane.alarm.timer);
    this.lanes.delete(agentId);
  }

  /** Something happened to the agent that may let it start what was refused. */
  unblock(agentId: string): void {
    const lane = this.lanes.get(agentId);
    if (lane) {
      lane.blocked = false;
      lane.blockedKeys.clear();
      lane.blockedRuns.clear();
      lane.news += 1;
    }
    this.dispatch();
  }

  unblockAll(): void {
    for (const agentId of [...this.lanes.keys()]) this.unblock(agentId);
  }

  /** Starts what can be started; to be called when a run has ended, too. */
  dispatch(): void {
    while (this.open && this.deps.activeCount() + this.claiming.size < this.deps.maxRuns) {
      const next = this.next();
      if (!next) return;
      const claim = this.claim(next.lane, next.run).then(() => {
        this.claiming.delete(claim);
        this.dispatch();
      });
      this.claiming.add(claim);
    }
  }

  private async claim(lane: Lane, run: QueuedRun): Promise<void> {
    const newsBefore = lane.news;
    lane.claiming = true;
    try {
      await this.deps.start(run);
      this.remove(run);
    } catch (error) {
      const refusal = this.refusalOf(run, lane, error);
      if (refusal === 'gone') this.remove(run);
      else if (lane.news === newsBefore) this.block(lane, run, refusal);
    }
    lane.claiming = false;
  }

  private block(lane: Lane, run: QueuedRun, refusal: Refusal): void {
    if (refusal === 'key') lane.blockedKeys.add(run.coalesceKey);
    else if (refusal === 'run') lane.blockedRuns.add(run.runId);
    else lane.blocked = true;
    if (refusal === 'later') this.wakeIn(lane, RETRY_MS);
  }

  /** What has to change before the run can be tried again. */
  private refusalOf(run: QueuedRun, lane: Lane, error: unknown): Refusal {
    if (!(error instanceof DomainError) || error.code !== 'run_not_startable') {
      this.deps.logger.error(
        { err: error, runId: run.runId },
        'a queued run could not be started; trying again',
      );
      return 'later';
    }
    const { because, until } = error.details;
    if (because === 'not_open' || because === 'claimed') return 'gone';
    if (typeof until === 'string') this.wakeIn(lane, Date.parse(until) - this.deps.clock.now().getTime());
    // A run that was started by hand passes the circuit.
    if (because === 'circuit.open') return 'run';
    return because === 'no_free_slot' || because === 'not_before' ? 'key' : 'agent';
  }

  private wakeIn(lane: Lane, ms: number): void {
    const at = Date.now() + Math.min(Math.max(ms, 0), LONGEST_TIMER_MS);
    if (lane.alarm && lane.alarm.at <= at) return;
    if (lane.alarm) clearTimeout(lane.alarm.timer);
    const goOff = () => {
      lane.alarm = null;
      this.unblock(lane.agentId);
    };
    lane.alarm = { at, timer: setTimeout(goOff, at - Date.now()).unref() };
  }

  /** The run whose turn it is; its agent goes to the end of the round. */
  private next(): { lane: Lane; run: QueuedRun } | undefined {
    let best: { lane: Lane; run: QueuedRun } | undefined;
    for (const lane of this.lanes.values()) {
      if (lane.blocked || lane.claiming) continue;
      const run = lane.waiting.find(
        ({ runId, coalesceKey }) => !lane.blockedRuns.has(runId) && !lane.blockedKeys.has(coalesceKey),
      );
      if (run && (!best || run.priority > best.run.priority)) best = { lane, run };
    }
    if (best) {
      this.lanes.delete(best.lane.agentId);
      this.lanes.set(best.lane.agentId, best.lane);
    }
    return best;
  }

  private laneOf(agentId: string): Lane {
    let lane = this.lanes.get(agentId);
    if (!lane) {
      lane = {
        agentId,
        waiting: [],
        claiming: false,
        blocked: false,
        blockedKeys: new Set(),
        blockedRuns: new Set(),
        alarm: null,
        news: 0,
      };
      this.lanes.set(agentId, lane);
    }
    return lane;
  }
}
