import type { Projection } from '../../processing/projection';
import type { AgentEvent, RunFinished } from '../domain/agent.events';

/** What an agent carries from run to run. */
export interface RuntimeStateDocument {
  agentId: string;
  companyId: string;
  sessionId: string | null;
  sessionDisplayId: string | null;
  stateJson: unknown;
  lastRunId: string | null;
  lastRunStatus: string | null;
  lastError: string | null;
  totalInputTokens: number;
  totalOutputTokens: number;
  totalCachedInputTokens: number;
  totalCostMicros: number;
  updatedAt: string | null;
}

type Handled = Extract<AgentEvent, { type: 'RunFinished' | 'SessionReset' }>;

export const runtimeStatesProjection: Projection<RuntimeStateDocument, Handled> = {
  name: 'runtime_states',
  version: 1,
  fields: {},
  indexes: [],
  handles: ['RunFinished', 'SessionReset'],
  id: ({ event }) => event.data.agentId,
  evolve(document, { event, metadata }) {
    const current = document ?? neverRan(event.data);
    const updated = { ...current, updatedAt: metadata.at };
    if (event.type === 'RunFinished') return afterRun(updated, event.data);
    return { ...updated, sessionId: null, sessionDisplayId: null, stateJson: null, lastError: null };
  },
};

export function neverRan(agent: { agentId: string; companyId: string }): RuntimeStateDocument {
  return {
    agentId: agent.agentId,
    companyId: agent.companyId,
    sessionId: null,
    sessionDisplayId: null,
    stateJson: null,
    lastRunId: null,
    lastRunStatus: null,
    lastError: null,
    totalInputTokens: 0,
    totalOutputTokens: 0,
    totalCachedInputTokens: 0,
    totalCostMicros: 0,
    updatedAt: null,
  };
}

function afterRun(document: RuntimeStateDocument, data: RunFinished['data']): RuntimeStateDocument {
  // A run that was cancelled before anybody claimed it never ran.
  if (data.claimId === null) return document;
  const usage = data.report?.usage;
  const keepsSession = data.sessionReset;
  return {
    ...document,
    sessionId: keepsSession ? document.sessionId : data.sessionIdAfter,
    sessionDisplayId: keepsSession ? document.sessionDisplayId : data.sessionIdAfter,
    stateJson:
      keepsSession || data.report?.state === undefined || data.report.state === null
        ? document.stateJson
        : data.report.state,
    lastRunId: data.runId,
    lastRunStatus: data.status,
    lastError: data.error,
    totalInputTokens: document.totalInputTokens + (usage?.inputTokens ?? 0),
    totalOutputTokens: document.totalOutputTokens + (usage?.outputTokens ?? 0),
    totalCachedInputTokens: document.totalCachedInputTokens + (usage?.cachedInputTokens ?? 0),
    totalCostMicros: document.totalCostMicros + (data.report?.costMicros ?? 0),
  };
}
