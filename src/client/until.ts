import { Patience, pause } from './backoff';
import { isTemporary } from './reveille-error';
import type { JobAnswer, RunStatus, WakeupView } from './types';

/** Waiting ends when the signal aborts; what cannot be reached for longer than `patienceMs` (30 s) is given up. */
export interface Waiting {
  signal?: AbortSignal | undefined;
  patienceMs?: number;
}

/** Runs outlive a restart of the server, and so does whoever follows them. */
export const FOLLOW_PATIENCE_MS = 30_000;
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

const FINAL_RUN: ReadonlySet<RunStatus> = new Set(['succeeded', 'failed', 'cancelled', 'timed_out']);
const FINAL_WAKEUP: ReadonlySet<WakeupView['status']> = new Set([
  ...(['skipped', 'completed', 'failed', 'cancelled', 'timed_out'] as const),
]);

export function isFinalRun(status: RunStatus): boolean {
  return FINAL_RUN.has(status);
}

/** Whether nothing more becomes of a wakeup, and of the run that it went into. */
export function isSettled({ status, runStatus }: WakeupView): boolean {
  return status === 'coalesced' ? runStatus !== null && isFinalRun(runStatus) : FINAL_WAKEUP.has(status);
}

export function hasSucceeded(wakeup: WakeupView): boolean {
  return wakeup.status === 'coalesced' ? wakeup.runStatus === 'succeeded' : wakeup.status === 'completed';
}

const FINAL_JOB: ReadonlySet<JobAnswer['status']> = new Set(['succeeded', 'failed', 'cancelled']);

/** An interrupted job is taken up by the server that starts next. */
export async function* followJob(
  api: { projectionJob(jobId: string): Promise<JobAnswer> },
  jobId: string,
  waiting: Waiting,
): AsyncGenerator<JobAnswer> {
  for (const pace = new Pace(waiting); ; await pace.rest()) {
    try {
      const job = await api.projectionJob(jobId);
      pace.answered(false);
      yield job;
      if (FINAL_JOB.has(job.status)) return;
    } catch (error) {
      await pace.failed(error);
    }
  }
}

interface Wakeups {
  wakeup(wakeupId: string): Promise<WakeupView>;
}

export function untilSettled(api: Wakeups, wakeupId: string, waiting: Waiting): Promise<WakeupView> {
  return untilWakeup(api, wakeupId, isSettled, waiting);
}

export function untilRun(api: Wakeups, wakeupId: string, waiting: Waiting): Promise<WakeupView> {
  return untilWakeup(api, wakeupId, (wakeup) => wakeup.runId !== null || isSettled(wakeup), waiting);
}

async function untilWakeup(
  api: Wakeups,
  wakeupId: string,
  isReached: (wakeup: WakeupView) => boolean,
  waiting: Waiting,
): Promise<WakeupView> {
  for (const pace = new Pace(waiting); ; await pace.rest()) {
    try {
      const wakeup = await api.wakeup(wakeupId);
      pace.answered(false);
      if (isReached(wakeup)) return wakeup;
    } catch (error) {
      await pace.failed(error);
    }
  }
}

/** Asks again and again: quickly as long as there is something new, with longer pauses where there is not. */
export class Pace {
  private pauseMs = SHORTEST_PAUSE_MS;
  private readonly patience: Patience;
  private readonly signal: AbortSignal | undefined;

  constructor({ signal, patienceMs = FOLLOW_PATIENCE_MS }: Waiting) {
    this.signal = signal;
    this.patience = new Patience(patienceMs, isTemporary, LONGEST_PAUSE_MS);
  }

  answered(hadNews: boolean): void {
    this.patience.succeeded();
    if (hadNews) this.pauseMs = SHORTEST_PAUSE_MS;
  }

  /** @throws the error, where it is not one that passes by itself, or has not passed for a while */
  failed(error: unknown): Promise<void> {
    return this.patience.afterFailure(error, null, this.signal);
  }

  /** @throws the reason of the signal when it aborts */
  async rest(): Promise<void> {
    await pause(this.pauseMs, this.signal);
    this.pauseMs = Math.min(this.pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
}
