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
  spent: { month: string; micros: number };
}

type Handled = Extract<
  AgentEvent,
  {
    type:
      | 'AgentRegistered'
      | 'AgentUpdated'
      | 'AgentApproved'
      | 'AgentPaused'
      | 'AgentResumed'
      | 'AgentTerminated'
      | 'RunStarted'
      | 'RunFinished';
  }
>;

export const agentsProjection: Projection<AgentDocument, Handled> = {
  name: 'agents',
  version: 1,
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
    'RunStarted',
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
      return { ...document, hold: 'terminated', statusReason: null };
    case 'RunStarted':
      return { ...document, activeRunIds: [...document.activeRunIds, event.data.runId] };
    case 'RunFinished':
      return finished(document, event.data, metadata.at);
  }
}

function finished(document: AgentDocument, data: RunFinished['data'], at: string): AgentDocument {
  if (data.claimId === null) return document;
  const month = at.slice(0, 7);
  const spentBefore = document.spent.month === month ? document.spent.micros : 0;
  const failed = data.status === 'failed' || data.status === 'timed_out';
  return {
    ...document,
    activeRunIds: document.activeRunIds.filter((runId) => runId !== data.runId),
    restingStatus: data.lastRunning ? (failed ? 'error' : 'idle') : document.restingStatus,
    lastHeartbeatAt: at,
    spent: { month, micros: spentBefore + (data.report?.costMicros ?? 0) },
  };
}
