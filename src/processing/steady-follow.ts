import type { EventLog, FollowBatch, FollowOptions } from '../event-log/event-log';
import { FollowInterrupted } from '../event-log/event-log';
import { pause } from '../kernel/pause';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5_000;

/**
 * Follows the log, and after an interruption goes on behind the last batch, with growing pauses, for as long as that
 * can help. Ends when `signal` aborts, or where the log can no longer be followed.
 *
 * @param onInterrupted is told of every interruption
 */
export async function* steadyFollow(
  log: EventLog,
  options: Omit<FollowOptions, 'inclusive'>,
  onInterrupted: (error: unknown) => void,
): AsyncGenerator<FollowBatch> {
  const { signal } = options;
  let retryMs = FIRST_RETRY_MS;
  let reached = options.after;
  while (!signal.aborted) {
    try {
      for await (const batch of log.follow({ ...options, after: reached })) {
        yield batch;
        reached = batch.reached;
        retryMs = FIRST_RETRY_MS;
      }
    } catch (error) {
      if (signal.aborted) return;
      onInterrupted(error);
      if (error instanceof FollowInterrupted && !error.resumable) return;
      await pause(retryMs * (0.5 + Math.random() / 2), signal);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    }
  }
}
