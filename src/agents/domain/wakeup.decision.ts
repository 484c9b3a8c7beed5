import { DomainError } from '../../kernel/errors';
import type { RequestWakeup } from './agent.commands';
import type { AgentEvent, SkipReason, WakeupRequest } from './agent.events';
import type { KeyUse, OpenRun, OpenWakeup, RegisteredAgent } from './agent.state';
import { MAX_OPEN_WAKEUPS, runningCount } from './agent.state';

/** How long an idempotency key is remembered. */
const KEY_LIFETIME_MS = 24 * 3_600_000;
/** How long a wakeup may wait for its agent. */
const DEFERRAL_LIFETIME_MS = 24 * 3_600_000;

/**
 * What becomes of a request to wake the agent: the order of the checks is the contract's ("Wakeups" in the
 * specification), and every outcome but a refusal and a repeat is an event.
 */
export function decideWakeup(command: RequestWakeup, state: RegisteredAgent): AgentEvent[] {
  if (findRepeat(command, state)) return [];
  refuseUnlessWakeable(state);
  const { request, wakeupId } = command;
  const id = { companyId: state.companyId, agentId: state.agentId, wakeupId };
  const requested = requestedEvent(command, state);

  const skipReason = reasonToSkip(request, state);
  if (skipReason) return [requested, { type: 'WakeupSkipped', data: { ...id, reason: skipReason } }];

  const enqueues = state.configuration.runtimeConfig.heartbeat.whenBusy === 'enqueue';
  const queued = enqueues ? undefined : startableRun(request.coalesceKey, state);
  if (queued) {
    return [
      requested,
      {
        type: 'WakeupCoalesced',
        data: { ...id, runId: queued.runId, intoWakeupId: null, reason: 'run.queued' },
      },
    ];
  }
  const deferred = enqueues ? undefined : waitingWakeup(request.coalesceKey, state);
  if (deferred) {
    const { runId, wakeupId: intoWakeupId } = deferred;
    return [
      requested,
      { type: 'WakeupCoalesced', data: { ...id, runId, intoWakeupId, reason: 'wakeup.deferred' } },
    ];
  }
  refuseTooManyOpen(state);
  if (enqueues || hasFreeSlot(request.coalesceKey, state)) {
    return [requested, queuedEvent(id, command.runId, request)];
  }
  return [requested, deferOrReject(command, state)];
}

/** The earlier use of the command's idempotency key, if it still counts. */
export function findRepeat(command: RequestWakeup, state: RegisteredAgent): KeyUse | undefined {
  const use = command.keyHash === null ? undefined : state.keys.get(command.keyHash);
  if (!use || Date.parse(command.at) - use.usedAtMs >= KEY_LIFETIME_MS) return undefined;
  if (use.requestHash !== command.requestHash) {
    throw new DomainError('idempotency_key_reused', undefined, { wakeupId: use.wakeupId });
  }
  return use;
}

function refuseUnlessWakeable(state: RegisteredAgent): void {
  if (state.status === 'active') return;
  throw new DomainError('agent_not_wakeable', `The agent is ${state.status}`, { status: state.status });
}

function reasonToSkip(request: WakeupRequest, state: RegisteredAgent): SkipReason | null {
  const policy = state.configuration.runtimeConfig.heartbeat;
  if (request.source === 'timer') return policy.enabled ? null : 'heartbeat.disabled';
  return policy.wakeOnDemand ? null : 'heartbeat.wakeOnDemand.disabled';
}

function refuseTooManyOpen(state: RegisteredAgent): void {
  if (state.wakeups.size < MAX_OPEN_WAKEUPS) return;
  throw new DomainError('too_many_open_wakeups', undefined, { limit: MAX_OPEN_WAKEUPS });
}

/** A queued run of this key that nothing but time keeps from starting. */
function startableRun(coalesceKey: string | null, state: RegisteredAgent): OpenRun | undefined {
  if (!hasFreeSlot(coalesceKey, state)) return undefined;
  for (const run of state.runs.values()) {
    if (run.status === 'queued' && run.coalesceKey === coalesceKey) return run;
  }
  return undefined;
}

/** A wakeup of this key that waits because the agent was busy. */
function waitingWakeup(coalesceKey: string | null, state: RegisteredAgent): OpenWakeup | undefined {
  for (const wakeup of state.wakeups.values()) {
    if (wakeup.status === 'deferred' && wakeup.coalesceKey === coalesceKey && !wakeup.deferral?.dueAt) {
      return wakeup;
    }
  }
  return undefined;
}

/**
 * Whether a run of this key could run beside those that run now: a slot of the policy is free, and no run of the same
 * key is running (they would share a session).
 */
export function hasFreeSlot(coalesceKey: string | null, state: RegisteredAgent): boolean {
  if (runningCount(state) >= state.configuration.runtimeConfig.heartbeat.maxConcurrentRuns) return false;
  for (const run of state.runs.values()) {
    if (run.status === 'running' && run.coalesceKey === coalesceKey) return false;
  }
  return true;
}

function deferOrReject(command: RequestWakeup, state: RegisteredAgent): AgentEvent {
  const { wakeupId, runId } = command;
  if (state.configuration.runtimeConfig.heartbeat.whenBusy === 'reject') throw new DomainError('agent_busy');
  const { companyId, agentId } = state;
  const deadlineAt = new Date(Date.parse(command.at) + DEFERRAL_LIFETIME_MS).toISOString();
  return {
    type: 'WakeupDeferred',
    data: { companyId, agentId, wakeupId, runId, reason: 'agent.busy', dueAt: null, deadlineAt },
  };
}

/**
 * The deferred wakeups for which there is a slot now become queued runs, oldest first. A queued run counts as one that
 * takes its slot, so that what is still waiting can go on collecting wakeups.
 */
export function decideRelease(state: RegisteredAgent): AgentEvent[] {
  if (state.status !== 'active') return [];
  const events: AgentEvent[] = [];
  const takenKeys = new Set<string | null>();
  for (const run of state.runs.values()) takenKeys.add(run.coalesceKey);
  let free = state.configuration.runtimeConfig.heartbeat.maxConcurrentRuns - state.runs.size;
  for (const wakeup of state.wakeups.values()) {
    if (free <= 0) break;
    if (wakeup.status !== 'deferred' || takenKeys.has(wakeup.coalesceKey)) continue;
    const { companyId, agentId } = state;
    events.push(queuedEvent({ companyId, agentId, wakeupId: wakeup.wakeupId }, wakeup.runId, wakeup));
    takenKeys.add(wakeup.coalesceKey);
    free -= 1;
  }
  return events;
}

function requestedEvent(command: RequestWakeup, state: RegisteredAgent): AgentEvent {
  const { wakeupId, request, at, keyHash, requestHash } = command;
  const { companyId, agentId } = state;
  return {
    type: 'WakeupRequested',
    data: { companyId, agentId, wakeupId, ...request, requestedAt: at, keyHash, requestHash },
  };
}

function queuedEvent(
  id: { companyId: string; agentId: string; wakeupId: string },
  runId: string,
  asked: Pick<WakeupRequest, 'source' | 'triggerDetail' | 'priority' | 'coalesceKey' | 'taskKey'>,
): AgentEvent {
  const { source, triggerDetail, priority, coalesceKey, taskKey } = asked;
  return {
    type: 'RunQueued',
    data: {
      ...id,
      runId,
      invocationSource: source,
      triggerDetail,
      priority,
      coalesceKey,
      taskKey,
      attempt: 1,
      retryOfRunId: null,
    },
  };
}
