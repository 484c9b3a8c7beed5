import { constants } from 'node:os';
import { ExitCode } from './failures';
import { say } from './output';

/** A service manager kills what has not stopped by then. */
const CLOSE_LIMIT_MS = 9_500;

/**
 * Aborts at the first SIGTERM or SIGINT, and sees to it that the process ends in time from then on. A second one ends
 * it at once: whatever it was doing is found on the log when it starts again.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
    if (stop.signal.aborted) process.exit(128 + constants.signals[signal]);
    stop.abort();
    exitInTime();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return stop.signal;
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/** From now on the process may take so long to end by itself. */
export function exitInTime(): void {
  const timer = setTimeout(() => {
    say(
      `error: could not close within ${CLOSE_LIMIT_MS / 1_000} s: ${process.getActiveResourcesInfo().join(', ')}`,
    );
    process.exit(ExitCode.failed);
  }, CLOSE_LIMIT_MS);
  timer.unref();
}
