import type { Recorded } from '../../kernel/event';
import type { Projection } from '../../processing/projection';
import type { AgentEvent, RunFinished, WakeupRequest } from '../../agents/domain/agent.events';

export type WakeupStatus =
  | 'queued'
  | 'claimed'
  | 'deferred'
  | 'coalesced'
  | 'skipped'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'timed_out';

/** The receipt of one accepted request. */
export interface WakeupDocument extends WakeupRequest {
  id: string;
  companyId: string;
  agentId: string;
  status: WakeupStatus;
  skipReason: string | null;
  /** Of the run that stands for the wakeup; while that one is only reserved, readers don't show it. */
  runId: string | null;
  dueAt: string | null;
  deadlineAt: string | null;
  requestedAt: string;
  claimedAt: string | null;
  finishedAt: string | null;
  error: string | null;
  requestedPosition: string;
  /** Of the decision: what the request was answered with. */
  decidedPosition: string;
}

type Handled = Extract<
  AgentEvent,
  {
    type:
      | 'WakeupRequested'
      | 'WakeupCoalesced'
      | 'WakeupDeferred'
      | 'WakeupSkipped'
      | 'WakeupCancelled'
      | 'WakeupExpired'
      | 'RunQueued'
      | 'RunStarted'
      | 'RunFinished';
  }
>;

const wakeupStatusOf = {
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  timed_out: 'timed_out',
} as const satisfies Record<RunFinished['data']['status'], WakeupStatus>;

export const wakeupsProjection: Projection<WakeupDocument, Handled> = {
  name: 'wakeups',
  version: 1,
  fields: { agentId: 'text', runId: 'text', requestedPosition: 'position' },
  indexes: [
    ['agentId', 'requestedPosition'],
    ['agentId', 'runId', 'requestedPosition'],
  ],
  handles: [
    'WakeupRequested',
    'WakeupCoalesced',
    'WakeupDeferred',
    'WakeupSkipped',
    'WakeupCancelled',
    'WakeupExpired',
    'RunQueued',
    'RunStarted',
    'RunFinished',
  ],
  id: ({ event }) => event.data.wakeupId,
  evolve(document, recorded) {
    if (recorded.event.type === 'WakeupRequested') return requested(recorded);
    if (!document) throw new Error(`${recorded.event.type} of a wakeup that nobody requested`);
    return decided(document, recorded);
  },
};

function requested({ event, position }: Recorded<Handled>): WakeupDocument {
  if (event.type !== 'WakeupRequested') throw new Error(`not a request: ${event.type}`);
  const { data } = event;
  return {
    // Each by its name, because this is done for every wakeup, and a rest of an object takes ten times as long.
    source: data.source,
    triggerDetail: data.triggerDetail,
    reason: data.reason,
    payload: data.payload,
    contextSnapshot: data.contextSnapshot,
    idempotencyKey: data.idempotencyKey,
    requestedByActorType: data.requestedByActorType,
    requestedByActorId: data.requestedByActorId,
    notBefore: data.notBefore,
    priority: data.priority,
    coalesceKey: data.coalesceKey,
    taskKey: data.taskKey,
    companyId: data.companyId,
    agentId: data.agentId,
    requestedAt: data.requestedAt,
    id: data.wakeupId,
    status: 'queued',
    skipReason: null,
    runId: null,
    dueAt: null,
    deadlineAt: null,
    claimedAt: null,
    finishedAt: null,
    error: null,
    requestedPosition: position.toString(),
    decidedPosition: position.toString(),
  };
}

function decided(document: WakeupDocument, { event, metadata, position }: Recorded<Handled>): WakeupDocument {
  const { at } = metadata;
  // Only the first decision answered the request; a delayed wakeup is decided anew, a receipt may get a follow-up.
  const isDecided = document.decidedPosition !== document.requestedPosition;
  const decidedPosition = isDecided ? document.decidedPosition : position.toString();
  switch (event.type) {
    case 'WakeupRequested':
      throw new Error('a wakeup is requested once');
    case 'WakeupCoalesced': {
      const finishedAt = document.finishedAt ?? at;
      return { ...document, status: 'coalesced', runId: event.data.runId, finishedAt, decidedPosition };
    }
    case 'WakeupDeferred': {
      const { runId, dueAt, deadlineAt } = event.data;
      return { ...document, status: 'deferred', runId, dueAt, deadlineAt, decidedPosition };
    }
    case 'WakeupSkipped':
      return {
        ...document,
        status: 'skipped',
        skipReason: event.data.reason,
        finishedAt: at,
        decidedPosition,
      };
    case 'WakeupCancelled':
      return {
        ...document,
        status: 'cancelled',
        runId: null,
        finishedAt: at,
        error: event.data.reason,
      };
    case 'WakeupExpired':
      return {
        ...document,
        status: 'failed',
        runId: null,
        finishedAt: at,
        error: event.data.reason,
      };
    default:
      // A receipt is final: what becomes of the run that it names is the run's affair.
      return document.status === 'coalesced' && event.type !== 'RunQueued'
        ? document
        : withRun(document, event, at, decidedPosition);
  }
}

function withRun(
  document: WakeupDocument,
  event: Extract<Handled, { type: 'RunQueued' | 'RunStarted' | 'RunFinished' }>,
  at: string,
  decidedPosition: string,
): WakeupDocument {
  const { runId } = event.data;
  switch (event.type) {
    case 'RunQueued':
      if (document.status === 'coalesced' || event.data.attempt > 1) return { ...document, runId };
      return { ...document, status: 'queued', runId, decidedPosition };
    case 'RunStarted':
      return { ...document, status: 'claimed', claimedAt: document.claimedAt ?? at };
    case 'RunFinished': {
      const { willRetry, status, error } = event.data;
      if (willRetry) return { ...document, error };
      return { ...document, status: wakeupStatusOf[status], finishedAt: at, error };
    }
  }
}
