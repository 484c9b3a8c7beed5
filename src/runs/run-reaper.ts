import type { Logger } from 'pino';
import type { AgentsStore } from '../agents/agents.store';
import type { RunSettlement } from '../costs/run-settlement';
import { DomainError } from '../kernel/errors';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { LocalRunner } from '../runner/local-runner';
import { lifecycle } from './domain/run.events';
import type { NodeLeases } from './node-leases';
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

  constructor(
    private readonly deps: {
      nodeId: string;
      agents: AgentsStore;
      processing: Processing;
      readModels: ReadModels;
      claims: RunClaims;
      runner: LocalRunner;
      leases: NodeLeases;
      logger: Logger;
      settlement: RunSettlement;
    },
  ) {}

  /** Looks now, and then at intervals. */
  start(): void {
    const look = () => {
      this.looking = this.reap(DEFAULT_STALE_MS).then(
        () => undefined,
        (err: unknown) => this.deps.logger.error({ err }, 'orphaned runs could not be looked for'),
      );
    };
    look();
    this.timer = setInterval(look, REAP_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /**
   * Reaps the running runs whose node has given no sign of life for `staleThresholdMs`; of this node's own runs, takes
   * up again what it should be supervising and is not. Answers the runs that were reaped.
   */
  async reap(staleThresholdMs: number): Promise<string[]> {
    const { nodeId, processing, readModels, leases } = this.deps;
    await processing.waitForHead([runsProjection.name]);
    const reaped: string[] = [];
    for await (const run of runsOfStatus(readModels, 'running')) {
      if (run.nodeId === nodeId) await this.takeUp(run);
      else if ((await leases.silenceMs(run.nodeId!)) > staleThresholdMs && (await this.reapOne(run)))
        reaped.push(run.id);
    }
    return reaped;
  }

  private async takeUp(document: RunDocument & RunAddress): Promise<void> {
    const { runner, claims } = this.deps;
    if (runner.isSupervising(document.id)) return;
    const run = await claims.resume(document);
    if (run && !runner.isSupervising(document.id)) runner.adopt(run);
  }

  /** Answers whether the run was still there to be reaped. */
  private async reapOne(document: RunDocument & RunAddress): Promise<boolean> {
    const { agents, nodeId, settlement } = this.deps;
    const outcome = {
      exitCode: null,
      signal: null,
      exitedAt: null,
      errorCode: 'process_lost',
      error: lifecycle.processLost,
      report: null,
      log: null,
    };
    try {
      const { events } = await agents.execute(
        document,
        {
          type: 'FinishRun',
          runId: document.id,
          nodeId: document.nodeId!,
          claimId: document.claimId!,
          outcome,
          settlement: await settlement.of({ companyId: document.companyId, runId: document.id }, outcome),
        },
        { actor: { type: 'node', id: nodeId } },
        () => undefined,
      );
      return events.length > 0;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'claim_lost') return false;
      throw error;
    }
  }
}
