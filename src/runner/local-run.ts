import { AgentOutput } from './agent-output';
import type { EndedTree } from './ending';
import { endTree } from './ending';
import type { ExecutionResult } from './execution-result';
import { NOTHING_RAN, resultOf } from './execution-result';
import { launch } from './launch';
import { currentBootId, isAlive } from './process-table';
import { lossPayload } from './process-loss';
import { processTreeOf } from './process-tree';
import { killFailed, messageOf, RunFailure } from './run-failure';
import { MISSING_SESSION_KEY } from './run-history';
import type { ClaimedRun } from './run-authority';
import type { RunLogWriter } from './run-log-writer';
import type { RunProcess } from './run-process';
import { adoptProcess } from './run-process';
import { SupervisedRun } from './supervised-run';

/** A run as a process of this machine, which outlives the server. */
export class LocalRun extends SupervisedRun {
  protected readonly reportNames = { result: 'The result file', events: 'events file' };

  /** Ends whatever carries the run's id, for when nobody can say which process that should be. */
  protected endWhatLives(): Promise<EndedTree> {
    const tree = processTreeOf(this.run.runId, null);
    return endTree(tree, { graceMs: this.graceMs, leader: undefined }, this.closing.signal);
  }

  protected launched(writer: RunLogWriter): Promise<ExecutionResult> {
    return this.launchedAs(this.run, writer);
  }

  private async launchedAs(run: ClaimedRun, writer: RunLogWriter): Promise<ExecutionResult> {
    if (this.ending.signal.aborted) return NOTHING_RAN;
    const { deps, folder, history, events, secrets } = this;
    const [ended, closed] = [this.ending.signal, this.closing.signal];
    const process = await this.withinLimits(() =>
      launch({ run, folder, history, events, secrets, deps, ended, closed }),
    );
    const result = await this.supervised(process, writer);
    if (result !== null) return this.orAfresh(result, writer);
    if (this.ending.signal.aborted) return NOTHING_RAN;
    throw new RunFailure('spool_failed', "The wrapper could not write to the run's folder");
  }

  /** Null where nothing of the run was ever executed, and nothing of it lives: it can be started. */
  protected async adopted(writer: RunLogWriter): Promise<ExecutionResult | null> {
    const identity = this.history.process ?? this.folder.identity();
    if (identity !== null) {
      const life = isAlive(identity) ? 'present' : 'former';
      const result = await this.supervised(adoptProcess(identity, this.closing.signal), writer, life);
      return result && this.orAfresh(result, writer);
    }
    // A wrapper that died with its server before it could even say who it is, at most.
    const { survivors } = await this.endWhatLives();
    if (survivors.length === 0) return null;
    throw killFailed(survivors);
  }

  /** A session that is not there any more is replaced by a fresh one, once. */
  private async orAfresh(result: ExecutionResult, writer: RunLogWriter): Promise<ExecutionResult> {
    const { run, history, output, events } = this;
    const missing = run.sessionId;
    const isOurs = missing === null || result.errorCode !== null || history.freshStart === 'made';
    if (isOurs || !output?.isSessionMissing(await this.lastOutput('stderr'))) return result;
    if (history.freshStart === 'none') {
      const message = `session ${missing} is not there any more: starting a fresh one`;
      const payload = { [MISSING_SESSION_KEY]: missing };
      await events.append({ eventType: 'note', level: 'warn', message, payload });
    }
    history.freshStart = 'made';
    history.isInvoked = false;
    return this.launchedAs({ ...run, sessionId: null }, writer);
  }

  private async openOutput(): Promise<AgentOutput | null> {
    const { deps, folder, history, secrets } = this;
    const run = history.freshStart === 'made' ? { ...this.run, sessionId: null } : this.run;
    const adapter = deps.adapters.get(run.adapterType);
    if (adapter?.kind !== 'local' || !adapter.reader) return null;
    try {
      const startedAt = folder.madeAt();
      return new AgentOutput({
        reader: adapter.reader(adapter.configSchema.parse(run.adapterConfig), run, { startedAt }),
        path: folder.spoolFile('stdout'),
        ...{ progress: history.output, environment: deps.environment, secrets },
        book: (events) => this.bookReports(events),
      });
    } catch (error) {
      const message = `The agent's output is not understood: ${messageOf(error)}`;
      await this.recordError('output_not_understood', message, {});
      return null;
    }
  }

  /**
   * Null where the process left without having executed anything.
   * @param life of this node, in which the process was last known to be there
   */
  private async supervised(
    process: RunProcess,
    writer: RunLogWriter,
    life: 'former' | 'present' = 'present',
  ): Promise<ExecutionResult | null> {
    const { folder, ending } = this;
    this.output = await this.openOutput();
    const supervised = await this.supervise(
      {
        exited: process.exited,
        spawnedAtMs: process.spawnedAtMs,
        leader: process.identity.pid,
        tree: processTreeOf(this.run.runId, process.identity),
        isAlive: () => isAlive(process.identity),
      },
      writer,
    );
    const { failure, survivors, written } = supervised;
    const isSilent = written !== null && written.stdout.bytes + written.stderr.bytes === 0;
    const isUntouched = failure === null && survivors.length === 0 && isSilent;
    // After a crash of the machine a missing mark proves nothing: it may have been lost with the power.
    const isMarkReliable = process.identity.bootId === currentBootId();
    const recorded = folder.exit();
    if (isUntouched && recorded === null && isMarkReliable && !folder.wasStarted()) return null;
    const result = resultOf({
      ...supervised,
      recorded,
      wasUnexecuted: folder.wasUnexecuted(),
      seenAt: this.deps.clock.now(),
      wasEnded: ending.signal.aborted,
    });
    if (result.errorCode !== null && supervised.failure === null)
      await this.recordResult(result, process, life);
    return result;
  }

  private async recordResult(
    { errorCode, error, signal }: ExecutionResult,
    process: RunProcess,
    life: 'former' | 'present',
  ): Promise<void> {
    const { nodeId, lease } = this.deps;
    const brokenExit = this.folder.brokenExit();
    const loss = lossPayload({
      nodeId,
      claimId: this.run.claimId,
      pid: process.identity.pid,
      signal,
      lease: lease(life),
      lastOutput: await this.lastOutputs(),
    });
    const broken = brokenExit === null ? {} : { brokenExit: this.secrets.mask.text(brokenExit) };
    await this.recordError(errorCode!, error!, { ...loss, ...broken });
  }
}
