import type { Logger } from 'pino';
import { orAborted } from '../kernel/pause';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { LocalRunner } from '../runner/local-runner';
import type { NodeLeases } from './node-leases';
import type { OrphanedRuns } from './orphaned-runs';
import type { RunDocument } from './projections/runs.projection';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress, RunClaims } from './run-claims';
import { runsOfStatus } from './runs-by-status';

const REAP_EVERY_MS = 30_000;
export const DEFAULT_STALE_MS = 60_000;

/** Ends the runs that nobody looks after any more. */
export class RunReaper {
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(
    private readonly deps: {
      nodeId: string;
      processing: Processing;
      readModels: ReadModels;
      claims: RunClaims;
      runner: LocalRunner;
      leases: NodeLeases;
      logger: Logger;
      orphans: OrphanedRuns;
    },
  ) {}

  /** Looks now, and then at intervals. */
  start(): void {
    const look = () => {
      this.looking = this.reap(DEFAULT_STALE_MS).then(
        () => undefined,
        (err: unknown) => {
          if (!this.stopped.signal.aborted)
            this.deps.logger.error({ err }, 'orphaned runs could not be looked for');
        },
      );
    };
    look();
    this.timer = setInterval(look, REAP_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopped.abort();
    await this.looking;
  }

  /**
   * Reaps the running runs whose node has given no sign of life for `staleThresholdMs`, and has not said that it would
   * be back; of this node's own runs, takes
   * up again what it should be supervising and is not. Answers the runs that were reaped.
   */
  async reap(staleThresholdMs: number): Promise<string[]> {
    const { nodeId, processing, readModels, leases, orphans } = this.deps;
    await orAborted(processing.waitForHead([runsProjection.name]), this.stopped.signal);
    const reaped: string[] = [];
    for await (const run of runsOfStatus(readModels, 'running')) {
      if (run.nodeId === nodeId) {
        await this.takeUp(run);
        continue;
      }
      const lease = await leases.of(run.nodeId!);
      if (!leases.isStale(lease, staleThresholdMs)) continue;
      if (await orphans.reap(run, lease, this.stopped.signal)) reaped.push(run.id);
    }
    return reaped;
  }

  private async takeUp(document: RunDocument & RunAddress): Promise<void> {
    const { runner, claims } = this.deps;
    if (runner.isSupervising(document.id)) return;
    try {
      const run = await claims.resume(document);
      if (run && !runner.isSupervising(document.id)) runner.adopt(run);
    } catch (err) {
      // It never keeps the others from being looked after.
      this.deps.logger.error({ err, runId: document.id }, 'a run of an earlier life could not be taken up');
    }
  }
}
