import type {
  DueTimer,
  FinishRun,
  HandleDue,
  RequestWakeup,
  StartRun,
} from '../../src/agents/domain/agent.commands';
import type {
  AgentConfiguration,
  AgentEvent,
  AgentStatus,
  CoalesceReason,
  DueTime,
  EndCause,
  RunFinished,
  RunReport,
  SkipReason,
  WakeupRequest,
} from '../../src/agents/domain/agent.events';
import type { Budget, BudgetLimit, RestoreReason } from '../../src/budgets/domain/budget';
import type { Spending } from '../../src/budgets/domain/spending';
import type { CostEntry, Usage } from '../../src/costs/domain/cost-entry';
import { NO_USAGE } from '../../src/costs/domain/cost-entry';
import { endCauses } from '../../src/agents/domain/agent.events';
import { MAX_OPEN_WAKEUPS } from '../../src/agents/domain/agent.state';
import type { HeartbeatPolicy } from '../../src/agents/domain/policy';
import { defaultPolicy, runLimits } from '../../src/agents/domain/policy';

/**
 * The events and commands of one agent, in short: what is said of wakeup 1 (`w1`) and of the run that it makes (`r1`,
 * claimed as `c1`) is named by the number.
 */

export const COMPANY = 'company-1';
export const AGENT = 'agent-1';
export const NODE = 'node-1';
export const NOW = '2025-11-23T10:00:00.000Z';

const ofAgent = { companyId: COMPANY, agentId: AGENT };
const HOUR_MS = 3_600_000;

export function hoursLater(hours: number, from = NOW): string {
  return new Date(Date.parse(from) + hours * HOUR_MS).toISOString();
}

export function secondsLater(seconds: number, from = NOW): string {
  return new Date(Date.parse(from) + seconds * 1_000).toISOString();
}

export function configuration(policy: Partial<HeartbeatPolicy> = {}): AgentConfiguration {
  return {
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: 'true' },
    runtimeConfig: { heartbeat: { ...defaultPolicy, ...policy } },
  };
}

type EventOf<Type extends AgentEvent['type']> = Extract<AgentEvent, { type: Type }>;

export function registered(
  policy: Partial<HeartbeatPolicy> = {},
  more: { externalKey?: string; requiresApproval?: boolean } = {},
): EventOf<'AgentRegistered'> {
  const { externalKey = null, requiresApproval = false } = more;
  return {
    type: 'AgentRegistered',
    data: { ...ofAgent, ...configuration(policy), externalKey, requiresApproval },
  };
}

export function updated(
  policy: Partial<HeartbeatPolicy>,
  changed: (keyof AgentConfiguration)[] = ['runtimeConfig'],
): EventOf<'AgentUpdated'> {
  return { type: 'AgentUpdated', data: { ...ofAgent, ...configuration(policy), changed } };
}

export const approved: AgentEvent = { type: 'AgentApproved', data: ofAgent };
/** None of the agent's runs has ended. */
const noHeartbeat = { lastHeartbeatAt: null };
export const paused: EventOf<'AgentPaused'> = {
  type: 'AgentPaused',
  data: { ...ofAgent, ...noHeartbeat, reason: 'manual' },
};
export const resumed: EventOf<'AgentResumed'> = {
  type: 'AgentResumed',
  data: { ...ofAgent, ...noHeartbeat, agentStatus: 'idle' },
};
export const terminated: EventOf<'AgentTerminated'> = {
  type: 'AgentTerminated',
  data: { ...ofAgent, ...noHeartbeat },
};
/** The limits that are named, and no others. */
export function budgetOf(limits: Partial<Budget>): Budget {
  return { monthlyMicros: null, monthlyTokens: null, monthlyRuns: null, warnAt: 0.8, ...limits };
}

/** In the month of `NOW`, where nothing else is said. */
export function spent(parts: Partial<Spending> = {}): Spending {
  return { month: NOW.slice(0, 7), micros: 0, tokens: 0, runs: 0, ...parts };
}

export function budgetChanged(budget: Budget | null): EventOf<'AgentBudgetChanged'> {
  return { type: 'AgentBudgetChanged', data: { ...ofAgent, budget } };
}

export function budgetWarned(
  budget: Budget,
  spending: Spending,
  limits: BudgetLimit[] = ['micros'],
): EventOf<'AgentBudgetWarned'> {
  const { month } = spending;
  return { type: 'AgentBudgetWarned', data: { ...ofAgent, month, limits, budget, spending } };
}

export function budgetExceeded(
  budget: Budget,
  spending: Spending,
  parts: Partial<EventOf<'AgentBudgetExceeded'>['data']> = {},
): EventOf<'AgentBudgetExceeded'> {
  const notice = { month: spending.month, limits: ['micros' as const], budget, spending };
  const then = { agentStatus: 'paused', ...noHeartbeat } as const;
  return { type: 'AgentBudgetExceeded', data: { ...ofAgent, ...notice, ...then, ...parts } };
}

export function budgetRestored(
  reason: RestoreReason,
  agentStatus: AgentStatus = 'idle',
): EventOf<'AgentBudgetRestored'> {
  return { type: 'AgentBudgetRestored', data: { ...ofAgent, reason, agentStatus, ...noHeartbeat } };
}

export const sessionReset = sessionResetOf(null);

export function sessionResetOf(taskKey: string | null): EventOf<'SessionReset'> {
  return { type: 'SessionReset', data: { ...ofAgent, taskKey } };
}

/** What is asked for, and with which key at which time. */
export interface Asked extends Partial<WakeupRequest> {
  at?: string;
  companyPaused?: boolean;
  companyOverBudget?: boolean;
  keyHash?: string;
  requestHash?: string;
}

export function request(parts: Partial<WakeupRequest> = {}): WakeupRequest {
  return {
    source: 'on_demand',
    triggerDetail: null,
    reason: null,
    payload: null,
    contextSnapshot: null,
    idempotencyKey: null,
    requestedByActorType: null,
    requestedByActorId: null,
    notBefore: null,
    priority: 0,
    coalesceKey: null,
    taskKey: null,
    ...parts,
  };
}

export function wake(n: number, asked: Asked = {}): RequestWakeup {
  const { at = NOW, keyHash = null, requestHash = 'hash of the request', ...others } = asked;
  const { companyPaused = false, companyOverBudget, ...parts } = others;
  const company = { companyPaused, ...(companyOverBudget === undefined ? {} : { companyOverBudget }) };
  const ids = { wakeupId: `w${n}`, runId: `r${n}` };
  return { type: 'RequestWakeup', at, ...ids, request: request(parts), keyHash, requestHash, ...company };
}

export function requested(n: number, asked: Asked = {}): EventOf<'WakeupRequested'> {
  const { at, wakeupId, keyHash, requestHash, request } = wake(n, asked);
  return {
    type: 'WakeupRequested',
    data: { ...ofAgent, wakeupId, ...request, requestedAt: at, keyHash, requestHash },
  };
}

export function queued(n: number, asked: Asked = {}): EventOf<'RunQueued'> {
  const { source, triggerDetail, priority, coalesceKey, taskKey } = request(asked);
  const ids = { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}` };
  const frame = { invocationSource: source, triggerDetail, priority, coalesceKey, taskKey };
  const first = { attempt: 1, retryOfRunId: null, notBefore: null, inherited: null };
  return { type: 'RunQueued', data: { ...ids, ...frame, ...first } };
}

/** Run `n` tries again what run `of` failed at, for the wakeup that made that one. */
export function retried(
  n: number,
  of: number,
  parts: Partial<EventOf<'RunQueued'>['data']> & { notBefore: string },
): EventOf<'RunQueued'> {
  const { type, data } = queued(of);
  return { type, data: { ...data, runId: `r${n}`, attempt: 2, retryOfRunId: `r${of}`, ...parts } };
}

export function deferred(n: number, asked: Asked = {}): EventOf<'WakeupDeferred'> {
  const wait = { reason: 'agent.busy', dueAt: null, deadlineAt: hoursLater(24, asked.at) } as const;
  return { type: 'WakeupDeferred', data: { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}`, ...wait } };
}

export function skipped(n: number, reason: SkipReason): EventOf<'WakeupSkipped'> {
  return { type: 'WakeupSkipped', data: { ...ofAgent, wakeupId: `w${n}`, reason } };
}

/** It is not to run before `dueAt`. */
export function deferredUntil(
  n: number,
  dueAt: string,
  parts: Partial<EventOf<'WakeupDeferred'>['data']> = {},
): EventOf<'WakeupDeferred'> {
  const wait = { reason: 'not.before', dueAt, deadlineAt: hoursLater(24, dueAt) } as const;
  return {
    type: 'WakeupDeferred',
    data: { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}`, ...wait, ...parts },
  };
}

/** A wakeup that has been asked for, and waits until `dueAt`. */
export function delayedWakeup(n: number, dueAt: string, asked: Asked = {}): AgentEvent[] {
  return [requested(n, { ...asked, notBefore: dueAt }), deferredUntil(n, dueAt)];
}

export function expired(n: number): EventOf<'WakeupExpired'> {
  const data = { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}`, reason: 'deferral.expired' } as const;
  return { type: 'WakeupExpired', data };
}

export function timerScheduled(due: DueTime | null): EventOf<'TimerScheduled'> {
  return { type: 'TimerScheduled', data: { ...ofAgent, due } };
}

/** Without jitter. */
export function dueAt(at: string): DueTime {
  return { at, base: at };
}

/** Into the run of another wakeup. */
export function joinedRun(
  n: number,
  other: number,
  reason: CoalesceReason = 'run.queued',
): EventOf<'WakeupCoalesced'> {
  const into = { runId: `r${other}`, intoWakeupId: null, reason } as const;
  return { type: 'WakeupCoalesced', data: { ...ofAgent, wakeupId: `w${n}`, ...into } };
}

/** Into another wakeup, which waits. */
export function joinedDeferred(n: number, other: number): EventOf<'WakeupCoalesced'> {
  const into = { runId: `r${other}`, intoWakeupId: `w${other}`, reason: 'wakeup.deferred' } as const;
  return { type: 'WakeupCoalesced', data: { ...ofAgent, wakeupId: `w${n}`, ...into } };
}

export function cancelledWakeup(n: number, reason: string): EventOf<'WakeupCancelled'> {
  return { type: 'WakeupCancelled', data: { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}`, reason } };
}

export function started(
  n: number,
  parts: Partial<EventOf<'RunStarted'>['data']> = {},
): EventOf<'RunStarted'> {
  const ids = { ...ofAgent, runId: `r${n}`, wakeupId: `w${n}`, nodeId: NODE, claimId: `c${n}` };
  const frame = {
    invocationSource: 'on_demand',
    triggerDetail: null,
    lastHeartbeatAt: null,
    attempt: 1,
    startedAt: NOW,
    taskKey: null,
    sessionIdBefore: null,
    configurationRevision: 0,
    adapterType: 'process',
    limits: runLimits(defaultPolicy),
  } as const;
  return { type: 'RunStarted', data: { ...ids, ...frame, ...parts } };
}

export function endRequested(n: number, cause: EndCause, requestedAt = NOW): EventOf<'RunEndRequested'> {
  return { type: 'RunEndRequested', data: { ...ofAgent, runId: `r${n}`, cause, requestedAt } };
}

/** A claimed run's end; without `parts` it succeeded. */
export function finished(n: number, parts: Partial<RunFinished['data']> = {}): RunFinished {
  const ids = { ...ofAgent, runId: `r${n}`, wakeupId: `w${n}`, nodeId: NODE, claimId: `c${n}` };
  const outcome = { exitCode: 0, signal: null, exitedAt: NOW, lastRunning: true, endCause: null } as const;
  const frame = { startedAt: NOW, finishedAt: NOW, taskKey: null, willRetry: false };
  const asked = { invocationSource: 'on_demand', triggerDetail: null } as const;
  const session = { sessionIdBefore: null, sessionIdAfter: null, sessionReset: false };
  const verdict = { status: 'succeeded', errorCode: null, error: null } as const;
  const { status = 'succeeded', lastRunning = true, claimId } = parts;
  const rested = status === 'failed' || status === 'timed_out' ? 'error' : 'idle';
  const agentStatus = claimId === null ? null : lastRunning ? rested : 'running';
  return {
    type: 'RunFinished',
    data: {
      ...{ ...ids, ...frame, ...asked, ...verdict, ...outcome, ...session, agentStatus },
      ...{ report: null, settlement: null, log: null, ...parts },
    },
  };
}

/** The end of a run that nobody had claimed. */
export function finishedUnstarted(
  n: number,
  cause: EndCause,
  parts: Partial<RunFinished['data']> = {},
): RunFinished {
  const never = { startedAt: null, exitedAt: null, exitCode: null };
  const unclaimed = { nodeId: null, claimId: null, lastRunning: false, ...never };
  return finished(n, { ...unclaimed, ...endCauses[cause], endCause: cause, ...parts });
}

export function queuedRun(n: number, asked: Asked = {}): AgentEvent[] {
  return [requested(n, asked), queued(n, asked)];
}

export function runningRun(n: number, asked: Asked = {}): AgentEvent[] {
  return [...queuedRun(n, asked), started(n)];
}

export function waitingWakeup(n: number, asked: Asked = {}): AgentEvent[] {
  return [requested(n, asked), deferred(n, asked)];
}

export function start(n: number, parts: Partial<StartRun> = {}): StartRun {
  const claim = { runId: `r${n}`, nodeId: NODE, claimId: `c${n}` };
  const placement = { freeAdapterTypes: [], goneNodeId: null };
  return { type: 'StartRun', at: NOW, ...claim, companyPaused: false, ...placement, ...parts };
}

export function finish(
  n: number,
  outcome: Partial<FinishRun['outcome']> = {},
  more: Partial<Omit<FinishRun, 'type' | 'outcome'>> = {},
): FinishRun {
  const nothing = { errorCode: null, error: null, report: null, log: null };
  return {
    type: 'FinishRun',
    at: NOW,
    runId: `r${n}`,
    nodeId: NODE,
    claimId: `c${n}`,
    nextRunId: `r${n}-next`,
    jitter: 0,
    settlement: null,
    ...more,
    outcome: { exitCode: 0, signal: null, exitedAt: NOW, ...nothing, ...outcome },
  };
}

/** What has come due, without the timer where none is given. */
export function due(at: string, parts: Partial<HandleDue> = {}): HandleDue {
  return { type: 'HandleDue', at, companyPaused: false, timer: null, ...parts };
}

/** What the timer asks for when it goes off: wakeup `n`. */
export const byTimer = { source: 'timer', triggerDetail: 'system', reason: 'heartbeat_timer' } as const;

export function timer(n: number, next: DueTime | null, asked: Asked = {}, missed = false): DueTimer {
  const { wakeupId, runId, request, requestHash } = wake(n, { ...byTimer, ...asked });
  return { wakeupId, runId, request, requestHash, next, missed };
}

/** What the ledger still lacked when a run was over. */
export function settlement(costMicros: number | null, usage: Usage = NO_USAGE): CostEntry {
  const costSource = costMicros === null ? 'unpriced' : 'reported';
  return { ...usage, provider: 'p', model: 'm', costMicros, costSource };
}

export function report(parts: Partial<RunReport> = {}): RunReport {
  return {
    usage: null,
    costMicros: null,
    provider: null,
    model: null,
    sessionId: null,
    clearSession: false,
    errorMessage: null,
    resultJson: null,
    state: null,
    retryNotBefore: null,
    ...parts,
  };
}

/** An agent that is running one. */
export function busyWith(policy: Partial<HeartbeatPolicy>): AgentEvent[] {
  return [registered(policy), ...runningRun(1)];
}

/** As many open wakeups as an agent may have, the first of them running, none with the key `free`. */
export function crowded(policy: Partial<HeartbeatPolicy> = {}): AgentEvent[] {
  const others = Array.from({ length: MAX_OPEN_WAKEUPS - 1 }, (_, index) =>
    waitingWakeup(index + 2, { coalesceKey: `key ${index + 2}` }),
  );
  return [registered(policy), ...runningRun(1), ...others.flat()];
}
