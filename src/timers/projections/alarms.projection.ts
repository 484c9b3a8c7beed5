import type { AgentEvent } from '../../agents/domain/agent.events';
import type { CompanyEvent } from '../../companies/domain/company.events';
import { endOfMonth } from '../../budgets/domain/spending';
import type { Projection } from '../../processing/projection';

/**
 * A time at which an agent has to be looked at: its timer, a wakeup that waits until then or no longer, or the month
 * after the one whose budget is used up. That last one may be a company's.
 */
export interface AlarmDocument {
  companyId: string;
  /** null: the company itself. */
  agentId: string | null;
  /** ISO 8601. */
  dueAt: string;
}

type Handled = Extract<
  AgentEvent | CompanyEvent,
  {
    type:
      | BudgetStopType
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

type BudgetStopType =
  'AgentBudgetExceeded' | 'AgentBudgetRestored' | 'CompanyBudgetExceeded' | 'CompanyBudgetRestored';

/** What is due next, whoever it is: a look at it costs the same for ten agents and for a hundred thousand. */
export const alarmsProjection: Projection<AlarmDocument, Handled> = {
  name: 'alarms',
  version: 2,
  fields: { dueAt: 'text' },
  indexes: [['dueAt']],
  handles: [
    'AgentBudgetExceeded',
    'AgentBudgetRestored',
    'CompanyBudgetExceeded',
    'CompanyBudgetRestored',
    'AgentTerminated',
    'TimerScheduled',
    'WakeupDeferred',
    'WakeupCoalesced',
    'WakeupSkipped',
    'WakeupCancelled',
    'WakeupExpired',
    'RunQueued',
  ],
  id: ({ event: { type, data } }) => {
    switch (type) {
      case 'AgentBudgetExceeded':
      case 'AgentBudgetRestored':
        return `budget of ${data.agentId}`;
      case 'CompanyBudgetExceeded':
      case 'CompanyBudgetRestored':
        return `budget of ${data.companyId}`;
      case 'TimerScheduled':
      case 'AgentTerminated':
        return data.agentId;
      default:
        return data.wakeupId;
    }
  },
  evolve(_document, { event }) {
    const { companyId } = event.data;
    const agentId = 'agentId' in event.data ? event.data.agentId : null;
    switch (event.type) {
      case 'AgentBudgetExceeded':
      case 'CompanyBudgetExceeded':
        return { companyId, agentId, dueAt: endOfMonth(event.data.month) };
      case 'TimerScheduled': {
        const { due } = event.data;
        return due && { companyId, agentId, dueAt: due.at };
      }
      case 'WakeupDeferred': {
        const { reason, dueAt, deadlineAt } = event.data;
        const waitsForItsTime = reason === 'not.before' || reason === 'quota.window';
        return { companyId, agentId, dueAt: waitsForItsTime && dueAt !== null ? dueAt : deadlineAt };
      }
      default:
        return null;
    }
  },
};
