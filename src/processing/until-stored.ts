import { ConsumerFault } from './consumer-fault';
import { pause } from '../kernel/pause';
import type { Progress } from './progress';

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5_000;

/** So many positions without an event for a consumer, and its checkpoint is stored nonetheless. */
export const UNSTORED_POSITIONS = 10_000n;
/** But not more often than this: where positions are bytes, that many are only a few events. */
export const UNSTORED_MS = 1_000;

/**
 * Does the same again, with growing delays, while the document store fails: a full disk is survived. Meanwhile the
 * consumer says what ails it.
 *
 * @throws ConsumerFault, and the last error when `signal` aborts
 */
export async function untilStored<T>(
  attempt: () => Promise<T>,
  progress: Progress,
  signal: AbortSignal,
): Promise<T> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      const answer = await attempt();
      progress.ailment = null;
      return answer;
    } catch (error) {
      if (error instanceof ConsumerFault || signal.aborted) throw error;
      progress.ailment = error instanceof Error ? error : new Error('unknown', { cause: error });
    }
    await pause(delayMs, signal);
  }
}
