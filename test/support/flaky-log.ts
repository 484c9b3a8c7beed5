import type { EventLog } from '../../src/event-log/event-log';
import { LogUnavailable } from '../../src/event-log/event-log';

/**
 * A log that fails to answer as often as `fault` says, asked before every append: without having written, or though it
 * has.
 */
export function flakyLog(log: EventLog, fault: () => 'unwritten' | 'written' | null): EventLog {
  return Object.assign(Object.create(log) as EventLog, {
    append: async (...args: Parameters<EventLog['append']>) => {
      const kind = fault();
      if (kind === 'unwritten') throw new LogUnavailable('not now');
      const appended = await log.append(...args);
      if (kind === 'written') throw new LogUnavailable('who knows');
      return appended;
    },
  });
}

/** The faults of a list, one an append, and none after that. */
export function faultsInTurn(
  ...faults: ('unwritten' | 'written' | null)[]
): () => 'unwritten' | 'written' | null {
  return () => faults.shift() ?? null;
}
