import type { Saga, SagaCommand } from '../../processing/saga';
import type { AgentEvent } from '../domain/agent.events';

/** Whatever may have made room for a deferred wakeup makes the agent look at those it has. */
export const deferredReleaseSaga: Saga<Handled, ReleaseCommand> = {
  name: 'deferred_release',
  handles: ['RunFinished', 'AgentResumed', 'AgentUpdated', 'AgentBudgetRestored', 'SessionReset'],
  react({ event }) {
    const { companyId, agentId } = event.data;
    return [{ type: 'ReleaseDeferredWakeups', key: agentId, companyId, agentId }];
  },
};

type Handled = Extract<
  AgentEvent,
  { type: 'RunFinished' | 'AgentResumed' | 'AgentUpdated' | 'AgentBudgetRestored' | 'SessionReset' }
>;

export interface ReleaseCommand extends SagaCommand {
  type: 'ReleaseDeferredWakeups';
  companyId: string;
  agentId: string;
}
