import { setTimeout as sleep } from 'node:timers/promises';
import { LogClosed, LogUnavailable } from './event-log';
import { DomainError } from '../kernel/errors';

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5_000;

/**
 * Does the same again, with growing delays and for as long as it takes, while the event log does not answer, or a read
 * model that is needed is behind.
 *
 * @param alsoPasses whether something else that was thrown passes by itself
 * @throws whatever `attempt` throws otherwise, and the abort reason when `signal` aborts between two attempts
 */
export async function untilAvailable<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  alsoPasses: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isUnavailable(error) && !alsoPasses(error)) throw error;
    }
    await sleep(delayMs, undefined, { signal });
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof LogClosed) return false;
  if (error instanceof LogUnavailable) return true;
  return error instanceof DomainError && ['log_unavailable', 'not_caught_up'].includes(error.code);
}
