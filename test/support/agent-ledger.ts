import type {
  AgentEvent,
  FinalRunStatus,
  RunFinished,
  RunQueued,
  RunStarted,
} from '../../src/agents/domain/agent.events';
import { endCauses } from '../../src/agents/domain/agent.events';
import type { Budget, BudgetNotice } from '../../src/budgets/domain/budget';
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
  taskKey: string | null;
  attempt: number;
  /** A retry waits until then. */
  notBefore: string | null;
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
  private readonly sessions = new Map<string | null, string | null>();
  private readonly starts = new Map<string, number>();
  private budget: Budget | null = null;
  /** The month that its budget is used up in. */
  private stoppedIn: string | null = null;
  private lastInterruptMs = -Infinity;
  private quotaUntil: string | null = null;
  private failures = { count: 0, lastMs: 0 };
  /** The run that the very next event has to try again. */
  private toRetry: string | null = null;
  private readonly keys = new Map<string, number>();
  readonly wakeups = new Map<
    string,
    {
      status: WakeupStatus;
      coalesceKey: string | null;
      taskKey: string | null;
      wasDeferred: boolean;
      /** Of the run that it was taken to be covered by. */
      receipt: string | null;
      /** The agent could not be woken: nothing but a skip may follow. */
      isHeld: boolean;
    }
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
      const count = made.filter(({ wakeupId, attempt }) => wakeupId === id && attempt === 1).length;
      hold(count <= 1, `${id} makes one run, with its retries, not ${count}`);
      const isOver = ['cancelled', 'failed', 'skipped', 'coalesced'].includes(status);
      hold(
        !wasDeferred || count === 1 || isOver,
        `the deferred ${id} becomes a run or is over, not ${status}`,
      );
    }
  }

  observe({ event }: Recorded<AgentEvent>): void {
    const { data } = event;
    if (event.type !== 'WakeupRequested') this.assertDecided(event);
    this.assertRetried(event);
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
        this.sessions.delete(event.data.taskKey);
        if (event.data.taskKey === null) this.quotaUntil = null;
        for (const run of this.running()) run.resetMeanwhile ||= run.taskKey === event.data.taskKey;
        return;
      case 'AgentBudgetChanged':
        this.budget = event.data.budget;
        return;
      case 'AgentBudgetWarned':
        return this.reached(event.data, this.budget!.warnAt);
      case 'AgentBudgetExceeded':
        this.reached(event.data, 1);
        this.stoppedIn = event.data.month;
        return;
      case 'AgentBudgetRestored':
        hold(this.stoppedIn !== null, 'only what the budget has stopped is let go on by it');
        this.stoppedIn = null;
        return;
      case 'TimerScheduled':
        hold(this.status !== 'terminated', 'a terminated agent has no timer');
        return;
      case 'RunStarted':
        return this.started(event.data);
      case 'RunEndRequested': {
        const run = this.run(data);
        hold(run.status === 'running' && run.endCause === null, 'one cause ends a running run');
        run.endCause = event.data.cause;
        if (run.endCause === 'interrupt') this.interrupted(event.data.requestedAt);
        return;
      }
      case 'RunFinished':
        return this.finished(event.data);
      default:
        return this.decided(event);
    }
  }

  /** So much of its limits is used up as is said. */
  private reached({ limits, spending, budget }: BudgetNotice, share: number): void {
    hold(JSON.stringify(budget) === JSON.stringify(this.budget), 'it is the budget that was set');
    hold(this.status !== 'terminated', 'a terminated agent has nothing left to spend');
    const allowed = { micros: budget.monthlyMicros, tokens: budget.monthlyTokens, runs: budget.monthlyRuns };
    for (const limit of limits) hold(spending[limit] >= allowed[limit]! * share, `${limit} are used up`);
    hold(limits.length > 0, 'some limit is reached');
  }

  private decided(
    event: Exclude<AgentEvent, { type: `Agent${string}` | 'SessionReset' | 'TimerScheduled' }>,
  ): void {
    switch (event.type) {
      case 'WakeupRequested':
        return this.requested(event.data);
      case 'WakeupSkipped':
        return this.withdraw(event.data.wakeupId, 'skipped');
      case 'WakeupDeferred': {
        const { wakeupId, runId } = event.data;
        const reserved = this.runs.get(runId);
        this.move(wakeupId, ['requested', 'deferred'], 'deferred');
        hold(!reserved || reserved.status === 'reserved', `${runId} is reserved once`);
        hold(!reserved || reserved.wakeupId === wakeupId, `${runId} is reserved for ${wakeupId}`);
        this.runs.set(runId, this.newRun('reserved', wakeupId));
        this.wakeups.get(wakeupId)!.wasDeferred = true;
        return;
      }
      case 'WakeupCoalesced':
        return this.coalesced(event.data);
      case 'WakeupCancelled':
      case 'WakeupExpired': {
        const { wakeupId } = event.data;
        hold(this.wakeups.get(wakeupId)?.status === 'deferred', `${wakeupId} waits until it is given up`);
        hold(this.run(event.data).status === 'reserved', 'only a reserved run goes with its wakeup');
        return this.withdraw(wakeupId, event.type === 'WakeupExpired' ? 'failed' : 'cancelled');
      }
      case 'RunQueued':
        return event.data.attempt === 1 ? this.queued(event.data) : this.retried(event.data);
      default:
        throw new Error(`not a decision about a wakeup: ${event.type}`);
    }
  }

  /** Into a run, or a wakeup, that is still to come; or a receipt on a running run, which may get a follow-up. */
  private coalesced(data: Extract<AgentEvent, { type: 'WakeupCoalesced' }>['data']): void {
    const { wakeupId, runId, intoWakeupId, reason } = data;
    const run = this.run(data);
    const wakeup = this.wakeups.get(wakeupId)!;
    const isReceipt = reason === 'run.running';
    const expected = isReceipt ? 'running' : intoWakeupId ? 'reserved' : 'queued';
    hold(run.status === expected, `${runId} absorbs ${wakeupId} while it is ${run.status}`);
    hold(intoWakeupId === null || intoWakeupId === run.wakeupId, `${runId} is that of ${intoWakeupId}`);
    if (wakeup.receipt !== null) {
      hold(wakeup.status === 'coalesced' && !isReceipt, `the receipt ${wakeupId} is final`);
      return;
    }
    hold(isReceipt || run.coalesceKey === wakeup.coalesceKey, `${runId} absorbs its own key`);
    if (isReceipt) wakeup.receipt = runId;
    this.withdraw(wakeupId, 'coalesced');
  }

  private queued(data: RunQueued['data']): void {
    const { wakeupId, runId, coalesceKey } = data;
    const wakeup = this.wakeups.get(wakeupId);
    const reserved = this.runs.get(runId);
    hold(!reserved || reserved.status === 'reserved', `${runId} is queued once`);
    hold(!reserved || reserved.wakeupId === wakeupId, `${runId} is queued for the wakeup that reserved it`);
    hold(wakeup?.coalesceKey === coalesceKey, `${runId} has the key of ${wakeupId}`);
    if (wakeup!.receipt === null) this.move(wakeupId, [reserved ? 'deferred' : 'requested'], 'queued');
    this.runs.set(runId, this.newRun('queued', wakeupId));
  }

  private retried(data: RunQueued['data']): void {
    const { wakeupId, runId, attempt, retryOfRunId, notBefore } = data;
    const reserved = this.runs.get(runId);
    const before = this.runs.get(retryOfRunId!)!;
    hold(!reserved || reserved.status === 'reserved', `${runId} is queued once`);
    hold(before.wakeupId === wakeupId && before.attempt + 1 === attempt, `${runId} is the next attempt`);
    hold(attempt <= this.policy!.retry!.maxAttempts, `${runId} is not tried too often`);
    this.runs.set(runId, { ...this.newRun('queued', wakeupId), attempt, notBefore });
  }

  private interrupted(requestedAt: string): void {
    const requestedMs = Date.parse(requestedAt);
    const graceMs = this.policy!.graceSec * 1_000;
    hold(requestedMs - this.lastInterruptMs >= graceMs, 'one interruption in the time of grace');
    this.lastInterruptMs = requestedMs;
  }

  private assertRetried({ type, data }: AgentEvent): void {
    if (this.toRetry === null) return;
    hold(type === 'RunQueued' && data.retryOfRunId === this.toRetry, `${this.toRetry} is tried again`);
    this.toRetry = null;
  }

  /** It will have no run of its own; one that is reserved for it is gone, unless a retry has taken it. */
  private withdraw(wakeupId: string, to: WakeupStatus): void {
    const isHeld = this.wakeups.get(wakeupId)?.isHeld ?? false;
    hold(!isHeld || to === 'skipped', `${wakeupId} of an agent that cannot be woken is skipped`);
    this.move(wakeupId, ['requested', 'deferred'], to);
    for (const run of this.runs.values()) {
      if (run.wakeupId === wakeupId && run.status === 'reserved') run.status = 'never';
    }
  }

  private requested(data: Extract<AgentEvent, { type: 'WakeupRequested' }>['data']): void {
    const { wakeupId, keyHash, coalesceKey, taskKey, requestedAt, source } = data;
    const isHeld = this.status !== 'active';
    hold(!isHeld || source === 'timer', `a ${this.status} agent is not woken`);
    hold(this.status !== 'terminated', 'a terminated agent is not woken');
    hold(!this.wakeups.has(wakeupId), `${wakeupId} is requested once`);
    if (keyHash !== null) {
      const usedMs = this.keys.get(keyHash) ?? -Infinity;
      hold(Date.parse(requestedAt) - usedMs >= DAY_MS, `${keyHash} makes one wakeup a day`);
      this.keys.set(keyHash, Date.parse(requestedAt));
    }
    const asked = { status: 'requested', coalesceKey, taskKey, isHeld } as const;
    this.wakeups.set(wakeupId, { ...asked, wasDeferred: false, receipt: null });
  }

  private started(data: RunStarted['data']): void {
    const run = this.run(data);
    hold(this.status === 'active', `no run of a ${this.status} agent starts`);
    hold(run.status === 'queued', `${data.runId} starts, though it is ${run.status}`);
    hold(this.running().length < this.policy!.maxConcurrentRuns, `${data.runId} starts beyond the policy`);
    const sharing = this.running().some(({ coalesceKey }) => coalesceKey === run.coalesceKey);
    hold(!sharing, `${data.runId} starts beside a run of its key`);
    const session = this.sessions.get(run.taskKey) ?? null;
    hold(data.sessionIdBefore === session, `${data.runId} starts with the session of its task`);
    hold((run.notBefore ?? '') <= data.startedAt, `${data.runId} waits for its time`);
    const month = data.startedAt.slice(0, 7);
    hold((this.stoppedIn ?? '') < month, `${data.runId} starts, though the budget is used up`);
    const inMonth = this.startsIn(month);
    hold(inMonth < (this.budget?.monthlyRuns ?? Infinity), `${data.runId} starts beyond the budget`);
    hold((this.quotaUntil ?? '') <= data.startedAt, `${data.runId} starts in a quota window`);
    hold(!this.isHeldByCircuit(data), `${data.runId} starts, though the circuit is open`);
    const day = data.startedAt.slice(0, 10);
    const starts = (this.starts.get(day) ?? 0) + 1;
    hold(starts <= (this.policy!.maxDailyRuns ?? Infinity), `${data.runId} starts beyond the daily cap`);
    this.starts.set(day, starts);
    this.moveWithRun(data.wakeupId, [run.attempt > 1 ? 'claimed' : 'queued'], 'claimed');
    Object.assign(run, { status: 'running', claimId: data.claimId });
  }

  private isHeldByCircuit({ triggerDetail, startedAt }: RunStarted['data']): boolean {
    const breaker = this.policy!.circuitBreaker;
    if (!breaker || triggerDetail === 'manual' || this.failures.count < breaker.failures) return false;
    const isCooling = Date.parse(startedAt) < this.failures.lastMs + breaker.coolDownSec * 1_000;
    return isCooling || this.running().length > 0;
  }

  private startsIn(month: string): number {
    let count = 0;
    for (const [day, starts] of this.starts) if (day.startsWith(month)) count += starts;
    return count;
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
    if (data.willRetry) {
      hold(wasRunning && ['failed', 'timed_out'].includes(data.status), `${data.runId} is worth a retry`);
      hold(data.errorCode !== 'kill_failed', `nothing is started beside ${data.runId}, which still lives`);
      this.toRetry = data.runId;
    } else {
      const from = wasRunning || run.attempt > 1 ? 'claimed' : 'queued';
      this.moveWithRun(data.wakeupId, [from], wakeupStatusOf[data.status]);
    }
    run.status = data.status;
    if (!wasRunning) return;
    if (data.status === 'succeeded') this.failures = { count: 0, lastMs: 0 };
    else if (data.status !== 'cancelled') {
      this.failures = { count: this.failures.count + 1, lastMs: Date.parse(data.finishedAt) };
    }
    const window = data.report?.retryNotBefore ?? null;
    if (window !== null && window > (this.quotaUntil ?? data.finishedAt)) this.quotaUntil = window;
    hold(data.lastRunning === (this.running().length === 0), `${data.runId} knows what else is running`);
    hold(data.sessionReset === run.resetMeanwhile, `${data.runId} knows of a reset`);
    const session = this.sessions.get(run.taskKey) ?? null;
    if (!run.resetMeanwhile) this.sessions.set(run.taskKey, data.sessionIdAfter);
    else hold(data.sessionIdAfter === session, `the session of ${data.runId} does not outlive a reset`);
  }

  /** A request is decided by the very next event, but for an interruption on the way. */
  private assertDecided({ type, data }: AgentEvent): void {
    if (type === 'RunEndRequested' && data.cause === 'interrupt') return;
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

  /** A receipt is final, also where a run follows up on it. */
  private moveWithRun(wakeupId: string, from: readonly WakeupStatus[], to: WakeupStatus): void {
    if (this.wakeups.get(wakeupId)?.receipt === null) this.move(wakeupId, from, to);
  }

  private change(from: AgentLedger['status'], to: AgentLedger['status']): void {
    hold(this.status === from, `agent: ${this.status} → ${to}`);
    this.status = to;
  }

  private newRun(status: 'reserved' | 'queued', wakeupId: string): ObservedRun {
    const { coalesceKey, taskKey } = this.wakeups.get(wakeupId)!;
    const nothing = { claimId: null, endCause: null, resetMeanwhile: false, notBefore: null };
    return { status, wakeupId, coalesceKey, taskKey, attempt: 1, ...nothing };
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
