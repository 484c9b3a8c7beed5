import { untilAvailable } from '../event-log/until-available';
import type { Clock } from '../kernel/clock';
import type { LocalRunner } from '../runner/local-runner';
import type { RunnerLogger } from '../runner/runner-deps';
import type { NodeExecution } from './node-execution';
import type { RunClaims } from './run-claims';

/** What becomes of the runs of a server that is to stop: they go on without it, are waited for, or are ended. */
export const drainModes = ['leave', 'wait', 'cancel'] as const;
export type DrainMode = (typeof drainModes)[number];

export interface DrainStatus {
  mode: DrainMode;
  /** ISO 8601. */
  since: string;
  /** When waiting is given up, ISO 8601; null where it is not, or nothing is waited for. */
  until: string | null;
  /** The runs that are waited for. */
  runIds: string[];
}

/**
 * Lets a server come to rest before it stops: nothing is claimed from then on, and what is running is treated as was
 * configured. Requests are still answered, and wakeups accepted: they stay queued.
 */
export class Drain {
  private begun: { since: string; until: string | null } | null = null;

  constructor(
    private readonly deps: {
      mode: DrainMode;
      /** So long runs are waited for, 0: as long as it takes. Whatever goes on after that is left running. */
      timeoutSec: number;
      execution: NodeExecution;
      runner: LocalRunner;
      claims: RunClaims;
      clock: Clock;
      logger: RunnerLogger;
    },
  ) {}

  /** Null where the server is not about to stop. */
  get status(): DrainStatus | null {
    const { mode, runner } = this.deps;
    if (!this.begun) return null;
    return {
      mode,
      ...this.begun,
      runIds: mode === 'leave' ? [] : runner.supervised.map(({ runId }) => runId),
    };
  }

  /** Comes back when there is nothing to wait for any more. @param hurry ends the waiting */
  async run(hurry: AbortSignal): Promise<void> {
    const { mode, timeoutSec, execution, runner, clock } = this.deps;
    const since = clock.now();
    const isBounded = mode !== 'leave' && timeoutSec > 0;
    const until = isBounded ? new Date(since.getTime() + timeoutSec * 1_000).toISOString() : null;
    this.begun = { since: since.toISOString(), until };
    await execution.stopClaiming();
    if (mode === 'leave') return;
    const patience = isBounded ? AbortSignal.any([hurry, AbortSignal.timeout(timeoutSec * 1_000)]) : hurry;
    if (mode === 'cancel') await this.cancelAll(patience);
    await Promise.race([runner.idle(), aborted(patience)]);
  }

  /** One that cannot be recorded as ended is left running: no signal comes before its cause. */
  private async cancelAll(patience: AbortSignal): Promise<void> {
    const { runner, claims, logger } = this.deps;
    const cancel = async (run: (typeof runner.supervised)[number]) => {
      const { runId } = run;
      try {
        await untilAvailable(() => claims.requestEnd(run, 'shutdown'), patience);
        runner.end(runId, 'shutdown');
      } catch (err) {
        logger.error({ err, runId }, 'a run could not be cancelled, and is left running');
      }
    };
    await Promise.all(runner.supervised.map(cancel));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
