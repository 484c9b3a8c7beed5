import type { AgentEvent, FinalRunStatus, RunFinished } from '../../src/agents/domain/agent.events';
import { endCauses } from '../../src/agents/domain/agent.events';
import type { HeartbeatPolicy } from '../../src/agents/domain/policy';
import type { Recorded } from '../../src/kernel/event';

type WakeupStatus =
  | 'requested'
  | ('queued' | 'claimed' | 'deferred')
  | ('coalesced' | 'skipped' | 'completed' | 'failed' | 'cancelled' | 'timed_out');

interface ObservedRun {
  status: 'reserved' | 'queued' | 'running' | 'never' | FinalRunStatus;
  wakeupId: string;
  coalesceKey: string | null;
  claimId: string | null;
  endCause: keyof typeof endCauses | null;
  resetMeanwhile: boolean;
}

const wakeupStatusOf = {
  ...({ succeeded: 'completed', failed: 'failed', cancelled: 'cancelled', timed_out: 'timed_out' } as const),
};

const OPEN: readonly string[] = ['requested', 'queued', 'claimed', 'deferred'];
const DAY_MS = 24 * 3_600_000;

/**
 * Keeps books on one agent from its events alone, knowing nothing of how they were decided, and throws at the first
 * one that the specification does not allow.
 */
export class AgentLedger {
  private policy: HeartbeatPolicy | null = null;
  private status: 'unregistered' | 'pending_approval' | 'active' | 'paused' | 'terminated' = 'unregistered';
  private session: string | null = null;
  private readonly keys = new Map<string, number>();
  readonly wakeups = new Map<
    string,
    { status: WakeupStatus; coalesceKey: string | null; wasDeferred: boolean }
  >();
  readonly runs = new Map<string, ObservedRun>();

  /** Fails unless every wakeup and every run has come to exactly one end. */
  assertSettled(): void {
    for (const [id, { status }] of this.wakeups) hold(!OPEN.includes(status), `${id} ends, but is ${status}`);
    for (const [id, { status }] of this.runs) {
      hold(!['reserved', 'queued', 'running'].includes(status), `${id} ends, but is ${status}`);
    }
    const made = [...this.runs.values()].filter(({ status }) => status !== 'never');
    for (const [id, { status, wasDeferred }] of this.wakeups) {
      if (!wasDeferred) continue;
      const count = made.filter(({ wakeupId }) => wakeupId === id).length;
      const isRight = count === 1 || (count === 0 && status === 'cancelled');
      hold(isRight, `the deferred ${id} becomes one run or is cancelled, not ${count} and ${status}`);
    }
  }

  observe({ event }: Recorded<AgentEvent>): void {
    const { data } = event;
    if (event.type !== 'WakeupRequested') this.assertDecided(event);
    switch (event.type) {
      case 'AgentRegistered':
        hold(this.status === 'unregistered', 'an agent is registered once');
        this.status = event.data.requiresApproval ? 'pending_approval' : 'active';
        this.policy = event.data.runtimeConfig.heartbeat;
        return;
      case 'AgentUpdated':
        hold(this.status !== 'terminated', 'a terminated agent is not updated');
        this.policy = event.data.runtimeConfig.heartbeat;
        return;
      case 'AgentApproved':
        return this.change('pending_approval', 'active');
      case 'AgentPaused':
        return this.change('active', 'paused');
      case 'AgentResumed':
        return this.change('paused', 'active');
      case 'AgentTerminated':
        hold(this.status !== 'terminated', 'an agent is terminated once');
        this.status = 'terminated';
        return;
      case 'SessionReset':
        this.session = null;
        for (const run of this.running()) run.resetMeanwhile = true;
        return;
      case 'RunStarted':
        return this.started(event.data);
      case 'RunEndRequested': {
        const run = this.run(data);
        hold(run.status === 'running' && run.endCause === null, 'one cause ends a running run');
        run.endCause = event.data.cause;
        return;
      }
      case 'RunFinished':
        return this.finished(event.data);
      default:
        return this.decided(event);
    }
  }

  private decided(event: Exclude<AgentEvent, { type: `Agent${string}` | 'SessionReset' }>): void {
    switch (event.type) {
      case 'WakeupRequested':
        return this.requested(event.data);
      case 'WakeupSkipped':
        return this.move(event.data.wakeupId, ['requested'], 'skipped');
      case 'WakeupDeferred': {
        const { wakeupId, runId } = event.data;
        this.move(wakeupId, ['requested'], 'deferred');
        hold(!this.runs.has(runId), `${runId} is reserved once`);
        this.runs.set(runId, this.newRun('reserved', wakeupId));
        this.wakeups.get(wakeupId)!.wasDeferred = true;
        return;
      }
      case 'WakeupCoalesced': {
        const { wakeupId, runId, intoWakeupId } = event.data;
        const run = this.run(event.data);
        hold(
          run.status === (intoWakeupId ? 'reserved' : 'queued'),
          `${runId} absorbs while it is ${run.status}`,
        );
        hold(run.coalesceKey === this.wakeups.get(wakeupId)?.coalesceKey, `${runId} absorbs its own key`);
        hold(intoWakeupId === null || intoWakeupId === run.wakeupId, `${runId} is that of ${intoWakeupId}`);
        return this.move(wakeupId, ['requested'], 'coalesced');
      }
      case 'WakeupCancelled':
        this.move(event.data.wakeupId, ['deferred'], 'cancelled');
        hold(this.run(event.data).status === 'reserved', 'only a reserved run goes with its wakeup');
        this.run(event.data).status = 'never';
        return;
      case 'RunQueued': {
        const { wakeupId, runId, coalesceKey } = event.data;
        const reserved = this.runs.get(runId);
        hold(!reserved || reserved.status === 'reserved', `${runId} is queued once`);
        hold(
          !reserved || reserved.wakeupId === wakeupId,
          `${runId} is queued for the wakeup that reserved it`,
        );
        hold(this.wakeups.get(wakeupId)?.coalesceKey === coalesceKey, `${runId} has the key of ${wakeupId}`);
        this.move(wakeupId, [reserved ? 'deferred' : 'requested'], 'queued');
        this.runs.set(runId, this.newRun('queued', wakeupId));
        return;
      }
      default:
        throw new Error(`not a decision about a wakeup: ${event.type}`);
    }
  }

  private requested(data: Extract<AgentEvent, { type: 'WakeupRequested' }>['data']): void {
    const { wakeupId, keyHash, coalesceKey, requestedAt } = data;
    hold(this.status === 'active', `a ${this.status} agent is not woken`);
    hold(!this.wakeups.has(wakeupId), `${wakeupId} is requested once`);
    if (keyHash !== null) {
      const usedMs = this.keys.get(keyHash) ?? -Infinity;
      hold(Date.parse(requestedAt) - usedMs >= DAY_MS, `${keyHash} makes one wakeup a day`);
      this.keys.set(keyHash, Date.parse(requestedAt));
    }
    this.wakeups.set(wakeupId, { status: 'requested', coalesceKey, wasDeferred: false });
  }

  private started(data: Extract<AgentEvent, { type: 'RunStarted' }>['data']): void {
    const run = this.run(data);
    hold(this.status === 'active', `no run of a ${this.status} agent starts`);
    hold(run.status === 'queued', `${data.runId} starts, though it is ${run.status}`);
    hold(this.running().length < this.policy!.maxConcurrentRuns, `${data.runId} starts beyond the policy`);
    const sharing = this.running().some(({ coalesceKey }) => coalesceKey === run.coalesceKey);
    hold(!sharing, `${data.runId} starts beside a run of its key`);
    hold(data.sessionIdBefore === this.session, `${data.runId} starts with the session of the agent`);
    this.move(data.wakeupId, ['queued'], 'claimed');
    Object.assign(run, { status: 'running', claimId: data.claimId });
  }

  private finished(data: RunFinished['data']): void {
    const run = this.run(data);
    const wasRunning = run.status === 'running';
    hold(wasRunning || run.status === 'queued', `${data.runId} ends, though it is ${run.status}`);
    hold(data.claimId === run.claimId, `${data.runId} is ended by whoever has it`);
    hold(data.wakeupId === run.wakeupId, `${data.runId} ends its own wakeup`);
    if (run.endCause && data.errorCode !== 'kill_failed') {
      hold(data.status === endCauses[run.endCause].status, `${data.runId} ends as ${run.endCause} says`);
    }
    this.move(data.wakeupId, [wasRunning ? 'claimed' : 'queued'], wakeupStatusOf[data.status]);
    run.status = data.status;
    if (!wasRunning) return;
    hold(data.lastRunning === (this.running().length === 0), `${data.runId} knows what else is running`);
    hold(data.sessionReset === run.resetMeanwhile, `${data.runId} knows of a reset`);
    if (!run.resetMeanwhile) this.session = data.sessionIdAfter;
    else hold(data.sessionIdAfter === this.session, `the session of ${data.runId} does not outlive a reset`);
  }

  /** A request is decided by the very next event. */
  private assertDecided({ type, data }: AgentEvent): void {
    for (const [id, { status }] of this.wakeups) {
      const isDecision = 'wakeupId' in data && data.wakeupId === id;
      hold(status !== 'requested' || isDecision, `${id} is decided before ${type}`);
    }
  }

  private move(wakeupId: string, from: readonly WakeupStatus[], to: WakeupStatus): void {
    const wakeup = this.wakeups.get(wakeupId);
    hold(wakeup !== undefined && from.includes(wakeup.status), `${wakeupId}: ${wakeup?.status} → ${to}`);
    wakeup!.status = to;
  }

  private change(from: AgentLedger['status'], to: AgentLedger['status']): void {
    hold(this.status === from, `agent: ${this.status} → ${to}`);
    this.status = to;
  }

  private newRun(status: 'reserved' | 'queued', wakeupId: string): ObservedRun {
    const { coalesceKey } = this.wakeups.get(wakeupId)!;
    return { status, wakeupId, coalesceKey, claimId: null, endCause: null, resetMeanwhile: false };
  }

  private run(data: object): ObservedRun {
    const runId = 'runId' in data ? String(data.runId) : 'no run';
    const run = this.runs.get(runId);
    hold(run !== undefined, `${runId} is known`);
    return run!;
  }

  private running(): ObservedRun[] {
    return [...this.runs.values()].filter(({ status }) => status === 'running');
  }
}

function hold(condition: boolean, rule: string): void {
  if (!condition) throw new Error(`broken: ${rule}`);
}
