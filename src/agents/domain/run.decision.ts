import { endOfMonth, monthOf } from '../../budgets/domain/spending';
import { DomainError } from '../../kernel/errors';
import type { CancelRun, FinishRun, ReapRun, RequestRunEnd, RunEnd, StartRun } from './agent.commands';
import type { AgentEvent, AgentStatus, EndCause, FinalRunStatus, RunFinished } from './agent.events';
import { endCauses } from './agent.events';
import type { OpenRun, RegisteredAgent, RunClaim } from './agent.state';
import {
  circuitOpenUntil,
  hasFreeSlot,
  isOverBudget,
  policyOf,
  quotaWindow,
  runningCount,
  sessionOf,
  startsOn,
} from './agent.state';
import { runLimits } from './policy';
import { followUpEvents, retryEvents, willRetry } from './run.aftermath';

/** The claim. Nothing is started beyond the policy that is in force at this revision. */
export function decideStart(command: StartRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  if (!run) throw notStartable('not_open');
  if (run.status === 'running') {
    if (run.claim?.claimId === command.claimId) return [];
    throw notStartable('claimed');
  }
  if (isPlacedElsewhere(command, state)) {
    throw notStartable('placed_elsewhere', null, { homeNodeId: state.homeNodeId });
  }
  if (state.status !== 'active') throw notStartable(state.status);
  if (command.companyPaused) throw notStartable('company.paused');
  if (command.companyOverBudget || isOverBudget(state, command.at)) {
    throw notStartable('budget.exceeded', endOfMonth(monthOf(command.at)));
  }
  const quotaUntil = quotaWindow(state, command.at);
  if (quotaUntil !== null) throw notStartable('quota.window', quotaUntil);
  if (!hasFreeSlot(run.coalesceKey, state)) throw notStartable('no_free_slot');
  if (run.notBefore !== null && run.notBefore > command.at) throw notStartable('not_before', run.notBefore);
  const { maxDailyRuns } = policyOf(state);
  if (maxDailyRuns !== null && startsOn(state, command.at) >= maxDailyRuns) {
    throw notStartable('daily_cap', nextDay(command.at));
  }
  refuseWhileCircuitOpen(run, command.at, state);
  const { companyId, agentId, configuration } = state;
  return [
    {
      type: 'RunStarted',
      data: {
        companyId,
        agentId,
        runId: run.runId,
        wakeupId: run.wakeupId,
        invocationSource: run.source,
        triggerDetail: run.triggerDetail,
        nodeId: command.nodeId,
        claimId: command.claimId,
        attempt: run.attempt,
        startedAt: command.at,
        taskKey: run.taskKey,
        sessionIdBefore: sessionOf(state, run.taskKey),
        adapterType: configuration.adapterType,
        configurationRevision: state.configurationRevision,
        limits: runLimits(configuration.runtimeConfig.heartbeat),
        lastHeartbeatAt: state.lastHeartbeatAt,
      },
    },
  ];
}

/** Retries and follow-ups were never asked about the circuit: it holds them here. Who starts by hand passes it. */
function refuseWhileCircuitOpen(run: OpenRun, at: string, state: RegisteredAgent): void {
  const coolUntil = circuitOpenUntil(state);
  if (coolUntil === null || run.triggerDetail === 'manual') return;
  if (at < coolUntil) throw notStartable('circuit.open', coolUntil);
  if (runningCount(state) > 0) throw notStartable('circuit.open');
}

/** The first node that starts it is its home, for as long as its policy does not let it go. */
function isPlacedElsewhere(
  { nodeId, freeAdapterTypes, goneNodeId }: StartRun,
  state: RegisteredAgent,
): boolean {
  const { homeNodeId, configuration } = state;
  const isFree = policyOf(state).placement === 'any' || freeAdapterTypes.includes(configuration.adapterType);
  return !isFree && homeNodeId !== null && homeNodeId !== nodeId && homeNodeId !== goneNodeId;
}

/** @param until when time alone will have changed that, ISO 8601 */
function notStartable(because: string, until: string | null = null, more: object = {}): DomainError {
  return new DomainError('run_not_startable', undefined, { because, until, ...more });
}

function nextDay(at: string): string {
  const midnight = new Date(`${at.slice(0, 10)}T00:00:00.000Z`);
  return new Date(midnight.getTime() + 24 * 3_600_000).toISOString();
}

export function decideCancel(command: CancelRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  return run ? endRun(run, 'cancel', command.at, state) : [];
}

export function decideRequestEnd(command: RequestRunEnd, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  return run ? endRun(run, command.cause, command.at, state) : [];
}

/** A queued run is over at once; a running one is asked to end, once: the first cause stands. */
export function endRun(run: OpenRun, cause: EndCause, at: string, state: RegisteredAgent): AgentEvent[] {
  if (run.status === 'queued') return [finishedUnstarted(run, cause, at, state)];
  if (run.endCause) return [];
  const { companyId, agentId } = state;
  return [
    { type: 'RunEndRequested', data: { companyId, agentId, runId: run.runId, cause, requestedAt: at } },
  ];
}

export function decideFinish(command: FinishRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  if (!run) return [];
  if (run.claim?.claimId !== command.claimId || run.claim.nodeId !== command.nodeId) {
    throw new DomainError('claim_lost', undefined, { runId: run.runId });
  }
  return finishClaimed(run, run.claim, command, state);
}

/** Whoever finds a run whose node is gone may end it, but no other run than the one that it has found. */
export function decideReap(command: ReapRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  if (!run?.claim || run.claim.claimId !== command.claimId) return [];
  return finishClaimed(run, run.claim, command, state);
}

/**
 * The end of a claimed run. An ending that was recorded first decides the outcome, whatever the process did after it.
 */
function finishClaimed(run: OpenRun, claim: RunClaim, command: RunEnd, state: RegisteredAgent): AgentEvent[] {
  const { outcome } = command;
  const verdict = weighOutcome(run, outcome);
  const { status, errorCode, error } = verdict;
  const retries = willRetry(run, verdict, state);
  return [
    {
      type: 'RunFinished',
      data: {
        companyId: state.companyId,
        agentId: state.agentId,
        runId: run.runId,
        wakeupId: run.wakeupId,
        nodeId: claim.nodeId,
        claimId: claim.claimId,
        startedAt: run.startedAt,
        finishedAt: command.at,
        invocationSource: run.source,
        triggerDetail: run.triggerDetail,
        taskKey: run.taskKey,
        status,
        willRetry: retries,
        errorCode,
        error,
        exitCode: outcome.exitCode,
        signal: outcome.signal,
        exitedAt: outcome.exitedAt,
        endCause: run.endCause,
        lastRunning: runningCount(state) === 1,
        agentStatus: statusAfter(status, state),
        sessionIdBefore: claim.sessionIdBefore,
        sessionIdAfter: sessionAfter(run, outcome, state),
        sessionReset: run.sessionReset,
        report: outcome.report,
        settlement: command.settlement,
        log: outcome.log,
      },
    },
    ...(retries ? retryEvents(command, run, state) : followUpEvents(command, run, state)),
  ];
}

/** What the agent is when a running run has ended so. */
function statusAfter(ended: FinalRunStatus, state: RegisteredAgent): AgentStatus {
  if (state.status !== 'active') return state.status;
  if (state.budget.stop !== null) return 'paused';
  if (runningCount(state) > 1) return 'running';
  return ended === 'failed' || ended === 'timed_out' ? 'error' : 'idle';
}

interface Verdict {
  status: FinalRunStatus;
  errorCode: string | null;
  error: string | null;
}

function weighOutcome(run: OpenRun, outcome: RunEnd['outcome']): Verdict {
  const { errorCode, error, exitCode, report } = outcome;
  // A process that outlived SIGKILL is reported as such, whatever it was to be ended for.
  if (errorCode === 'kill_failed') return { status: 'failed', errorCode, error };
  if (run.endCause) return endCauses[run.endCause];
  if (errorCode) return { status: 'failed', errorCode, error };
  if (report?.errorMessage) {
    return { status: 'failed', errorCode: 'adapter_failed', error: report.errorMessage };
  }
  if (exitCode === null || exitCode === 0) return { status: 'succeeded', errorCode: null, error: null };
  return { status: 'failed', errorCode: 'adapter_failed', error: 'Adapter failed' };
}

function sessionAfter(run: OpenRun, outcome: RunEnd['outcome'], state: RegisteredAgent): string | null {
  const current = sessionOf(state, run.taskKey);
  if (run.sessionReset) return current;
  if (outcome.report?.clearSession) return null;
  return outcome.report?.sessionId ?? current;
}

function finishedUnstarted(run: OpenRun, cause: EndCause, at: string, state: RegisteredAgent): RunFinished {
  const { status, errorCode, error } = endCauses[cause];
  return {
    type: 'RunFinished',
    data: {
      companyId: state.companyId,
      agentId: state.agentId,
      runId: run.runId,
      wakeupId: run.wakeupId,
      nodeId: null,
      claimId: null,
      startedAt: null,
      finishedAt: at,
      invocationSource: run.source,
      triggerDetail: run.triggerDetail,
      taskKey: run.taskKey,
      status,
      willRetry: false,
      errorCode,
      error,
      exitCode: null,
      signal: null,
      exitedAt: null,
      endCause: cause,
      lastRunning: false,
      agentStatus: null,
      sessionIdBefore: null,
      sessionIdAfter: null,
      sessionReset: false,
      report: null,
      settlement: null,
      log: null,
    },
  };
}
