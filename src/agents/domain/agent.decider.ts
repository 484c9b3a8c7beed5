import { canonicalJson } from '../../kernel/canonical-json';
import type { Decider } from '../../kernel/decider';
import { assertNever } from '../../kernel/decider';
import { DomainError } from '../../kernel/errors';
import type { AgentCommand, RegisterAgent, UpdateAgent } from './agent.commands';
import type { AgentConfiguration, AgentEvent } from './agent.events';
import { evolveAgent, initialAgent } from './agent.evolve';
import type { AgentState, RegisteredAgent } from './agent.state';
import { decideChangeBudget, decideReviewBudget } from './budget.decision';
import { runningCount } from './agent.state';
import { cancelled, decideCancelWakeup, decideDue, decideRelease, decideSchedule } from './due.decision';

import {
  decideCancel,
  decideFinish,
  decideReap,
  decideRequestEnd,
  decideStart,
  endRun,
} from './run.decision';
import { decideWakeup } from './wakeup.decision';

/** The agent is the consistency boundary: whatever must not happen twice or too often is decided here, on its stream. */
export const agentDecider: Decider<AgentState, AgentCommand, AgentEvent> = {
  initial: initialAgent,
  evolve: evolveAgent,
  decide: decideAgent,
};

function decideAgent(command: AgentCommand, state: AgentState): readonly AgentEvent[] {
  if (command.type === 'RegisterAgent') return register(command, state);
  if (state.status === 'unregistered') throw new DomainError('agent_not_found');
  const id = { companyId: state.companyId, agentId: state.agentId };
  switch (command.type) {
    case 'UpdateAgent':
      return update(command, state);
    case 'ApproveAgent':
      refuseStatus(state, 'terminated');
      return state.status === 'pending_approval' ? [{ type: 'AgentApproved', data: id }] : [];
    case 'PauseAgent':
      return pause(command, state);
    case 'ResumeAgent':
      refuseStatus(state, 'terminated', 'pending_approval');
      return resume(state);
    case 'TerminateAgent':
      return terminate(command.at, state);
    case 'ChangeBudget':
      return decideChangeBudget(command, state);
    case 'ReviewBudget':
      return decideReviewBudget(command, state);
    case 'RequestWakeup':
      return decideWakeup(command, state);
    case 'CancelWakeup':
      return decideCancelWakeup(command, state);
    case 'ReleaseDeferredWakeups':
      return decideRelease(command, state);
    case 'ScheduleTimer':
      return decideSchedule(command, state);
    case 'HandleDue':
      return decideDue(command, state);
    case 'StartRun':
      return decideStart(command, state);
    case 'CancelRun':
      return decideCancel(command, state);
    case 'RequestRunEnd':
      return decideRequestEnd(command, state);
    case 'FinishRun':
      return decideFinish(command, state);
    case 'ReapRun':
      return decideReap(command, state);
    case 'ResetSession':
      return [{ type: 'SessionReset', data: { ...id, taskKey: command.taskKey } }];
    default:
      return assertNever(command, 'agent command');
  }
}

function register(command: RegisterAgent, state: AgentState): AgentEvent[] {
  if (state.status !== 'unregistered') return [];
  const { companyId, agentId, externalKey, requiresApproval, configuration } = command;
  return [
    {
      type: 'AgentRegistered',
      data: { companyId, agentId, ...configuration, externalKey, requiresApproval },
    },
  ];
}

function update(command: UpdateAgent, state: RegisteredAgent): AgentEvent[] {
  refuseStatus(state, 'terminated');
  if (command.baseVersion !== state.version) {
    throw new DomainError('version_conflict', undefined, { version: state.version });
  }
  const { configuration } = command;
  const fields = Object.keys(configuration) as (keyof AgentConfiguration)[];
  const changed = fields.filter(
    (field) => canonicalJson(configuration[field]) !== canonicalJson(state.configuration[field]),
  );
  if (changed.length === 0) return [];
  const { companyId, agentId } = state;
  return [{ type: 'AgentUpdated', data: { companyId, agentId, ...configuration, changed } }];
}

/** Active runs are ended; what waits is held. */
function pause({ reason, at }: { reason: string; at: string }, state: RegisteredAgent): AgentEvent[] {
  refuseStatus(state, 'terminated', 'pending_approval');
  if (state.status === 'paused') return [];
  const { companyId, agentId, lastHeartbeatAt } = state;
  const running = [...state.runs.values()].filter((run) => run.status === 'running');
  return [
    { type: 'AgentPaused', data: { companyId, agentId, reason, lastHeartbeatAt } },
    ...running.flatMap((run) => endRun(run, 'pause', at, state)),
  ];
}

/** Runs that the pause is still ending keep the agent running; what its budget has stopped stays so. */
function resume(state: RegisteredAgent): AgentEvent[] {
  if (state.status !== 'paused') return [];
  const { companyId, agentId, lastHeartbeatAt } = state;
  const resting = state.budget.stop === null ? 'idle' : 'paused';
  const agentStatus = resting === 'idle' && runningCount(state) > 0 ? 'running' : resting;
  return [{ type: 'AgentResumed', data: { companyId, agentId, agentStatus, lastHeartbeatAt } }];
}

/** Terminal means terminal: runs are ended, and whatever waits is cancelled. */
function terminate(at: string, state: RegisteredAgent): AgentEvent[] {
  if (state.status === 'terminated') return [];
  const { companyId, agentId, lastHeartbeatAt } = state;
  const waiting = [...state.wakeups.values()].filter((wakeup) => wakeup.status === 'deferred');
  return [
    { type: 'AgentTerminated', data: { companyId, agentId, lastHeartbeatAt } },
    ...[...state.runs.values()].flatMap((run) => endRun(run, 'terminate', at, state)),
    ...waiting.map((wakeup) => cancelled(wakeup, 'agent.terminated', state)),
  ];
}

function refuseStatus(state: RegisteredAgent, ...refused: RegisteredAgent['status'][]): void {
  if (!refused.includes(state.status)) return;
  throw new DomainError('agent_status_conflict', `The agent is ${state.status}`, { status: state.status });
}
