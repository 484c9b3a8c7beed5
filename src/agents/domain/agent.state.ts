import { assertNever } from '../../kernel/decider';
import type { Revision } from '../../kernel/event';
import type {
  AgentConfiguration,
  AgentEvent,
  EndCause,
  RunEndRequested,
  RunFinished,
  RunQueued,
  RunStarted,
  TriggerDetail,
  WakeupCoalesced,
  WakeupDeferred,
  WakeupRequested,
  WakeupSource,
} from './agent.events';

/** What an agent's decisions rest on. Bounded, whatever its history: no payloads, no contexts, nothing final. */
export type AgentState = UnregisteredAgent | RegisteredAgent;

export interface UnregisteredAgent {
  status: 'unregistered';
  revision: Revision;
}

export interface RegisteredAgent {
  status: 'pending_approval' | 'active' | 'paused' | 'terminated';
  /** Of the last event folded in. */
  revision: Revision;
  companyId: string;
  agentId: string;
  externalKey: string | null;
  configuration: AgentConfiguration;
  /** Of the configuration: 1, 2, 3 … */
  version: number;
  /** The newest idempotency keys, oldest first. */
  keys: Map<string, KeyUse>;
  /** The open wakeups that made, or will make, a run. Oldest first. */
  wakeups: Map<string, OpenWakeup>;
  runs: Map<string, OpenRun>;
  sessionId: string | null;
  /** Requests are known by the revision of their `WakeupRequested` until they are decided. */
  lastRequest: { revision: Revision; data: WakeupRequested['data'] } | null;
}

export interface KeyUse {
  requestHash: string;
  wakeupId: string;
  /** Milliseconds since 1970. */
  usedAtMs: number;
  /** Of the `WakeupRequested`. */
  revision: Revision;
}

export interface OpenWakeup {
  status: 'queued' | 'claimed' | 'deferred';
  wakeupId: string;
  /** Of the run that it made, or that is reserved for it. */
  runId: string;
  source: WakeupSource;
  triggerDetail: TriggerDetail | null;
  priority: number;
  coalesceKey: string | null;
  taskKey: string | null;
  deferral: { dueAt: string | null; deadlineAt: string } | null;
  /** Revisions of the requests that the run stands for: its own first, then the newest of those coalesced into it. */
  requests: Revision[];
  coalescedCount: number;
}

export interface OpenRun {
  status: 'queued' | 'running';
  runId: string;
  wakeupId: string;
  coalesceKey: string | null;
  priority: number;
  attempt: number;
  queuedRevision: Revision;
  startedRevision: Revision | null;
  claim: { nodeId: string; claimId: string; sessionIdBefore: string | null } | null;
  endCause: EndCause | null;
  endRequestedAt: string | null;
  sessionReset: boolean;
}

export const MAX_KEYS = 10_000;
export const MAX_OPEN_WAKEUPS = 1_000;
/** A run's context names its first request and at most this many of the newest. */
export const MAX_CONTEXT_WAKEUPS = 100;

export function initialAgent(): AgentState {
  return { status: 'unregistered', revision: -1 };
}

/** Owns and changes the state it is given, see `Decider`. */
export function evolveAgent(state: AgentState, event: AgentEvent): AgentState {
  const revision = state.revision + 1;
  if (event.type === 'AgentRegistered') return registered(event.data, revision);
  if (state.status === 'unregistered') throw new Error(`${event.type} before AgentRegistered`);
  state.revision = revision;
  switch (event.type) {
    case 'AgentUpdated': {
      const { name, adapterType, adapterConfig, runtimeConfig } = event.data;
      state.configuration = { name, adapterType, adapterConfig, runtimeConfig };
      state.version += 1;
      return state;
    }
    case 'AgentApproved':
    case 'AgentResumed':
      state.status = 'active';
      return state;
    case 'AgentPaused':
      state.status = 'paused';
      return state;
    case 'AgentTerminated':
      state.status = 'terminated';
      return state;
    case 'WakeupRequested':
      return rememberRequest(state, event.data);
    case 'WakeupCoalesced':
      return coalesce(state, event.data);
    case 'WakeupDeferred':
      return defer(state, event.data);
    case 'WakeupSkipped':
      return state;
    case 'WakeupCancelled':
      state.wakeups.delete(event.data.wakeupId);
      return state;
    case 'RunQueued':
      return queueRun(state, event.data);
    case 'RunStarted':
      return startRun(state, event.data);
    case 'RunEndRequested':
      return requestEnd(runOf(state, event.data.runId), event.data, state);
    case 'RunFinished':
      return finishRun(state, event.data);
    case 'SessionReset':
      state.sessionId = null;
      for (const run of state.runs.values()) if (run.status === 'running') run.sessionReset = true;
      return state;
    default:
      return assertNever(event, 'agent event');
  }
}

function registered(
  data: Extract<AgentEvent, { type: 'AgentRegistered' }>['data'],
  revision: Revision,
): RegisteredAgent {
  const { companyId, agentId, externalKey, name, adapterType, adapterConfig, runtimeConfig } = data;
  return {
    status: data.requiresApproval ? 'pending_approval' : 'active',
    revision,
    companyId,
    agentId,
    externalKey,
    configuration: { name, adapterType, adapterConfig, runtimeConfig },
    version: 1,
    keys: new Map(),
    wakeups: new Map(),
    runs: new Map(),
    sessionId: null,
    lastRequest: null,
  };
}

function rememberRequest(state: RegisteredAgent, data: WakeupRequested['data']): AgentState {
  state.lastRequest = { revision: state.revision, data: { ...data, payload: null, contextSnapshot: null } };
  if (data.keyHash !== null) rememberKey(state, data.keyHash, data);
  return state;
}

function rememberKey(state: RegisteredAgent, keyHash: string, data: WakeupRequested['data']): void {
  state.keys.delete(keyHash);
  state.keys.set(keyHash, {
    requestHash: data.requestHash,
    wakeupId: data.wakeupId,
    usedAtMs: Date.parse(data.requestedAt),
    revision: state.revision,
  });
  if (state.keys.size <= MAX_KEYS) return;
  const [oldest] = state.keys.keys();
  state.keys.delete(oldest!);
}

function coalesce(state: RegisteredAgent, data: WakeupCoalesced['data']): AgentState {
  const target = wakeupOf(state, data.intoWakeupId ?? runOf(state, data.runId).wakeupId);
  target.coalescedCount += 1;
  target.requests.push(requestOf(state).revision);
  if (target.requests.length > MAX_CONTEXT_WAKEUPS + 1) target.requests.splice(1, 1);
  return state;
}

function defer(state: RegisteredAgent, data: WakeupDeferred['data']): AgentState {
  const { dueAt, deadlineAt } = data;
  state.wakeups.set(data.wakeupId, {
    ...openWakeup(state, data.runId),
    status: 'deferred',
    deferral: { dueAt, deadlineAt },
  });
  return state;
}

function queueRun(state: RegisteredAgent, data: RunQueued['data']): AgentState {
  const { runId, wakeupId, coalesceKey, priority, attempt } = data;
  const wakeup = state.wakeups.get(wakeupId) ?? openWakeup(state, runId);
  wakeup.status = 'queued';
  wakeup.deferral = null;
  state.wakeups.set(wakeupId, wakeup);
  state.runs.set(runId, {
    status: 'queued',
    runId,
    wakeupId,
    coalesceKey,
    priority,
    attempt,
    queuedRevision: state.revision,
    startedRevision: null,
    claim: null,
    endCause: null,
    endRequestedAt: null,
    sessionReset: false,
  });
  return state;
}

function startRun(state: RegisteredAgent, data: RunStarted['data']): AgentState {
  const run = runOf(state, data.runId);
  run.status = 'running';
  run.startedRevision = state.revision;
  run.claim = { nodeId: data.nodeId, claimId: data.claimId, sessionIdBefore: data.sessionIdBefore };
  wakeupOf(state, run.wakeupId).status = 'claimed';
  return state;
}

function requestEnd(run: OpenRun, data: RunEndRequested['data'], state: RegisteredAgent): AgentState {
  run.endCause ??= data.cause;
  run.endRequestedAt ??= data.requestedAt;
  return state;
}

function finishRun(state: RegisteredAgent, data: RunFinished['data']): AgentState {
  state.runs.delete(data.runId);
  state.wakeups.delete(data.wakeupId);
  if (data.claimId !== null && !data.sessionReset) state.sessionId = data.sessionIdAfter;
  return state;
}

function openWakeup(state: RegisteredAgent, runId: string): OpenWakeup {
  const { revision, data } = requestOf(state);
  const { wakeupId, source, triggerDetail, priority, coalesceKey, taskKey } = data;
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
    requests: [revision],
    coalescedCount: 0,
  };
}

function requestOf(state: RegisteredAgent) {
  if (!state.lastRequest) throw new Error('a decision without a request before it');
  return state.lastRequest;
}

export function runOf(state: RegisteredAgent, runId: string): OpenRun {
  const run = state.runs.get(runId);
  if (!run) throw new Error(`run ${runId} is not open`);
  return run;
}

export function wakeupOf(state: RegisteredAgent, wakeupId: string): OpenWakeup {
  const wakeup = state.wakeups.get(wakeupId);
  if (!wakeup) throw new Error(`wakeup ${wakeupId} is not open`);
  return wakeup;
}

export function runningCount(state: RegisteredAgent): number {
  let count = 0;
  for (const run of state.runs.values()) if (run.status === 'running') count += 1;
  return count;
}
