import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient, LogPlace, RunEventView, WakeupView } from './api-client';
import { isTemporary } from './api-error';

const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
/** Runs outlive a restart of the server, and so does whoever follows them. */
const PATIENCE_MS = 30_000;
/** The least that the server answers with. */
const PROBE_BYTES = 4;
const EVENTS_AT_ONCE = 1_000;

const FINAL_RUN = new Set(['succeeded', 'failed', 'cancelled', 'timed_out']);
const FINAL_WAKEUP = new Set(['skipped', 'completed', 'failed', 'cancelled', 'timed_out']);

/** Asks again and again: quickly as long as there is something new, with longer pauses where there is not. */
class Pace {
  private pauseMs = SHORTEST_PAUSE_MS;
  private silentSinceMs: number | null = null;

  constructor(private readonly signal: AbortSignal | undefined) {}

  answered(hadNews: boolean): void {
    this.silentSinceMs = null;
    if (hadNews) this.pauseMs = SHORTEST_PAUSE_MS;
  }

  /** @throws the error, where it is not one that passes by itself, or has not passed for a while */
  failed(error: unknown): void {
    this.silentSinceMs ??= Date.now();
    if (!isTemporary(error) || Date.now() - this.silentSinceMs > PATIENCE_MS) throw error;
  }

  /** @throws the abort reason when the signal aborts */
  async pause(): Promise<void> {
    await sleep(this.pauseMs, undefined, { signal: this.signal });
    this.pauseMs = Math.min(this.pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
}

/** A run's output, every byte once, until the log is closed and read to its end. */
export async function* followLog(
  api: ApiClient,
  runId: string,
  place: LogPlace,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pace = new Pace(signal);
  let { offset } = place;
  for (;;) {
    try {
      for await (const bytes of api.rawLog(runId, { ...place, offset })) {
        offset += bytes.length;
        pace.answered(true);
        yield bytes;
      }
      const { totalBytes, eof } = await api.logPage(runId, { ...place, offset, limitBytes: PROBE_BYTES });
      if (eof && totalBytes === offset) return;
      pace.answered(totalBytes > offset);
      if (totalBytes > offset) continue;
    } catch (error) {
      pace.failed(error);
    }
    await pace.pause();
  }
}

/** A run's events after `seq`, each once, until the run is over. */
export async function* followEvents(
  api: ApiClient,
  runId: string,
  afterSeq: number,
  signal?: AbortSignal,
): AsyncGenerator<RunEventView> {
  const pace = new Pace(signal);
  let seq = afterSeq;
  for (;;) {
    try {
      // Asked before the events are read: once the run is over, they are all there.
      const isOver = FINAL_RUN.has((await api.run(runId)).status);
      const { items, nextCursor } = await api.runEvents(runId, { afterSeq: seq, limit: EVENTS_AT_ONCE });
      pace.answered(items.length > 0);
      for (const event of items) {
        seq = event.seq;
        yield event;
      }
      if (nextCursor !== null) continue;
      if (isOver) return;
    } catch (error) {
      pace.failed(error);
    }
    await pace.pause();
  }
}

/** Waits until nothing more becomes of a wakeup: it is settled, and so is the run that it went into. */
export function untilSettled(api: ApiClient, wakeupId: string, signal?: AbortSignal): Promise<WakeupView> {
  return untilWakeup(api, wakeupId, isSettled, signal);
}

/** Waits until a wakeup has a run, or will never have one. */
export function untilRun(api: ApiClient, wakeupId: string, signal?: AbortSignal): Promise<WakeupView> {
  return untilWakeup(api, wakeupId, (wakeup) => wakeup.runId !== null || isSettled(wakeup), signal);
}

export function hasSucceeded(wakeup: WakeupView): boolean {
  return wakeup.status === 'coalesced' ? wakeup.runStatus === 'succeeded' : wakeup.status === 'completed';
}

export function isSettled({ status, runStatus }: WakeupView): boolean {
  return status === 'coalesced' ? FINAL_RUN.has(runStatus ?? '') : FINAL_WAKEUP.has(status);
}

async function untilWakeup(
  api: ApiClient,
  wakeupId: string,
  isReached: (wakeup: WakeupView) => boolean,
  signal: AbortSignal | undefined,
): Promise<WakeupView> {
  for (const pace = new Pace(signal); ; await pace.pause()) {
    try {
      const wakeup = await api.wakeup(wakeupId);
      pace.answered(false);
      if (isReached(wakeup)) return wakeup;
    } catch (error) {
      pace.failed(error);
    }
  }
}
