import type { LedgerEntry, LedgerEvent } from '../../costs/domain/ledger';
import { entryOf } from '../../costs/domain/ledger';
import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type { AgentConfiguration, AgentEvent, RunFinished } from '../domain/agent.events';

export interface AgentDocument extends AgentConfiguration {
  id: string;
  companyId: string;
  externalKey: string | null;
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
  nextDueAt: string | null;
  /** Of the newest UTC month in which anything was booked. */
  spent: { month: string; micros: number };
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
          | 'TimerScheduled'
          | 'RunStarted';
      }
    >;

export const agentsProjection: Projection<AgentDocument, Handled> = {
  name: 'agents',
  version: 2,
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
    return { ...next, status: next.hold ?? (next.activeRunIds.length > 0 ? 'running' : next.restingStatus) };
  },
};

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
    status: requiresApproval ? 'pending_approval' : 'idle',
    statusReason: null,
    lastHeartbeatAt: null,
    activeRunIds: [],
    version: 1,
    createdAt: metadata.at,
    registeredPosition: position.toString(),
    restingStatus: 'idle',
    hold: requiresApproval ? 'pending_approval' : null,
    nextDueAt: null,
    spent: { month: metadata.at.slice(0, 7), micros: 0 },
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
      return { ...document, hold: null, statusReason: null, restingStatus: 'idle' };
    case 'AgentPaused':
      return { ...document, hold: 'paused', statusReason: event.data.reason };
    case 'AgentTerminated':
      return { ...document, hold: 'terminated', statusReason: null, nextDueAt: null };
    case 'TimerScheduled':
      return { ...document, nextDueAt: event.data.due?.at ?? null };
    case 'RunStarted':
      return { ...document, activeRunIds: [...document.activeRunIds, event.data.runId] };
    case 'UsageBooked':
      return withEntry(document, entryOf(event), metadata.at);
    case 'RunFinished': {
      const settled = withEntry(document, entryOf(event), metadata.at);
      return finished(settled, event.data, metadata.at);
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

function withEntry(document: AgentDocument, entry: LedgerEntry | null, at: string): AgentDocument {
  const month = at.slice(0, 7);
  const { spent } = document;
  // Nodes' clocks differ: what is a moment late for its month is not of the next one.
  if (entry === null || month < spent.month) return document;
  const before = month === spent.month ? spent.micros : 0;
  return { ...document, spent: { month, micros: before + (entry.costMicros ?? 0) } };
}
