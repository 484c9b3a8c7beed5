import { constants } from 'node:os';
import { ExitCode } from './failures';
import { say } from './output';

/** A service manager kills what has not stopped by then. */
const CLOSE_LIMIT_MS = 9_500;
/** Whoever asks twice is in a hurry. */
const HURRIED_CLOSE_LIMIT_MS = 3_000;

export interface StopSignals {
  /** Aborts at the first SIGTERM or SIGINT: the server is to come to rest, and to stop. */
  stop: AbortSignal;
  /** Aborts at the second one: it is not to wait for anything. */
  hurry: AbortSignal;
}

/**
 * From the second signal on the process ends in time; a third one ends it at once: whatever it was doing is found on the
 * log when it starts again.
 */
export function stopSignals(): StopSignals {
  const [stop, hurry] = [new AbortController(), new AbortController()];
  const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
    if (hurry.signal.aborted) process.exit(128 + constants.signals[signal]);
    if (!stop.signal.aborted) return stop.abort();
    hurry.abort();
    exitInTime(HURRIED_CLOSE_LIMIT_MS);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return { stop: stop.signal, hurry: hurry.signal };
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/** From now on the process may take so long to end by itself. */
export function exitInTime(limitMs = CLOSE_LIMIT_MS): void {
  const timer = setTimeout(() => {
    say(`error: could not close within ${limitMs / 1_000} s: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(ExitCode.failed);
  }, limitMs);
  timer.unref();
}
