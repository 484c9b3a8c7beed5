import type { RunDocument } from '../runs/projections/runs.projection';
import type { WakeupDocument } from './projections/wakeups.projection';

/** A wakeup as answers show it. */
export type WakeupView = Omit<WakeupDocument, 'requestedPosition' | 'decidedPosition'> & {
  runStatus: string | null;
};

/** @param run the document of the wakeup's run, where there is one */
export function wakeupView(document: WakeupDocument, run: RunDocument | undefined): WakeupView {
  const { requestedPosition: _requested, decidedPosition: _decided, ...wakeup } = document;
  const visible = run && run.status !== 'reserved' ? run : undefined;
  // A run may be reserved for the wakeup and never come: then there is none to show.
  const waits = document.status === 'deferred' || document.status === 'coalesced';
  return {
    ...wakeup,
    runId: waits && !visible ? null : document.runId,
    // Who joined a wakeup that was then given up shares its fate.
    runStatus: visible?.status ?? run?.droppedAs ?? (document.status === 'queued' ? 'queued' : null),
  };
}
