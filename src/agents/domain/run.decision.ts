import { DomainError } from '../../kernel/errors';
import type { CancelRun, FinishRun, RequestRunEnd, StartRun } from './agent.commands';
import type { AgentEvent, EndCause, FinalRunStatus, RunFinished } from './agent.events';
import { endCauses } from './agent.events';
import type { OpenRun, RegisteredAgent } from './agent.state';
import { runningCount } from './agent.state';
import { runLimits } from './policy';
import { hasFreeSlot } from './wakeup.decision';

/** The claim. Nothing is started beyond the policy that is in force at this revision. */
export function decideStart(command: StartRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  if (!run) throw notStartable('not_open');
  if (run.status === 'running') {
    if (run.claim?.claimId === command.claimId) return [];
    throw notStartable('claimed');
  }
  if (state.status !== 'active') throw notStartable(state.status);
  if (!hasFreeSlot(run.coalesceKey, state)) throw notStartable('no_free_slot');
  const { companyId, agentId, configuration, sessionId } = state;
  return [
    {
      type: 'RunStarted',
      data: {
        companyId,
        agentId,
        runId: run.runId,
        wakeupId: run.wakeupId,
        nodeId: command.nodeId,
        claimId: command.claimId,
        attempt: run.attempt,
        sessionIdBefore: sessionId,
        adapterType: configuration.adapterType,
        limits: runLimits(configuration.runtimeConfig.heartbeat),
      },
    },
  ];
}

function notStartable(because: string): DomainError {
  return new DomainError('run_not_startable', undefined, { because });
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
  if (run.status === 'queued') return [finishedUnstarted(run, cause, state)];
  if (run.endCause) return [];
  const { companyId, agentId } = state;
  return [
    { type: 'RunEndRequested', data: { companyId, agentId, runId: run.runId, cause, requestedAt: at } },
  ];
}

/**
 * The end of a claimed run. An ending that was recorded first decides the outcome, whatever the process did after it.
 */
export function decideFinish(command: FinishRun, state: RegisteredAgent): AgentEvent[] {
  const run = state.runs.get(command.runId);
  if (!run) return [];
  if (run.claim?.claimId !== command.claimId || run.claim.nodeId !== command.nodeId) {
    throw new DomainError('claim_lost', undefined, { runId: run.runId });
  }
  const { outcome } = command;
  const { status, errorCode, error } = weighOutcome(run, outcome);
  return [
    {
      type: 'RunFinished',
      data: {
        companyId: state.companyId,
        agentId: state.agentId,
        runId: run.runId,
        wakeupId: run.wakeupId,
        nodeId: command.nodeId,
        claimId: command.claimId,
        status,
        errorCode,
        error,
        exitCode: outcome.exitCode,
        signal: outcome.signal,
        exitedAt: outcome.exitedAt,
        endCause: run.endCause,
        lastRunning: runningCount(state) === 1,
        sessionIdBefore: run.claim.sessionIdBefore,
        sessionIdAfter: sessionAfter(run, outcome, state),
        sessionReset: run.sessionReset,
        report: outcome.report,
        log: outcome.log,
      },
    },
  ];
}

interface Verdict {
  status: FinalRunStatus;
  errorCode: string | null;
  error: string | null;
}

function weighOutcome(run: OpenRun, outcome: FinishRun['outcome']): Verdict {
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

function sessionAfter(run: OpenRun, outcome: FinishRun['outcome'], state: RegisteredAgent): string | null {
  if (run.sessionReset) return state.sessionId;
  if (outcome.report?.clearSession) return null;
  return outcome.report?.sessionId ?? state.sessionId;
}

function finishedUnstarted(run: OpenRun, cause: EndCause, state: RegisteredAgent): RunFinished {
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
      status,
      errorCode,
      error,
      exitCode: null,
      signal: null,
      exitedAt: null,
      endCause: cause,
      lastRunning: false,
      sessionIdBefore: null,
      sessionIdAfter: null,
      sessionReset: false,
      report: null,
      log: null,
    },
  };
}
