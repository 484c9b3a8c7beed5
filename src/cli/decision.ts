import type { WakeAnswer } from '../client';

/** What a request to wake an agent was answered with, in plain words. */
export function decisionText({ wakeup, run }: WakeAnswer): string {
  switch (wakeup.status) {
    case 'deferred':
      return wakeup.dueAt === null
        ? 'deferred: the agent is busy; it becomes a run of its own when there is room'
        : `deferred: until ${wakeup.dueAt}`;
    case 'coalesced':
      return run === null
        ? 'coalesced: into the wakeup that is waiting already; one run will serve both'
        : `coalesced: into run ${run.id}, which has not started yet`;
    case 'skipped':
      return `skipped: ${wakeup.skipReason}`;
    case 'queued':
      return `queued: run ${wakeup.runId}`;
    default:
      // A repeat of an idempotency key is answered with what has become of the first request.
      return wakeup.runId === null ? wakeup.status : `${wakeup.status}: run ${wakeup.runId}`;
  }
}
