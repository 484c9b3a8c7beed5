import type { AgentsStore } from '../agents/agents.store';
import type { RunSettlement } from '../costs/run-settlement';
import type { EventLog } from '../event-log/event-log';
import { untilAvailable } from '../event-log/until-available';
import type { Clock } from '../kernel/clock';
import { endTree } from '../runner/ending';
import { lossPayload } from '../runner/process-loss';
import { processTreeOf } from '../runner/process-tree';
import type { RunOutcome } from '../runner/run-authority';
import type { RunWriterSource } from '../runner/run-event-writer';
import { RunEventWriter } from '../runner/run-event-writer';
import type { RunHistory } from '../runner/run-history';
import { readHistory } from '../runner/run-history';
import { NOTHING_SAID } from '../runner/run-report';
import { RunLogWriter } from '../runner/run-log-writer';
import type { RunnerLogger } from '../runner/runner-deps';
import { lifecycle } from './domain/run.events';
import type { Lease } from './node-leases';
import type { RunAddress } from './run-claims';
import { RunLogReader } from './run-log-reader';

const GRACE_MS = 5_000;
const LAST_OUTPUT_BYTES = 2_048;

/** A run on the log that is running on a node which is gone. */
export interface OrphanedRun extends RunAddress {
  nodeId: string | null;
  claimId: string | null;
}

/** Closes the books of runs whose node is gone, as far as they can be known without its disk. */
export class OrphanedRuns {
  constructor(
    private readonly deps: {
      nodeId: string;
      agents: AgentsStore;
      log: EventLog;
      clock: Clock;
      settlement: RunSettlement;
      logger: RunnerLogger;
    },
  ) {}

  /**
   * Ends a run as `process_lost`. What is known of it is on its streams before it is over.
   *
   * @param lease what its node has said last
   * @param signal ends the waiting for a log that does not answer
   * @returns whether the run was still there to be ended
   */
  async reap(run: OrphanedRun, lease: Lease | null, signal: AbortSignal): Promise<boolean> {
    if (!(await this.isStillClaimed(run))) return false;
    const history = await untilAvailable(() => readHistory(this.deps.log, run), signal);
    const { sessionId, correlationId } = history;
    const source = this.source(run, correlationId ?? run.runId);
    // Once, also where an earlier attempt got no further than this.
    if (!history.errors.has('process_lost')) await this.recordLoss(run, { history, source, lease }, signal);
    if (!(await this.endWhatLives(run, signal))) return false;
    const writer = await RunLogWriter.open(this.deps, source, signal);
    return this.finish(run, source, {
      exitCode: null,
      signal: null,
      exitedAt: null,
      errorCode: 'process_lost',
      error: lifecycle.processLost,
      report: sessionId === null ? null : { ...NOTHING_SAID, sessionId },
      log: await writer.finalize(null),
    });
  }

  private async isStillClaimed({ runId, claimId, ...address }: OrphanedRun): Promise<boolean> {
    const claim = await this.deps.agents.inspect(address, (state) =>
      state.status === 'unregistered' ? null : (state.runs.get(runId)?.claim?.claimId ?? null),
    );
    return claim !== null && claim === claimId;
  }

  private async recordLoss(
    run: OrphanedRun,
    { history, source, lease }: { history: RunHistory; source: RunWriterSource; lease: Lease | null },
    signal: AbortSignal,
  ): Promise<void> {
    const { log } = this.deps;
    const reader = new RunLogReader(log);
    const lastOf = async (stream: 'stdout' | 'stderr') =>
      (await reader.excerpt({ ...run, stream }, LAST_OUTPUT_BYTES)).toString();
    const loss = lossPayload({
      nodeId: run.nodeId,
      claimId: run.claimId,
      pid: history.process?.pid ?? null,
      signal: null,
      lease,
      lastOutput: { stdout: await lastOf('stdout'), stderr: await lastOf('stderr') },
    });
    const payload = { code: 'process_lost', ...loss };
    const events = new RunEventWriter(this.deps, source, signal);
    await events.append({ eventType: 'error', level: 'error', message: lifecycle.processLost, payload });
  }

  /** Its node may have been on this machine, and may have left its processes here. */
  private async endWhatLives({ runId }: OrphanedRun, signal: AbortSignal): Promise<boolean> {
    const { sent, survivors } = await endTree(
      processTreeOf(runId, null),
      { graceMs: GRACE_MS, leader: undefined },
      signal,
    );
    const { logger } = this.deps;
    if (sent.length > 0) logger.warn({ runId, sent }, 'ended processes of a run whose node is gone');
    if (survivors.length > 0) logger.error({ runId, survivors }, 'a run cannot be reaped while it lives');
    return survivors.length === 0;
  }

  private async finish(run: OrphanedRun, { origin }: RunWriterSource, outcome: RunOutcome): Promise<boolean> {
    const { agents, settlement } = this.deps;
    const { runId, claimId } = run;
    const { events } = await agents.execute(
      run,
      { type: 'ReapRun', runId, claimId: claimId!, outcome, settlement: await settlement.of(run, outcome) },
      { actor: origin.actor, correlationId: origin.correlationId },
      () => undefined,
    );
    return events.length > 0;
  }

  /** @param correlationId of what the run is part of: also its loss is */
  private source(
    { companyId, agentId, runId, claimId }: OrphanedRun,
    correlationId: string,
  ): RunWriterSource {
    const { nodeId } = this.deps;
    const actor = { type: 'node', id: nodeId } as const;
    return {
      run: { companyId, agentId, runId },
      origin: { correlationId, causationId: claimId, commandId: runId, actor, nodeId },
    };
  }
}
