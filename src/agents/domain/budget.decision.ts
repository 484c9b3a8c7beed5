import type { BudgetChange } from '../../budgets/domain/budget';
import { changeBudget, endsRuns, reviewBudget } from '../../budgets/domain/budget';
import { assertNever } from '../../kernel/decider';
import { DomainError } from '../../kernel/errors';
import type { ChangeBudget, ReviewBudget } from './agent.commands';
import type { AgentEvent, AgentStatus } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import { runningCount } from './agent.state';
import { endRun } from './run.decision';

/** @throws DomainError `agent_status_conflict` */
export function decideChangeBudget(
  { budget, spending, at }: ChangeBudget,
  state: RegisteredAgent,
): AgentEvent[] {
  if (state.status === 'terminated') {
    throw new DomainError('agent_status_conflict', 'The agent is terminated', { status: state.status });
  }
  const changes = changeBudget(state.budget, budget, spending, runningCount(state) > 0);
  // Nothing of an agent that waits for its approval could be stopped.
  const told = state.status === 'pending_approval' ? changes.slice(0, 1) : changes;
  return told.flatMap((change) => eventsOf(change, at, state));
}

export function decideReviewBudget({ spending, at }: ReviewBudget, state: RegisteredAgent): AgentEvent[] {
  if (state.status === 'pending_approval') return [];
  // Whoever is gone for good is not stopped any more, but a stop that is over is put away.
  const standing = state.status === 'terminated' ? { ...state.budget, budget: null } : state.budget;
  const changes = reviewBudget(standing, spending, runningCount(state) > 0);
  return changes.flatMap((change) => eventsOf(change, at, state));
}

function eventsOf(change: BudgetChange, at: string, state: RegisteredAgent): AgentEvent[] {
  const { companyId, agentId, lastHeartbeatAt } = state;
  switch (change.kind) {
    case 'changed':
      return [{ type: 'AgentBudgetChanged', data: { companyId, agentId, budget: change.budget } }];
    case 'warned':
      return [{ type: 'AgentBudgetWarned', data: { companyId, agentId, ...change.notice } }];
    case 'exceeded': {
      const agentStatus = statusWith('paused', state);
      const data = { companyId, agentId, ...change.notice, agentStatus, lastHeartbeatAt };
      const running = [...state.runs.values()].filter(({ status }) => status === 'running');
      const ended = endsRuns(change.notice) ? running : [];
      return [
        { type: 'AgentBudgetExceeded', data },
        ...ended.flatMap((run) => endRun(run, 'budget', at, state)),
      ];
    }
    case 'restored': {
      const agentStatus = statusWith(runningCount(state) > 0 ? 'running' : 'idle', state);
      const { reason } = change;
      return [
        { type: 'AgentBudgetRestored', data: { companyId, agentId, reason, agentStatus, lastHeartbeatAt } },
      ];
    }
    default:
      return assertNever(change, 'budget change');
  }
}

/** What a person decided goes before what the budget makes of the agent. */
function statusWith(byBudget: AgentStatus, { status }: RegisteredAgent): AgentStatus {
  return status === 'active' ? byBudget : status;
}
