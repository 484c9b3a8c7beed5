import type { LedgerEntry, LedgerEvent } from '../../costs/domain/ledger';
import { entryOf } from '../../costs/domain/ledger';
import type { Recorded } from '../../kernel/event';
import { derivedUuid } from '../../kernel/ids';
import type { Projection } from '../../processing/projection';
import type { AgentEvent, RunFinished } from '../domain/agent.events';

/** What an agent carries from run to run. */
export interface RuntimeStateDocument {
  agentId: string;
  /** null: of the agent as a whole. */
  taskKey: string | null;
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

type Handled = LedgerEvent | Extract<AgentEvent, { type: 'SessionReset' }>;

const shape = {
  version: 2,
  fields: {},
  indexes: [],
  handles: ['UsageBooked', 'RunFinished', 'SessionReset'],
} as const;

/** Totals over all runs of an agent; its session and state are those of the runs without a task. */
export const runtimeStatesProjection: Projection<RuntimeStateDocument, Handled> = {
  ...shape,
  name: 'runtime_states',
  id: ({ event }) =>
    event.type === 'SessionReset' && event.data.taskKey !== null ? null : event.data.agentId,
  evolve: (document, recorded) =>
    evolveState(document ?? neverRan({ ...recorded.event.data, taskKey: null }), recorded),
};

/** The same of each task that an agent was given a key for. */
export const taskStatesProjection: Projection<RuntimeStateDocument, Handled> = {
  ...shape,
  name: 'task_states',
  id: ({ event }) => {
    const taskKey = taskKeyOf(event);
    return taskKey === null ? null : taskStateId(event.data.agentId, taskKey);
  },
  evolve: (document, recorded) => {
    const { event } = recorded;
    return evolveState(document ?? neverRan({ ...event.data, taskKey: taskKeyOf(event) }), recorded);
  },
};

export function taskStateId(agentId: string, taskKey: string): string {
  return derivedUuid(agentId, taskKey);
}

function taskKeyOf({ type, data }: Handled): string | null {
  return type === 'UsageBooked' ? data.payload.taskKey : data.taskKey;
}

function evolveState(
  current: RuntimeStateDocument,
  { event, metadata }: Recorded<Handled>,
): RuntimeStateDocument {
  const updated = { ...current, updatedAt: metadata.at };
  switch (event.type) {
    case 'SessionReset':
      return { ...updated, sessionId: null, sessionDisplayId: null, stateJson: null, lastError: null };
    case 'UsageBooked':
      return withEntry(updated, entryOf(event));
    case 'RunFinished':
      return afterRun(withEntry(updated, entryOf(event)), event.data);
  }
}

export function neverRan(of: {
  agentId: string;
  companyId: string;
  taskKey: string | null;
}): RuntimeStateDocument {
  return {
    agentId: of.agentId,
    companyId: of.companyId,
    taskKey: of.taskKey,
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
  // The session of a task is not the agent's own, and what was reset stays so.
  const keepsSession = data.sessionReset || data.taskKey !== document.taskKey;
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
  };
}

function withEntry(document: RuntimeStateDocument, entry: LedgerEntry | null): RuntimeStateDocument {
  if (entry === null) return document;
  return {
    ...document,
    totalInputTokens: document.totalInputTokens + entry.inputTokens,
    totalOutputTokens: document.totalOutputTokens + entry.outputTokens,
    totalCachedInputTokens: document.totalCachedInputTokens + entry.cachedInputTokens,
    totalCostMicros: document.totalCostMicros + (entry.costMicros ?? 0),
  };
}
