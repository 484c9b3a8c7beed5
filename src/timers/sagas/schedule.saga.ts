import type { AgentEvent } from '../../agents/domain/agent.events';
import type { Saga, SagaCommand } from '../../processing/saga';

/** An agent's timer is set when the agent comes into being, and again when its policy may have changed it. */
export const scheduleSaga: Saga<Handled, ScheduleCommand> = {
  name: 'schedule',
  handles: ['AgentRegistered', 'AgentUpdated'],
  react({ event }) {
    if (event.type === 'AgentUpdated' && !event.data.changed.includes('runtimeConfig')) return [];
    const { companyId, agentId } = event.data;
    return [{ type: 'SetTimer', key: agentId, companyId, agentId }];
  },
};

type Handled = Extract<AgentEvent, { type: 'AgentRegistered' | 'AgentUpdated' }>;

export interface ScheduleCommand extends SagaCommand {
  type: 'SetTimer';
  companyId: string;
  agentId: string;
}
