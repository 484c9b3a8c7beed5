import type { BudgetChange } from '../../budgets/domain/budget';
import { afterChange, NO_BUDGET } from '../../budgets/domain/budget';
import { monthOf } from '../../budgets/domain/spending';
import { assertNever } from '../../kernel/decider';
import type { Revision } from '../../kernel/event';
import type {
  AgentEvent,
  AgentRegistered,
  RunFinished,
  RunQueued,
  RunStarted,
  SessionReset,
  WakeupCoalesced,
  WakeupDeferred,
  WakeupRequested,
} from './agent.events';
import type {
  AbsorbedWakeup,
  AgentState,
  OpenWakeup,
  PendingRequest,
  RegisteredAgent,
  RequestRef,
} from './agent.state';
import {
  KEY_LIFETIME_MS,
  LONGEST_QUOTA_WINDOW_MS,
  MAX_CONTEXT_WAKEUPS,
  MAX_KEYS,
  MAX_TASK_SESSIONS,
  runOf,
  wakeupOf,
} from './agent.state';

export function initialAgent(): AgentState {
  return { status: 'unregistered', revision: -1 };
}

/** Owns and changes the state it is given, see `Decider`. */
export function evolveAgent(state: AgentState, event: AgentEvent): AgentState {
  const revision = state.revision + 1;
  if (event.type === 'AgentRegistered') return registered(event.data, revision);
  if (state.status === 'unregistered') throw new Error(`${event.type} before AgentRegistered`);
  state.revision = revision;
  apply(state, event);
  return state;
}

function apply(state: RegisteredAgent, event: Exclude<AgentEvent, AgentRegistered>): void {
  switch (event.type) {
    case 'AgentUpdated': {
      const { name, adapterType, adapterConfig, runtimeConfig } = event.data;
      state.configuration = { name, adapterType, adapterConfig, runtimeConfig };
      state.version += 1;
      state.configurationRevision = state.revision;
      // Another account, or another program: what the old one has said counts no more.
      if (event.data.changed.some((field) => field !== 'name' && field !== 'runtimeConfig'))
        state.quotaUntil = null;
      return;
    }
    case 'AgentApproved':
    case 'AgentResumed':
      state.status = 'active';
      return;
    case 'AgentPaused':
      state.status = 'paused';
      return;
    case 'AgentTerminated':
      state.status = 'terminated';
      state.nextDue = null;
      return;
    case 'AgentBudgetChanged':
      return changeBudget(state, { kind: 'changed', budget: event.data.budget });
    case 'AgentBudgetWarned':
      return changeBudget(state, { kind: 'warned', notice: event.data });
    case 'AgentBudgetExceeded':
      return changeBudget(state, { kind: 'exceeded', notice: event.data });
    case 'AgentBudgetRestored':
      return changeBudget(state, { kind: 'restored', reason: event.data.reason });
    case 'TimerScheduled':
      state.nextDue = event.data.due;
      return;
    case 'WakeupRequested':
      return rememberRequest(state, event.data);
    case 'WakeupCoalesced':
      return coalesce(state, event.data);
    case 'WakeupDeferred':
      return defer(state, event.data);
    case 'WakeupSkipped':
    case 'WakeupCancelled':
    case 'WakeupExpired':
      state.wakeups.delete(event.data.wakeupId);
      return;
    case 'RunQueued':
      return queueRun(state, event.data);
    case 'RunStarted':
      return startRun(state, event.data);
    case 'RunEndRequested': {
      const run = runOf(state, event.data.runId);
      run.endCause ??= event.data.cause;
      run.endRequestedAt ??= event.data.requestedAt;
      if (event.data.cause === 'interrupt') state.lastInterruptMs = Date.parse(event.data.requestedAt);
      return;
    }
    case 'RunFinished':
      return finishRun(state, event.data);
    case 'SessionReset':
      return resetSession(state, event.data);
    default:
      return assertNever(event, 'agent event');
  }
}

function registered(data: AgentRegistered['data'], revision: Revision): RegisteredAgent {
  const { companyId, agentId, externalKey, name, adapterType, adapterConfig, runtimeConfig } = data;
  return {
    status: data.requiresApproval ? 'pending_approval' : 'active',
    revision,
    companyId,
    agentId,
    externalKey,
    configuration: { name, adapterType, adapterConfig, runtimeConfig },
    version: 1,
    configurationRevision: revision,
    keys: new Map(),
    wakeups: new Map(),
    runs: new Map(),
    sessions: { own: null, byTask: new Map() },
    homeNodeId: null,
    nextDue: null,
    startsToday: { day: '', count: 0 },
    startsThisMonth: { month: '', count: 0 },
    budget: NO_BUDGET,
    quotaUntil: null,
    failures: { count: 0, lastMs: 0 },
    lastInterruptMs: null,
    lastHeartbeatAt: null,
    lastRequest: null,
    lateAbsorbed: [],
  };
}

function rememberRequest(state: RegisteredAgent, data: WakeupRequested['data']): void {
  state.lastRequest = { revision: state.revision, data: { ...data, payload: null, contextSnapshot: null } };
  if (data.keyHash === null) return;
  state.keys.delete(data.keyHash);
  state.keys.set(data.keyHash, {
    requestHash: data.requestHash,
    wakeupId: data.wakeupId,
    usedAtMs: Date.parse(data.requestedAt),
    revision: state.revision,
  });
  const expired = Date.parse(data.requestedAt) - KEY_LIFETIME_MS;
  for (const [oldest, { usedAtMs }] of state.keys) {
    if (state.keys.size <= MAX_KEYS && usedAtMs > expired) return;
    state.keys.delete(oldest);
  }
}

function coalesce(
  state: RegisteredAgent,
  { wakeupId, runId, intoWakeupId, reason }: WakeupCoalesced['data'],
): void {
  if (reason === 'run.running') {
    const { absorbed } = runOf(state, runId);
    const delayed = state.wakeups.get(wakeupId);
    state.wakeups.delete(wakeupId);
    absorbed.push(delayed ? absorbedWhenDue(delayed) : absorbedFrom(requestOf(state)));
    if (absorbed.length > MAX_CONTEXT_WAKEUPS) absorbed.shift();
    return;
  }
  const target = wakeupOf(state, intoWakeupId ?? runOf(state, runId).wakeupId);
  // What made the run is in it already, also where it was only a receipt before.
  if (target.wakeupId === wakeupId) return;
  const waiting = state.wakeups.get(wakeupId);
  state.wakeups.delete(wakeupId);
  const late = state.lateAbsorbed.find((absorbed) => absorbed.wakeupId === wakeupId);
  const { revision, inRow } = late ?? absorbedFrom(requestOf(state));
  // Who joins from outside of a row ends it.
  target.inRow = Math.min(target.inRow, waiting?.inRow ?? inRow);
  addRequests(target, waiting?.requests ?? [{ revision, wakeupId }], 1 + (waiting?.coalescedCount ?? 0));
}

function addRequests(wakeup: OpenWakeup, added: readonly RequestRef[], count: number): void {
  const [first, ...others] = wakeup.requests;
  wakeup.requests = [first!, ...[...others, ...added].slice(-MAX_CONTEXT_WAKEUPS)];
  wakeup.coalescedCount += count;
}

function defer(state: RegisteredAgent, data: WakeupDeferred['data']): void {
  const { wakeupId, runId, reason, dueAt, deadlineAt } = data;
  const wakeup = state.wakeups.get(wakeupId) ?? openWakeup(absorbedFrom(requestOf(state)), runId);
  state.wakeups.set(wakeupId, { ...wakeup, status: 'deferred', deferral: { reason, dueAt, deadlineAt } });
}

function queueRun(state: RegisteredAgent, data: RunQueued['data']): void {
  const { runId, wakeupId, coalesceKey, taskKey, priority, attempt, notBefore } = data;
  const late = state.lateAbsorbed.find((absorbed) => absorbed.wakeupId === wakeupId);
  const wakeup = state.wakeups.get(wakeupId) ?? openWakeup(late ?? absorbedFrom(requestOf(state)), runId);
  wakeup.runId = runId;
  wakeup.deferral = null;
  // A wakeup whose run is tried again has been claimed, and stays so.
  wakeup.status = attempt > 1 ? 'claimed' : 'queued';
  state.wakeups.set(wakeupId, wakeup);
  state.runs.set(runId, {
    status: 'queued',
    runId,
    wakeupId,
    coalesceKey,
    taskKey,
    priority,
    attempt,
    notBefore,
    source: data.invocationSource,
    triggerDetail: data.triggerDetail,
    startedRevision: null,
    startedAt: null,
    claim: null,
    endCause: null,
    endRequestedAt: null,
    sessionReset: false,
    absorbed: [],
  });
}

function startRun(state: RegisteredAgent, data: RunStarted['data']): void {
  const run = runOf(state, data.runId);
  run.status = 'running';
  run.startedRevision = state.revision;
  run.startedAt = data.startedAt;
  run.claim = { nodeId: data.nodeId, claimId: data.claimId, sessionIdBefore: data.sessionIdBefore };
  wakeupOf(state, run.wakeupId).status = 'claimed';
  state.homeNodeId = data.nodeId;
  const day = data.startedAt.slice(0, 10);
  const before = state.startsToday.day === day ? state.startsToday.count : 0;
  state.startsToday = { day, count: before + 1 };
  const month = monthOf(data.startedAt);
  const inMonth = state.startsThisMonth.month === month ? state.startsThisMonth.count : 0;
  state.startsThisMonth = { month, count: inMonth + 1 };
}

function finishRun(state: RegisteredAgent, data: RunFinished['data']): void {
  const run = runOf(state, data.runId);
  state.runs.delete(data.runId);
  if (!data.willRetry) state.wakeups.delete(data.wakeupId);
  const exitedMs = data.exitedAt === null ? Infinity : Date.parse(data.exitedAt);
  state.lateAbsorbed = run.absorbed.filter(({ requestedMs }) => requestedMs > exitedMs);
  if (data.claimId === null) return;
  state.lastHeartbeatAt = data.finishedAt;
  if (data.status === 'succeeded') state.failures = { count: 0, lastMs: 0 };
  if (data.status === 'failed' || data.status === 'timed_out') {
    state.failures = { count: state.failures.count + 1, lastMs: Date.parse(data.finishedAt) };
  }
  if (!data.sessionReset) keepSession(state, data.taskKey, data.sessionIdAfter);
  closeQuota(state, data);
}

/** The latest time that was said counts, within reason: nothing but a person would open a window that never ends. */
function closeQuota(state: RegisteredAgent, { report, finishedAt }: RunFinished['data']): void {
  if (!report?.retryNotBefore) return;
  const longest = new Date(Date.parse(finishedAt) + LONGEST_QUOTA_WINDOW_MS).toISOString();
  const until = report.retryNotBefore < longest ? report.retryNotBefore : longest;
  if (until > (state.quotaUntil ?? finishedAt)) state.quotaUntil = until;
}

function changeBudget(state: RegisteredAgent, change: BudgetChange): void {
  state.budget = afterChange(state.budget, change);
}

function keepSession(state: RegisteredAgent, taskKey: string | null, sessionId: string | null): void {
  if (taskKey === null) {
    state.sessions.own = sessionId;
    return;
  }
  const { byTask } = state.sessions;
  byTask.delete(taskKey);
  if (sessionId !== null) byTask.set(taskKey, sessionId);
  if (byTask.size <= MAX_TASK_SESSIONS) return;
  const [oldest] = byTask.keys();
  byTask.delete(oldest!);
}

function resetSession(state: RegisteredAgent, { taskKey }: SessionReset['data']): void {
  if (taskKey === null) state.quotaUntil = null;
  keepSession(state, taskKey, null);
  for (const run of state.runs.values()) {
    if (run.status === 'running' && run.taskKey === taskKey) run.sessionReset = true;
  }
}

function absorbedFrom({ revision, data }: PendingRequest): AbsorbedWakeup {
  const { wakeupId, requestedAt, source, triggerDetail, priority, coalesceKey, taskKey } = data;
  const requestedMs = Date.parse(requestedAt);
  const inRow = data.causedBy?.inRow ?? 0;
  return { revision, wakeupId, requestedMs, source, triggerDetail, priority, coalesceKey, taskKey, inRow };
}

/** A wakeup that had to wait for its time counts as one that was asked for when it was due. */
function absorbedWhenDue(wakeup: OpenWakeup): AbsorbedWakeup {
  const { wakeupId, requests, deferral, source, triggerDetail, priority, coalesceKey, taskKey, inRow } =
    wakeup;
  const { revision } = requests[0]!;
  const requestedMs = Date.parse(deferral!.dueAt!);
  return { revision, wakeupId, requestedMs, source, triggerDetail, priority, coalesceKey, taskKey, inRow };
}

function openWakeup(asked: AbsorbedWakeup, runId: string): OpenWakeup {
  const { revision, wakeupId, source, triggerDetail, priority, coalesceKey, taskKey, inRow } = asked;
  return {
    status: 'queued',
    wakeupId,
    runId,
    source,
    triggerDetail,
    priority,
    coalesceKey,
    taskKey,
    deferral: null,
    requests: [{ revision, wakeupId }],
    coalescedCount: 0,
    inRow,
  };
}

function requestOf(state: RegisteredAgent): PendingRequest {
  if (!state.lastRequest) throw new Error('a decision without a request before it');
  return state.lastRequest;
}
