import type { BudgetChange, BudgetStanding } from '../../budgets/domain/budget';
import { afterChange, NO_BUDGET } from '../../budgets/domain/budget';
import type { Spending } from '../../budgets/domain/spending';
import { monthOf, noSpending, withEntry, withStart } from '../../budgets/domain/spending';
import type { LedgerEvent } from '../../costs/domain/ledger';
import { entryOf } from '../../costs/domain/ledger';
import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type { AgentConfiguration, AgentEvent, RunFinished } from '../domain/agent.events';

export interface AgentDocument extends AgentConfiguration {
  id: string;
  companyId: string;
  externalKey: string | null;
  requiresApproval: boolean;
  status: 'pending_approval' | 'idle' | 'running' | 'error' | 'paused' | 'terminated';
  statusReason: string | null;
  lastHeartbeatAt: string | null;
  activeRunIds: string[];
  version: number;
  createdAt: string;
  registeredPosition: string;
  /** What the status is when nothing runs and nobody holds the agent. */
  restingStatus: 'idle' | 'error';
  hold: 'pending_approval' | 'paused' | 'terminated' | null;
  /** Why a person has paused it; null: nobody has. */
  pauseReason: string | null;
  nextDueAt: string | null;
  /** Of the newest UTC month in which anything was booked or started. */
  spent: Spending;
  budget: BudgetStanding;
}

type Handled =
  | LedgerEvent
  | Extract<
      AgentEvent,
      {
        type:
          | 'AgentRegistered'
          | 'AgentUpdated'
          | 'AgentApproved'
          | 'AgentPaused'
          | 'AgentResumed'
          | 'AgentTerminated'
          | 'AgentBudgetChanged'
          | 'AgentBudgetWarned'
          | 'AgentBudgetExceeded'
          | 'AgentBudgetRestored'
          | 'TimerScheduled'
          | 'RunStarted';
      }
    >;

export const agentsProjection: Projection<AgentDocument, Handled> = {
  name: 'agents',
  version: 4,
  fields: { companyId: 'text', status: 'text', registeredPosition: 'position' },
  indexes: [
    ['companyId', 'registeredPosition'],
    ['companyId', 'status', 'registeredPosition'],
  ],
  handles: [
    'AgentRegistered',
    'AgentUpdated',
    'AgentApproved',
    'AgentPaused',
    'AgentResumed',
    'AgentTerminated',
    'AgentBudgetChanged',
    'AgentBudgetWarned',
    'AgentBudgetExceeded',
    'AgentBudgetRestored',
    'TimerScheduled',
    'RunStarted',
    'UsageBooked',
    'RunFinished',
  ],
  id: ({ event }) => event.data.agentId,
  evolve(document, recorded) {
    if (recorded.event.type === 'AgentRegistered') return registered(recorded);
    if (!document) throw new Error(`${recorded.event.type} of an agent that was never registered`);
    const next = changed(document, recorded);
    return { ...next, ...shownStatus(next) };
  },
};

/** What a person has decided goes before what the budget has, and both before what the agent does. */
function shownStatus(agent: AgentDocument): Pick<AgentDocument, 'status' | 'statusReason'> {
  const { hold, pauseReason, budget, activeRunIds, restingStatus } = agent;
  if (hold !== null) return { status: hold, statusReason: hold === 'paused' ? pauseReason : null };
  if (budget.stop !== null) return { status: 'paused', statusReason: 'budget.exceeded' };
  return { status: activeRunIds.length > 0 ? 'running' : restingStatus, statusReason: null };
}

function registered({ event, metadata, position }: Recorded<Handled>): AgentDocument {
  if (event.type !== 'AgentRegistered') throw new Error(`not a registration: ${event.type}`);
  const { agentId, companyId, externalKey, requiresApproval, ...configuration } = event.data;
  const { name, adapterType, adapterConfig, runtimeConfig } = configuration;
  return {
    id: agentId,
    companyId,
    externalKey,
    name,
    adapterType,
    adapterConfig,
    runtimeConfig,
    requiresApproval,
    status: requiresApproval ? 'pending_approval' : 'idle',
    statusReason: null,
    lastHeartbeatAt: null,
    activeRunIds: [],
    version: 1,
    createdAt: metadata.at,
    registeredPosition: position.toString(),
    restingStatus: 'idle',
    hold: requiresApproval ? 'pending_approval' : null,
    pauseReason: null,
    nextDueAt: null,
    spent: noSpending(monthOf(metadata.at)),
    budget: NO_BUDGET,
  };
}

function changed(document: AgentDocument, { event, metadata }: Recorded<Handled>): AgentDocument {
  switch (event.type) {
    case 'AgentRegistered':
      throw new Error('an agent is registered once');
    case 'AgentUpdated': {
      const { name, adapterType, adapterConfig, runtimeConfig } = event.data;
      return { ...document, name, adapterType, adapterConfig, runtimeConfig, version: document.version + 1 };
    }
    case 'AgentApproved':
      return { ...document, hold: null };
    case 'AgentResumed':
      return { ...document, hold: null, pauseReason: null, restingStatus: 'idle' };
    case 'AgentPaused':
      return { ...document, hold: 'paused', pauseReason: event.data.reason };
    case 'AgentTerminated':
      return { ...document, hold: 'terminated', nextDueAt: null };
    case 'AgentBudgetChanged':
      return withBudget(document, { kind: 'changed', budget: event.data.budget });
    case 'AgentBudgetWarned':
      return withBudget(document, { kind: 'warned', notice: event.data });
    case 'AgentBudgetExceeded':
      return withBudget(document, { kind: 'exceeded', notice: event.data });
    case 'AgentBudgetRestored':
      return {
        ...withBudget(document, { kind: 'restored', reason: event.data.reason }),
        restingStatus: 'idle',
      };
    case 'TimerScheduled':
      return { ...document, nextDueAt: event.data.due?.at ?? null };
    case 'RunStarted': {
      const activeRunIds = [...document.activeRunIds, event.data.runId];
      return { ...document, activeRunIds, spent: withStart(document.spent, metadata.at) };
    }
    case 'UsageBooked':
      return { ...document, spent: withEntry(document.spent, entryOf(event), metadata.at) };
    case 'RunFinished': {
      const spent = withEntry(document.spent, entryOf(event), metadata.at);
      return finished({ ...document, spent }, event.data, metadata.at);
    }
  }
}

function finished(document: AgentDocument, data: RunFinished['data'], at: string): AgentDocument {
  if (data.claimId === null) return document;
  const failed = data.status === 'failed' || data.status === 'timed_out';
  return {
    ...document,
    activeRunIds: document.activeRunIds.filter((runId) => runId !== data.runId),
    restingStatus: data.lastRunning ? (failed ? 'error' : 'idle') : document.restingStatus,
    lastHeartbeatAt: at,
  };
}

function withBudget(document: AgentDocument, change: BudgetChange): AgentDocument {
  return { ...document, budget: afterChange(document.budget, change) };
}
