import type { AgentConfiguration } from './domain/agent.events';
import type { AgentDocument } from './projections/agents.projection';

/** An agent as answers show it. */
export interface AgentView extends AgentConfiguration {
  id: string;
  companyId: string;
  externalKey: string | null;
  status: AgentDocument['status'];
  statusReason: string | null;
  lastHeartbeatAt: string | null;
  activeRunIds: string[];
  nextDueAt: string | null;
  spentMonthMicros: number;
  version: number;
  createdAt: string;
}

export function agentView(document: AgentDocument, now: Date): AgentView {
  const { id, companyId, externalKey, name, adapterType, adapterConfig, runtimeConfig } = document;
  const { status, statusReason, lastHeartbeatAt, activeRunIds, version, createdAt, spent } = document;
  return {
    id,
    companyId,
    externalKey,
    name,
    adapterType,
    adapterConfig,
    runtimeConfig,
    status,
    statusReason,
    lastHeartbeatAt,
    activeRunIds,
    nextDueAt: document.nextDueAt,
    spentMonthMicros: spent.month === now.toISOString().slice(0, 7) ? spent.micros : 0,
    version,
    createdAt,
  };
}
