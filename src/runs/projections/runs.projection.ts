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
  Usage,
  WakeupSource,
} from '../../agents/domain/agent.events';

/** One execution. Its context is not in here: it is composed from the wakeups that it stands for. */
export interface RunDocument {
  id: string;
  /** null while the run is only reserved by a deferred wakeup: readers don't show it then, and no index has it. */
  companyId: string | null;
  agentId: string | null;
  status: 'reserved' | 'queued' | 'running' | FinalRunStatus;
  invocationSource: WakeupSource | null;
  triggerDetail: TriggerDetail | null;
  priority: number;
  /** The wakeup that made the run. */
  wakeupId: string | null;
  /** The first 100 that the run stands for. */
  wakeupIds: string[];
  /** The newest 100, where there are more. */
  newestWakeupIds: string[];
  coalescedCount: number;
  attempt: number;
  retryOfRunId: string | null;
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
  usage: Usage | null;
  costMicros: number | null;
  resultJson: unknown;
  log: LogSummary | null;
  nodeId: string | null;
  claimId: string | null;
}

type Handled = Extract<
  AgentEvent,
  {
    type:
      | 'WakeupDeferred'
      | 'WakeupCoalesced'
      | 'WakeupCancelled'
      | 'RunQueued'
      | 'RunStarted'
      | 'RunEndRequested'
      | 'RunFinished';
  }
>;

const MAX_WAKEUP_IDS = 100;

export const runsProjection: Projection<RunDocument, Handled> = {
  name: 'runs',
  version: 1,
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
    'RunQueued',
    'RunStarted',
    'RunEndRequested',
    'RunFinished',
  ],
  id: ({ event }) => event.data.runId,
  evolve(document, recorded) {
    const { event, metadata } = recorded;
    switch (event.type) {
      case 'WakeupDeferred':
        return withWakeup(document ?? reserved(event.data.runId), event.data.wakeupId);
      case 'WakeupCoalesced':
        return withCoalesced(existing(document, recorded), event.data.wakeupId);
      case 'WakeupCancelled':
        return null;
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
      case 'RunFinished':
        return finished(existing(document, recorded), event.data, recorded);
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
    invocationSource: null,
    triggerDetail: null,
    priority: 0,
    wakeupId: null,
    wakeupIds: [],
    newestWakeupIds: [],
    coalescedCount: 0,
    attempt: 1,
    retryOfRunId: null,
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
  const next = withWakeup(document, wakeupId);
  return { ...next, coalescedCount: next.coalescedCount + 1 };
}

function queued(document: RunDocument, data: RunQueued['data'], recorded: Recorded<Handled>): RunDocument {
  const { companyId, agentId, wakeupId, invocationSource, triggerDetail, priority, attempt } = data;
  const known = document.wakeupIds.includes(wakeupId) ? document : withWakeup(document, wakeupId);
  return {
    ...known,
    companyId,
    agentId,
    wakeupId,
    invocationSource,
    triggerDetail,
    priority,
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
    usage: data.report?.usage ?? null,
    costMicros: data.report?.costMicros ?? null,
    resultJson: data.report?.resultJson ?? null,
    log: data.log,
  };
}
