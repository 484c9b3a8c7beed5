import type { RunEnd } from './agent.commands';
import type { AgentEvent, FinalRunStatus } from './agent.events';
import type { AbsorbedWakeup, OpenRun, OpenWakeup, RegisteredAgent } from './agent.state';
import { policyOf, wakeupOf } from './agent.state';
import { coalesced, queuedEvent } from './wakeup.decision';

const LONGEST_BACKOFF_MS = 24 * 3_600_000;

/**
 * Whether the policy gives the run another attempt. An ending that somebody wanted is never tried again, and no second
 * process is started beside one that could not be killed.
 */
export function willRetry(
  run: OpenRun,
  { status, errorCode }: { status: FinalRunStatus; errorCode: string | null },
  state: RegisteredAgent,
): boolean {
  if (status !== 'failed' && status !== 'timed_out') return false;
  if (errorCode === 'kill_failed') return false;
  const { retry } = policyOf(state);
  const isOpen = state.status === 'active' || state.status === 'paused';
  return isOpen && retry !== null && run.attempt < retry.maxAttempts;
}

/**
 * The next attempt, after a pause that doubles each time. A wakeup that waited for the agent is absorbed: the retry
 * takes the run that was reserved for it, so what has joined that wakeup is right there.
 */
export function retryEvents(command: RunEnd, run: OpenRun, state: RegisteredAgent): AgentEvent[] {
  const { companyId, agentId } = state;
  const wakeup = wakeupOf(state, run.wakeupId);
  const waiting = waitingFor(run, state);
  const runId = waiting?.runId ?? command.nextRunId;
  const { source, triggerDetail, priority, coalesceKey, taskKey } = wakeup;
  return [
    {
      type: 'RunQueued',
      data: {
        companyId,
        agentId,
        runId,
        wakeupId: wakeup.wakeupId,
        invocationSource: source,
        triggerDetail,
        priority,
        coalesceKey,
        taskKey,
        attempt: run.attempt + 1,
        retryOfRunId: run.runId,
        notBefore: retryAt(command, run, state),
        inherited: inheritedFrom(wakeup),
      },
    },
    ...(waiting ? [coalesced(waiting, runId, null, 'retry.waiting', state)] : []),
    ...lateOf(command, run).map((late) => coalesced(late, runId, null, 'retry.waiting', state)),
  ];
}

/** Under `whenBusy: coalesce`: what came after the process had exited was not covered by it, and gets one follow-up. */
export function followUpEvents(command: RunEnd, run: OpenRun, state: RegisteredAgent): AgentEvent[] {
  const late = lateOf(command, run);
  const [first] = late;
  if (!first || state.status === 'terminated') return [];
  const { companyId, agentId } = state;
  const runId = command.nextRunId;
  return [
    queuedEvent({ companyId, agentId, wakeupId: first.wakeupId, runId }, first),
    ...late.map((absorbed) => coalesced(absorbed, runId, null, 'run.exited', state)),
  ];
}

function lateOf({ outcome }: RunEnd, run: OpenRun): AbsorbedWakeup[] {
  const exitedMs = outcome.exitedAt === null ? Infinity : Date.parse(outcome.exitedAt);
  return run.absorbed.filter(({ requestedMs }) => requestedMs > exitedMs);
}

function waitingFor(run: OpenRun, state: RegisteredAgent): OpenWakeup | undefined {
  for (const wakeup of state.wakeups.values()) {
    if (wakeup.deferral?.reason === 'agent.busy' && wakeup.coalesceKey === run.coalesceKey) return wakeup;
  }
  return undefined;
}

function inheritedFrom(wakeup: OpenWakeup) {
  const [, ...others] = wakeup.requests;
  if (others.length === 0) return null;
  return { wakeupIds: others.map(({ wakeupId }) => wakeupId), coalescedCount: wakeup.coalescedCount };
}

/** Between the whole pause and half more, so that agents that failed together don't come back together. */
function retryAt({ at, jitter }: RunEnd, run: OpenRun, state: RegisteredAgent): string {
  const backoffMs = (policyOf(state).retry?.backoffSec ?? 0) * 1_000 * 2 ** (run.attempt - 1);
  const pauseMs = Math.min(backoffMs, LONGEST_BACKOFF_MS) * (1 + jitter / 2);
  return new Date(Date.parse(at) + Math.round(pauseMs)).toISOString();
}
