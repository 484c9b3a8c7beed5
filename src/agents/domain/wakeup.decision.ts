import { DomainError } from '../../kernel/errors';
import type { RequestWakeup } from './agent.commands';
import type {
  AgentEvent,
  CoalesceReason,
  DeferReason,
  SkipReason,
  WakeupCause,
  WakeupRequest,
} from './agent.events';
import type { KeyUse, OpenRun, OpenWakeup, RegisteredAgent } from './agent.state';
import {
  circuitOpenUntil,
  hasFreeSlot,
  isOverBudget,
  KEY_LIFETIME_MS,
  MAX_OPEN_WAKEUPS,
  policyOf,
  quotaWindow,
  startsOn,
} from './agent.state';
import { isLoop, placeInRow } from './permissions';

/** How long a wakeup may wait for its agent, from the request or from when it is due. */
const DEFERRAL_LIFETIME_MS = 24 * 3_600_000;

/** A request on its way through the checks: new, or deferred earlier and decided anew. */
export interface Candidate {
  at: string;
  wakeupId: string;
  /** For the run that it becomes, if it becomes one. */
  runId: string;
  asked: Pick<WakeupRequest, 'source' | 'triggerDetail' | 'priority' | 'coalesceKey' | 'taskKey'>;
  /** null where it may run now. */
  notBefore: string | null;
  companyOverBudget: boolean;
  /** Agents have woken each other too often in a row. */
  isLoop?: boolean;
}

/**
 * What becomes of a request to wake the agent: the order of the checks is the contract's ("Wakeups" in the
 * specification), and every outcome but a refusal and a repeat is an event.
 */
export function decideWakeup(command: RequestWakeup, state: RegisteredAgent): AgentEvent[] {
  if (findRepeat(command, state)) return [];
  refuseUnlessWakeable(command, state);
  const { at, wakeupId, runId, request, companyOverBudget = false } = command;
  const notBefore = request.notBefore !== null && request.notBefore > at ? request.notBefore : null;
  const cause = command.causedBy;
  const inRow = cause ? placeInRow(cause, notBefore ?? at) : 0;
  const candidate = { at, wakeupId, runId, asked: request, notBefore, companyOverBudget };
  return [
    requestedEvent(command, state, cause && { agentId: cause.agentId, runId: cause.runId, inRow }),
    ...decideCandidate({ ...candidate, isLoop: cause !== undefined && isLoop(cause, inRow) }, state),
  ];
}

/** The earlier use of the command's idempotency key, if it still counts. */
export function findRepeat(
  { keyHash, requestHash, at }: Pick<RequestWakeup, 'keyHash' | 'requestHash' | 'at'>,
  state: RegisteredAgent,
): KeyUse | undefined {
  const use = keyHash === null ? undefined : state.keys.get(keyHash);
  if (!use || Date.parse(at) - use.usedAtMs >= KEY_LIFETIME_MS) return undefined;
  if (use.requestHash !== requestHash) {
    throw new DomainError('idempotency_key_reused', undefined, { wakeupId: use.wakeupId });
  }
  return use;
}

function refuseUnlessWakeable({ companyPaused }: RequestWakeup, state: RegisteredAgent): void {
  if (state.status !== 'active') {
    throw new DomainError('agent_not_wakeable', `The agent is ${state.status}`, { status: state.status });
  }
  if (companyPaused) {
    throw new DomainError('agent_not_wakeable', 'The company is paused', { status: 'company.paused' });
  }
}

/**
 * The checks from the policy on, for an agent that can be woken.
 * @throws DomainError `too_many_open_wakeups`, `agent_busy`
 */
export function decideCandidate(candidate: Candidate, state: RegisteredAgent): AgentEvent[] {
  const skipReason = reasonToSkip(candidate, state);
  if (skipReason) return [skipped(candidate, skipReason, state)];
  refuseTooManyOpen(candidate, state);
  if (candidate.notBefore !== null) return [deferred(candidate, 'not.before', state)];
  const quotaUntil = quotaWindow(state, candidate.at);
  if (quotaUntil !== null) return [deferred({ ...candidate, notBefore: quotaUntil }, 'quota.window', state)];
  const { asked, runId } = candidate;
  const { whenBusy } = policyOf(state);
  const absorbing = absorbingRun(candidate, whenBusy === 'enqueue', state);
  if (absorbing) {
    const reason = absorbing.notBefore === null ? 'run.queued' : 'retry.waiting';
    return [coalesced(candidate, absorbing.runId, null, reason, state)];
  }
  const waiting =
    whenBusy === 'enqueue' ? undefined : waitingWakeup(asked.coalesceKey, candidate.wakeupId, state);
  if (waiting) return [coalesced(candidate, waiting.runId, waiting.wakeupId, 'wakeup.deferred', state)];
  if (whenBusy === 'enqueue' || hasFreeSlot(asked.coalesceKey, state)) {
    return [queuedEvent({ ...idOf(candidate, state), runId }, asked)];
  }
  return decideBusy(candidate, state);
}

/** There is no slot, and nothing that the wakeup could join. */
function decideBusy(candidate: Candidate, state: RegisteredAgent): AgentEvent[] {
  const policy = policyOf(state);
  const running = runInTheWay(candidate.asked.coalesceKey, state);
  switch (policy.whenBusy) {
    case 'reject':
      throw new DomainError('agent_busy');
    case 'coalesce':
      return [coalesced(candidate, running.runId, null, 'run.running', state)];
    case 'interrupt':
      return [...interruption(candidate, running, state), deferred(candidate, 'agent.busy', state)];
    case 'followUp':
    case 'enqueue':
      return [deferred(candidate, 'agent.busy', state)];
  }
}

/** At most one in the time that a run has to end. */
function interruption({ at }: Candidate, running: OpenRun, state: RegisteredAgent): AgentEvent[] {
  const sinceLastMs = Date.parse(at) - (state.lastInterruptMs ?? -Infinity);
  if (running.endCause || sinceLastMs < policyOf(state).graceSec * 1_000) return [];
  const { companyId, agentId } = state;
  const data = { companyId, agentId, runId: running.runId, cause: 'interrupt', requestedAt: at } as const;
  return [{ type: 'RunEndRequested', data }];
}

function reasonToSkip(
  { asked, at, companyOverBudget, isLoop = false }: Candidate,
  state: RegisteredAgent,
): SkipReason | null {
  const policy = policyOf(state);
  if (asked.source === 'timer' && !policy.enabled) return 'heartbeat.disabled';
  if (asked.source !== 'timer' && !policy.wakeOnDemand) return 'heartbeat.wakeOnDemand.disabled';
  if (isLoop) return 'wake.loop';
  const queued = queuedCount(state);
  if (companyOverBudget || isOverBudget(state, at, queued)) return 'budget.exceeded';
  if (policy.maxDailyRuns !== null && startsOn(state, at) + queued >= policy.maxDailyRuns) {
    return 'runs.dailyCap';
  }
  return isHeldByCircuit(asked, at, state) ? 'circuit.open' : null;
}

/** After so many failures in a row: for the cool-down, and then for all but one trial run. */
function isHeldByCircuit({ triggerDetail }: Candidate['asked'], at: string, state: RegisteredAgent): boolean {
  const coolUntil = circuitOpenUntil(state);
  if (coolUntil === null || triggerDetail === 'manual') return false;
  return at < coolUntil || state.runs.size > 0;
}

function queuedCount(state: RegisteredAgent): number {
  let count = 0;
  for (const run of state.runs.values()) if (run.status === 'queued') count += 1;
  return count;
}

function refuseTooManyOpen({ wakeupId }: Candidate, state: RegisteredAgent): void {
  if (state.wakeups.size < MAX_OPEN_WAKEUPS || state.wakeups.has(wakeupId)) return;
  throw new DomainError('too_many_open_wakeups', undefined, { limit: MAX_OPEN_WAKEUPS });
}

/**
 * A queued run of this key that nothing but time keeps from starting, or one that waits to be tried again. Where each
 * wakeup gets a run of its own, a timer still has at most one that waits.
 */
function absorbingRun(
  { at, asked: { coalesceKey, source, triggerDetail } }: Candidate,
  enqueues: boolean,
  state: RegisteredAgent,
): OpenRun | undefined {
  const passesCircuit = triggerDetail === 'manual';
  for (const run of state.runs.values()) {
    if (run.status !== 'queued' || run.coalesceKey !== coalesceKey) continue;
    if (passesCircuit && isHeldByCircuit(run, at, state)) continue;
    if (enqueues) {
      if (source === 'timer' && run.source === 'timer') return run;
    } else if (run.notBefore !== null || hasFreeSlot(coalesceKey, state)) {
      return run;
    }
  }
  return undefined;
}

/** Another wakeup of this key that waits because the agent was busy. */
function waitingWakeup(
  coalesceKey: string | null,
  wakeupId: string,
  state: RegisteredAgent,
): OpenWakeup | undefined {
  for (const wakeup of state.wakeups.values()) {
    const isBusy = wakeup.deferral?.reason === 'agent.busy';
    if (isBusy && wakeup.coalesceKey === coalesceKey && wakeup.wakeupId !== wakeupId) return wakeup;
  }
  return undefined;
}

/** The running run of the same key, or the one that has run longest. */
function runInTheWay(coalesceKey: string | null, state: RegisteredAgent): OpenRun {
  const running = [...state.runs.values()].filter((run) => run.status === 'running');
  const [longest] = running.sort((one, other) => one.startedRevision! - other.startedRevision!);
  const inTheWay = running.find((run) => run.coalesceKey === coalesceKey) ?? longest;
  if (!inTheWay) throw new Error('the agent is busy and nothing is running');
  return inTheWay;
}

function idOf({ wakeupId }: { wakeupId: string }, { companyId, agentId }: RegisteredAgent) {
  return { companyId, agentId, wakeupId };
}

export function skipped(
  candidate: { wakeupId: string },
  reason: SkipReason,
  state: RegisteredAgent,
): AgentEvent {
  return { type: 'WakeupSkipped', data: { ...idOf(candidate, state), reason } };
}

export function coalesced(
  candidate: { wakeupId: string },
  runId: string,
  intoWakeupId: string | null,
  reason: CoalesceReason,
  state: RegisteredAgent,
): AgentEvent {
  return { type: 'WakeupCoalesced', data: { ...idOf(candidate, state), runId, intoWakeupId, reason } };
}

export function deferred(candidate: Candidate, reason: DeferReason, state: RegisteredAgent): AgentEvent {
  const { runId, at, notBefore } = candidate;
  const dueAt = notBefore ?? state.wakeups.get(candidate.wakeupId)?.deferral?.dueAt ?? null;
  const deadlineAt = new Date(Date.parse(dueAt ?? at) + DEFERRAL_LIFETIME_MS).toISOString();
  return { type: 'WakeupDeferred', data: { ...idOf(candidate, state), runId, reason, dueAt, deadlineAt } };
}

export function requestedEvent(
  { wakeupId, request, at, keyHash, requestHash }: Omit<RequestWakeup, 'type' | 'runId' | 'companyPaused'>,
  { companyId, agentId }: RegisteredAgent,
  causedBy?: WakeupCause,
): AgentEvent {
  const data = { companyId, agentId, wakeupId, ...request, requestedAt: at, keyHash, requestHash };
  return { type: 'WakeupRequested', data: { ...data, ...(causedBy && { causedBy }) } };
}

export function queuedEvent(
  id: { companyId: string; agentId: string; wakeupId: string; runId: string },
  asked: Candidate['asked'],
): AgentEvent {
  const { source, triggerDetail, priority, coalesceKey, taskKey } = asked;
  return {
    type: 'RunQueued',
    data: {
      ...id,
      invocationSource: source,
      triggerDetail,
      priority,
      coalesceKey,
      taskKey,
      attempt: 1,
      retryOfRunId: null,
      notBefore: null,
      inherited: null,
    },
  };
}
