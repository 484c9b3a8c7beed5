import { DomainError } from '../kernel/errors';
import type { EventToAppend, Revision } from '../kernel/event';
import type { Appended, EventLog } from './event-log';
import { LogClosed, LogUnavailable } from './event-log';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Appends, and after an ambiguous failure sends the same bytes again at the same revision, until it is known whether
 * they are on the log.
 *
 * @param patienceMs how long to go on trying
 * @throws RevisionConflict, or DomainError `log_unavailable` where the fate of the events is still unknown
 */
export async function appendSurely(
  log: EventLog,
  stream: string,
  events: readonly EventToAppend[],
  expected: Revision,
  patienceMs = 10_000,
): Promise<Appended> {
  const giveUpAt = Date.now() + patienceMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await log.append(stream, events, expected);
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      if (error instanceof LogClosed || Date.now() + pauseMs > giveUpAt) {
        throw new DomainError('log_unavailable', error.message, {}, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
