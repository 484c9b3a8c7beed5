import type { AgentEvent } from '../../agents/domain/agent.events';
import type { Projection } from '../../processing/projection';

/** A time at which an agent has to be looked at: its timer, or a wakeup that waits until then or no longer. */
export interface AlarmDocument {
  companyId: string;
  agentId: string;
  /** ISO 8601. */
  dueAt: string;
}

type Handled = Extract<
  AgentEvent,
  {
    type:
      | 'AgentTerminated'
      | 'TimerScheduled'
      | 'WakeupDeferred'
      | 'WakeupCoalesced'
      | 'WakeupSkipped'
      | 'WakeupCancelled'
      | 'WakeupExpired'
      | 'RunQueued';
  }
>;

/** What is due next, whoever it is: a look at it costs the same for ten agents and for a hundred thousand. */
export const alarmsProjection: Projection<AlarmDocument, Handled> = {
  name: 'alarms',
  version: 1,
  fields: { dueAt: 'text' },
  indexes: [['dueAt']],
  handles: [
    'AgentTerminated',
    'TimerScheduled',
    'WakeupDeferred',
    'WakeupCoalesced',
    'WakeupSkipped',
    'WakeupCancelled',
    'WakeupExpired',
    'RunQueued',
  ],
  id: ({ event }) =>
    event.type === 'TimerScheduled' || event.type === 'AgentTerminated'
      ? event.data.agentId
      : event.data.wakeupId,
  evolve(_document, { event }) {
    const { companyId, agentId } = event.data;
    switch (event.type) {
      case 'TimerScheduled': {
        const { due } = event.data;
        return due && { companyId, agentId, dueAt: due.at };
      }
      case 'WakeupDeferred': {
        const { reason, dueAt, deadlineAt } = event.data;
        return { companyId, agentId, dueAt: reason === 'not.before' && dueAt !== null ? dueAt : deadlineAt };
      }
      default:
        return null;
    }
  },
};
