import { performance } from 'node:perf_hooks';
import type { EventLog } from '../event-log/event-log';
import { RevisionConflict } from '../event-log/event-log';
import type { Metrics } from './metrics';

/** Measures an event log where it is used: what its callers wait for. */
export function measured(log: EventLog, metrics: Metrics): EventLog {
  const append: EventLog['append'] = async (...args) => {
    const startedAt = performance.now();
    let result = 'ok';
    try {
      return await log.append(...args);
    } catch (error) {
      result = error instanceof RevisionConflict ? 'conflict' : 'failed';
      throw error;
    } finally {
      const value = (performance.now() - startedAt) / 1000;
      metrics.record({ name: 'reveille_append_seconds', labels: { result }, value });
    }
  };
  const follow: EventLog['follow'] = async function* (options) {
    try {
      yield* log.follow(options);
    } catch (error) {
      if (!options.signal.aborted) {
        metrics.record({ name: 'reveille_follow_interruptions_total', labels: {}, value: 1 });
      }
      throw error;
    }
  };
  return {
    append,
    follow,
    read: (...args) => log.read(...args),
    head: () => log.head(),
    setMaxAge: (...args) => log.setMaxAge(...args),
    close: () => log.close(),
  };
}
