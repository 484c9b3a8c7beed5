import type { LogSummary } from '../agents/domain/agent.events';
import type { WakeupDocument } from '../wakeups/projections/wakeups.projection';
import { composeContext } from './domain/run-context';
import type { RunDocument } from './projections/runs.projection';

/** A run as answers show it. */
export type RunView = Omit<
  RunDocument,
  | 'queuedPosition'
  | 'droppedAs'
  | 'finishedPosition'
  | 'newestWakeupIds'
  | 'wakeupId'
  | 'claimId'
  | 'priority'
  | 'notBefore'
  | 'coalesceKey'
  | 'costSource'
  | 'log'
> & {
  contextSnapshot: Record<string, unknown>;
  logBytes: number | null;
  logSha256: string | null;
  logs: LogSummary['logs'] | null;
};

/** The wakeups that a run's context is composed of, by id. */
export function contextWakeupIds(run: RunDocument): string[] {
  return run.wakeupId === null ? [] : [...new Set([run.wakeupId, ...run.newestWakeupIds])];
}

/** @param wakeups holds at least those of `contextWakeupIds` that the read model has */
export function runView(document: RunDocument, wakeups: ReadonlyMap<string, WakeupDocument>): RunView {
  const {
    queuedPosition: _queued,
    finishedPosition: _finished,
    newestWakeupIds,
    wakeupId,
    claimId: _claim,
    droppedAs: _droppedAs,
    priority: _priority,
    notBefore: _notBefore,
    coalesceKey: _coalesceKey,
    costSource: _costSource,
    log,
    ...run
  } = document;
  const known = (id: string) => {
    const wakeup = wakeups.get(id);
    return wakeup ? [{ id, request: wakeup }] : [];
  };
  const [first] = wakeupId === null ? [] : known(wakeupId);
  const newest = newestWakeupIds.flatMap(known);
  return {
    ...run,
    contextSnapshot: first ? composeContext(first, newest, document.coalescedCount + 1) : {},
    logBytes: log?.logBytes ?? null,
    logSha256: log?.logSha256 ?? null,
    logs: log?.logs ?? null,
  };
}
