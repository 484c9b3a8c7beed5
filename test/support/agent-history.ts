import type { FinishRun, RequestWakeup, StartRun } from '../../src/agents/domain/agent.commands';
import type {
  AgentConfiguration,
  AgentEvent,
  EndCause,
  RunFinished,
  RunReport,
  SkipReason,
  WakeupRequest,
} from '../../src/agents/domain/agent.events';
import { endCauses } from '../../src/agents/domain/agent.events';
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
export const paused: AgentEvent = { type: 'AgentPaused', data: { ...ofAgent, reason: 'manual' } };
export const resumed: AgentEvent = { type: 'AgentResumed', data: ofAgent };
export const terminated: AgentEvent = { type: 'AgentTerminated', data: ofAgent };
export const sessionReset: AgentEvent = { type: 'SessionReset', data: ofAgent };

/** What is asked for, and with which key at which time. */
export interface Asked extends Partial<WakeupRequest> {
  at?: string;
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
  const { at = NOW, keyHash = null, requestHash = 'hash of the request', ...parts } = asked;
  const ids = { wakeupId: `w${n}`, runId: `r${n}` };
  return { type: 'RequestWakeup', at, ...ids, request: request(parts), keyHash, requestHash };
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
  return { type: 'RunQueued', data: { ...ids, ...frame, attempt: 1, retryOfRunId: null } };
}

export function deferred(n: number, asked: Asked = {}): EventOf<'WakeupDeferred'> {
  const wait = { reason: 'agent.busy', dueAt: null, deadlineAt: hoursLater(24, asked.at) } as const;
  return { type: 'WakeupDeferred', data: { ...ofAgent, wakeupId: `w${n}`, runId: `r${n}`, ...wait } };
}

export function skipped(n: number, reason: SkipReason): EventOf<'WakeupSkipped'> {
  return { type: 'WakeupSkipped', data: { ...ofAgent, wakeupId: `w${n}`, reason } };
}

/** Into the queued run of another wakeup. */
export function joinedRun(n: number, other: number): EventOf<'WakeupCoalesced'> {
  const into = { runId: `r${other}`, intoWakeupId: null, reason: 'run.queued' } as const;
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
    attempt: 1,
    sessionIdBefore: null,
    adapterType: 'process',
    limits: runLimits(defaultPolicy),
  };
  return { type: 'RunStarted', data: { ...ids, ...frame, ...parts } };
}

export function endRequested(n: number, cause: EndCause, requestedAt = NOW): EventOf<'RunEndRequested'> {
  return { type: 'RunEndRequested', data: { ...ofAgent, runId: `r${n}`, cause, requestedAt } };
}

/** A claimed run's end; without `parts` it succeeded. */
export function finished(n: number, parts: Partial<RunFinished['data']> = {}): RunFinished {
  const ids = { ...ofAgent, runId: `r${n}`, wakeupId: `w${n}`, nodeId: NODE, claimId: `c${n}` };
  const outcome = { exitCode: 0, signal: null, exitedAt: NOW, lastRunning: true, endCause: null } as const;
  const session = { sessionIdBefore: null, sessionIdAfter: null, sessionReset: false };
  const verdict = { status: 'succeeded', errorCode: null, error: null } as const;
  return {
    type: 'RunFinished',
    data: { ...ids, ...verdict, ...outcome, ...session, report: null, log: null, ...parts },
  };
}

/** The end of a run that nobody had claimed. */
export function finishedUnstarted(n: number, cause: EndCause): RunFinished {
  const unclaimed = { nodeId: null, claimId: null, exitCode: null, exitedAt: null, lastRunning: false };
  return finished(n, { ...unclaimed, ...endCauses[cause], endCause: cause });
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
  return { type: 'StartRun', at: NOW, runId: `r${n}`, nodeId: NODE, claimId: `c${n}`, ...parts };
}

export function finish(
  n: number,
  outcome: Partial<FinishRun['outcome']> = {},
  claim: Partial<Pick<FinishRun, 'nodeId' | 'claimId'>> = {},
): FinishRun {
  const nothing = { errorCode: null, error: null, report: null, log: null };
  return {
    type: 'FinishRun',
    at: NOW,
    runId: `r${n}`,
    nodeId: NODE,
    claimId: `c${n}`,
    ...claim,
    outcome: { exitCode: 0, signal: null, exitedAt: NOW, ...nothing, ...outcome },
  };
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
