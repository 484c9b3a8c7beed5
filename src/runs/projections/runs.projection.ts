import type { CostSource, Usage } from '../../costs/domain/cost-entry';
import { NO_USAGE, addUsage } from '../../costs/domain/cost-entry';
import type { LedgerEntry, LedgerEvent } from '../../costs/domain/ledger';
import { entryOf } from '../../costs/domain/ledger';
import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type {
  AgentEvent,
  EndCause,
  FinalRunStatus,
  LogSummary,
  RunFinished,
  RunQueued,
  TriggerDetail,
  WakeupSource,
} from '../../agents/domain/agent.events';

/** One execution. Its context is not in here: it is composed from the wakeups that it stands for. */
export interface RunDocument {
  id: string;
  /** null while the run is only reserved by a deferred wakeup: readers don't show it then, and no index has it. */
  companyId: string | null;
  agentId: string | null;
  status: 'reserved' | 'queued' | 'running' | FinalRunStatus;
  /** How the wakeup ended that a reserved run was to be of: then the run will never be. */
  droppedAs: 'cancelled' | 'failed' | null;
  invocationSource: WakeupSource | null;
  triggerDetail: TriggerDetail | null;
  priority: number;
  coalesceKey: string | null;
  /** The wakeup that made the run. */
  wakeupId: string | null;
  /** The first 100 that the run stands for. */
  wakeupIds: string[];
  /** The newest 100, where there are more. */
  newestWakeupIds: string[];
  coalescedCount: number;
  attempt: number;
  retryOfRunId: string | null;
  /** A retry waits until then. */
  notBefore: string | null;
  sessionIdBefore: string | null;
  sessionIdAfter: string | null;
  queuedAt: string | null;
  queuedPosition: string | null;
  startedAt: string | null;
  exitedAt: string | null;
  finishedAt: string | null;
  finishedPosition: string | null;
  exitCode: number | null;
  signal: string | null;
  endCause: EndCause | null;
  endRequestedAt: string | null;
  error: string | null;
  errorCode: string | null;
  /** What is booked so far; once the run is over, what it has used. null: nobody knows. */
  usage: Usage | null;
  costMicros: number | null;
  /** Of all of it: `unpriced` where the cost of any part is not known. */
  costSource: CostSource | null;
  resultJson: unknown;
  log: LogSummary | null;
  nodeId: string | null;
  claimId: string | null;
}

type Handled =
  | LedgerEvent
  | Extract<
      AgentEvent,
      {
        type:
          | 'WakeupDeferred'
          | 'WakeupCoalesced'
          | 'WakeupCancelled'
          | 'WakeupExpired'
          | 'RunQueued'
          | 'RunStarted'
          | 'RunEndRequested';
      }
    >;

const MAX_WAKEUP_IDS = 100;

export const runsProjection: Projection<RunDocument, Handled> = {
  name: 'runs',
  version: 2,
  fields: { companyId: 'text', agentId: 'text', status: 'text', queuedPosition: 'position' },
  indexes: [
    ['companyId', 'queuedPosition'],
    ['companyId', 'status', 'queuedPosition'],
    ['agentId', 'queuedPosition'],
    ['agentId', 'status', 'queuedPosition'],
    ['status', 'queuedPosition'],
  ],
  handles: [
    'WakeupDeferred',
    'WakeupCoalesced',
    'WakeupCancelled',
    'WakeupExpired',
    'RunQueued',
    'RunStarted',
    'RunEndRequested',
    'UsageBooked',
    'RunFinished',
  ],
  id: ({ event }) => event.data.runId,
  evolve(document, recorded) {
    const { event, metadata } = recorded;
    switch (event.type) {
      case 'WakeupDeferred':
        return withWakeup(document ?? reserved(event.data.runId), event.data.wakeupId);
      case 'WakeupCoalesced':
        // A receipt on a running run is not part of what the run was given.
        if (event.data.reason === 'run.running') return document;
        return withCoalesced(existing(document, recorded), event.data.wakeupId);
      case 'WakeupCancelled':
        return { ...existing(document, recorded), droppedAs: 'cancelled' };
      case 'WakeupExpired':
        return { ...existing(document, recorded), droppedAs: 'failed' };
      case 'RunQueued':
        return queued(document ?? reserved(event.data.runId), event.data, recorded);
      case 'RunStarted': {
        const { nodeId, claimId, sessionIdBefore } = event.data;
        const started = {
          status: 'running',
          startedAt: metadata.at,
          nodeId,
          claimId,
          sessionIdBefore,
        } as const;
        return { ...existing(document, recorded), ...started };
      }
      case 'RunEndRequested': {
        const { cause, requestedAt } = event.data;
        return { ...existing(document, recorded), endCause: cause, endRequestedAt: requestedAt };
      }
      case 'UsageBooked':
        return withEntry(existing(document, recorded), entryOf(event));
      case 'RunFinished': {
        const settled = withSettlement(existing(document, recorded), event.data, entryOf(event));
        return finished(settled, event.data, recorded);
      }
    }
  },
};

function existing(document: RunDocument | null, { event }: Recorded<Handled>): RunDocument {
  if (!document) throw new Error(`${event.type} of a run that was never queued`);
  return document;
}

function reserved(runId: string): RunDocument {
  return {
    id: runId,
    companyId: null,
    agentId: null,
    status: 'reserved',
    droppedAs: null,
    invocationSource: null,
    triggerDetail: null,
    priority: 0,
    coalesceKey: null,
    wakeupId: null,
    wakeupIds: [],
    newestWakeupIds: [],
    coalescedCount: 0,
    attempt: 1,
    retryOfRunId: null,
    notBefore: null,
    sessionIdBefore: null,
    sessionIdAfter: null,
    queuedAt: null,
    queuedPosition: null,
    startedAt: null,
    exitedAt: null,
    finishedAt: null,
    finishedPosition: null,
    exitCode: null,
    signal: null,
    endCause: null,
    endRequestedAt: null,
    error: null,
    errorCode: null,
    usage: null,
    costMicros: null,
    costSource: null,
    resultJson: null,
    log: null,
    nodeId: null,
    claimId: null,
  };
}

function withWakeup(document: RunDocument, wakeupId: string): RunDocument {
  const { wakeupIds, newestWakeupIds } = document;
  return {
    ...document,
    wakeupIds: wakeupIds.length < MAX_WAKEUP_IDS ? [...wakeupIds, wakeupId] : wakeupIds,
    newestWakeupIds: [...newestWakeupIds, wakeupId].slice(-MAX_WAKEUP_IDS),
  };
}

function withCoalesced(document: RunDocument, wakeupId: string): RunDocument {
  // What made the run, or was reserved for it, is in it already.
  if (document.wakeupId === wakeupId) return document;
  if (document.wakeupIds.includes(wakeupId))
    return { ...document, coalescedCount: document.coalescedCount + 1 };
  const next = withWakeup(document, wakeupId);
  return { ...next, coalescedCount: next.coalescedCount + 1 };
}

function queued(document: RunDocument, data: RunQueued['data'], recorded: Recorded<Handled>): RunDocument {
  const { companyId, agentId, wakeupId, invocationSource, triggerDetail, priority, attempt } = data;
  const inherited = data.inherited?.wakeupIds ?? [];
  const wakeupIds = [...new Set([wakeupId, ...inherited, ...document.wakeupIds])].slice(0, MAX_WAKEUP_IDS);
  const newest = [...new Set([wakeupId, ...inherited, ...document.newestWakeupIds])].slice(-MAX_WAKEUP_IDS);
  return {
    ...document,
    wakeupIds,
    newestWakeupIds: newest,
    coalescedCount: document.coalescedCount + (data.inherited?.coalescedCount ?? 0),
    notBefore: data.notBefore,
    companyId,
    agentId,
    wakeupId,
    invocationSource,
    triggerDetail,
    priority,
    coalesceKey: data.coalesceKey,
    attempt,
    retryOfRunId: data.retryOfRunId,
    status: 'queued',
    queuedAt: recorded.metadata.at,
    queuedPosition: recorded.position.toString(),
  };
}

function finished(
  document: RunDocument,
  data: RunFinished['data'],
  recorded: Recorded<Handled>,
): RunDocument {
  return {
    ...document,
    status: data.status,
    sessionIdAfter: data.sessionIdAfter,
    exitedAt: data.exitedAt,
    finishedAt: recorded.metadata.at,
    finishedPosition: recorded.position.toString(),
    exitCode: data.exitCode,
    signal: data.signal,
    endCause: data.endCause,
    error: data.error,
    errorCode: data.errorCode,
    resultJson: data.report?.resultJson ?? null,
    log: data.log,
  };
}

function withEntry(document: RunDocument, entry: LedgerEntry | null): RunDocument {
  if (entry === null) return document;
  const { costMicros } = entry;
  return {
    ...document,
    usage: addUsage(document.usage ?? NO_USAGE, entry),
    costMicros: costMicros === null ? document.costMicros : (document.costMicros ?? 0) + costMicros,
    costSource: leastCertain(document.costSource, entry.costSource),
  };
}

/** What the result says of the whole run stands for all that was booked, also where that was unpriced. */
function withSettlement(
  document: RunDocument,
  { report }: RunFinished['data'],
  entry: LedgerEntry | null,
): RunDocument {
  const { usage: _sum, ...settled } = withEntry(document, entry);
  return {
    ...settled,
    usage: report?.usage ?? document.usage,
    costSource: entry?.costSource === 'reported' ? 'reported' : settled.costSource,
  };
}

function leastCertain(a: CostSource | null, b: CostSource): CostSource {
  if (a === 'unpriced' || b === 'unpriced') return 'unpriced';
  return a === 'priced' ? a : b;
}
