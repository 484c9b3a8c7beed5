import { DomainError } from '../kernel/errors';
import { untilAvailable } from '../event-log/until-available';
import type { EndedTree } from './ending';
import { RunEventWriter } from './run-event-writer';
import type { WrittenOutput } from './run-log-writer';
import { RunLogWriter } from './run-log-writer';
import { endTree } from './ending';
import type { EventsFileEvent } from './events-file';
import { EventsFile } from './events-file';
import type { ExecutionResult } from './execution-result';
import { NOTHING_RAN, resultOf } from './execution-result';
import { launch } from './launch';
import type { RunEvents } from './masked-run-events';
import { MaskedRunEvents } from './masked-run-events';
import { pause } from './pause';
import { isAlive } from './process-table';
import { currentBootId } from './process-table';
import { processTreeOf } from './process-tree';
import type { ClaimedRun, RunOutcome } from './run-authority';
import { messageOf, RunFailure } from './run-failure';
import { RunFolder } from './run-folder';
import type { RunHistory } from './run-history';
import { emptyHistory, readHistory } from './run-history';
import { limitReached } from './run-limits';
import type { RunProcess } from './run-process';
import { adoptProcess } from './run-process';
import { maskedReport, NO_REPORT, readRunReport } from './run-report';
import { RunSecrets } from './run-secrets';
import type { RunnerDeps } from './runner-deps';
import { Supervision } from './supervision';
import { usageEvent } from './usage-booking';

const LAST_OUTPUT_BYTES = 2_048;
const LONGEST_FINISH_DELAY_MS = 30_000;

/** One run that this node has claimed, from its start or its adoption to its recorded end. */
export class LocalRun {
  /** The run's end is recorded, or the run was left alone by `close`. Never rejects. */
  readonly finished: Promise<void>;
  private readonly ending = new AbortController();
  private readonly closing = new AbortController();
  private readonly folder: RunFolder;
  private readonly secrets: RunSecrets;
  private readonly events: RunEvents;
  private history: RunHistory = emptyHistory();
  /** What the agent wrote, once all of it has been read. */
  private written: WrittenOutput | null = null;

  constructor(
    private readonly run: ClaimedRun,
    private readonly deps: RunnerDeps,
    private readonly isAdopted: boolean,
  ) {
    this.folder = new RunFolder(deps.runsFolder, run.runId);
    this.secrets = new RunSecrets(run, this.folder, deps.secrets);
    const events = new RunEventWriter(deps, this.source, this.closing.signal);
    this.events = new MaskedRunEvents(events, this.secrets);
    if (run.endCause !== null) this.ending.abort();
    this.finished = this.execute();
  }

  /** Starts the ending, whose cause is on the log. */
  end(): void {
    this.ending.abort();
  }

  /** Leaves the run as it is; its processes live on. */
  close(): Promise<void> {
    this.closing.abort(new Error('the runner is closed'));
    return this.finished;
  }

  private async execute(): Promise<void> {
    const { logger } = this.deps;
    const { runId } = this.run;
    try {
      const writer = await RunLogWriter.open(this.deps, this.source, this.closing.signal);
      const result = await this.carryOut(writer);
      await this.conclude(result, writer);
    } catch (error) {
      if (this.closing.signal.aborted) return logger.info({ runId }, 'run left to itself');
      logger.error({ runId, err: error }, 'run could not be concluded; adopting it tries again');
    }
  }

  private async carryOut(writer: RunLogWriter): Promise<ExecutionResult> {
    try {
      if (!this.isAdopted) return await this.launched(writer);
      this.history = await untilAvailable(() => readHistory(this.deps.log, this.run), this.closing.signal);
      const result = await this.adopted(writer);
      if (result !== null) return result;
      // A finalized log takes no more output: the run had come to its end before anything was executed.
      return writer.isFinalized ? this.earlierResult() : await this.launched(writer);
    } catch (error) {
      this.closing.signal.throwIfAborted();
      const failure = await this.recordFailure(error);
      await this.endWhatLives();
      return { ...NOTHING_RAN, errorCode: failure.code, error: failure.message };
    }
  }

  /** Ends whatever carries the run's id, for when nobody can say which process that should be. */
  private endWhatLives(): Promise<EndedTree> {
    const tree = processTreeOf(this.run.runId, null);
    return endTree(tree, { graceMs: this.graceMs, leader: undefined }, this.closing.signal);
  }

  private async launched(writer: RunLogWriter): Promise<ExecutionResult> {
    if (this.ending.signal.aborted) return NOTHING_RAN;
    const { run, deps, folder, history, events, secrets } = this;
    const ended = this.ending.signal;
    const process = await launch({ run, folder, history, events, secrets, deps, ended });
    const result = await this.supervised(process, writer);
    if (result !== null) return result;
    if (this.ending.signal.aborted) return NOTHING_RAN;
    throw new RunFailure('spool_failed', "The wrapper could not write to the run's folder");
  }

  /** Null where nothing of the run was ever executed, and nothing of it lives: it can be started. */
  private async adopted(writer: RunLogWriter): Promise<ExecutionResult | null> {
    const identity = this.history.process ?? (await this.folder.identity());
    if (identity !== null) return this.supervised(adoptProcess(identity, this.closing.signal), writer);
    // A wrapper that died with its server before it could even say who it is, at most.
    const { survivors } = await this.endWhatLives();
    if (survivors.length === 0) return null;
    throw new RunFailure('kill_failed', `Process ${survivors.join(', ')} is still alive`);
  }

  private earlierResult(): ExecutionResult {
    const [errorCode = null, error = null] = [...this.history.errors][0] ?? [];
    return { ...NOTHING_RAN, errorCode, error };
  }

  /** Null where the process left without having executed anything. */
  private async supervised(process: RunProcess, writer: RunLogWriter): Promise<ExecutionResult | null> {
    const { folder, events, ending, history, secrets } = this;
    const supervised = await new Supervision({
      folder,
      process,
      events,
      writer,
      secrets,
      inheritedSecrets: history.secretNames,
      logQuotaBytes: this.run.limits.logQuotaBytes,
      ending,
      tree: processTreeOf(this.run.runId, process.identity),
      graceMs: this.graceMs,
      eventsFile: new EventsFile(folder.eventsFile, history.eventsFile, secrets, (lines) =>
        this.bookReports(lines),
      ),
      closed: this.closing.signal,
      watchLimits: (lastOutputAtMs, stop) => this.watchLimits(process, lastOutputAtMs, stop),
      recordFailure: (error) => this.recordFailure(error),
    }).run();
    this.written = supervised.written;
    const isUntouched = supervised.failure === null && supervised.survivors.length === 0;
    // After a crash of the machine a missing mark proves nothing: it may have been lost with the power.
    const isMarkReliable = process.identity.bootId === currentBootId();
    if (isUntouched && isMarkReliable && !(await folder.wasStarted())) return null;
    const result = resultOf({
      ...supervised,
      recorded: await folder.exit(),
      wasUnexecuted: await folder.wasUnexecuted(),
      seenAt: this.deps.clock.now(),
      wasEnded: ending.signal.aborted,
    });
    if (result.errorCode !== null && supervised.failure === null) await this.recordResult(result, process);
    return result;
  }

  /** Usage is priced when it is booked, by the prices of that moment. */
  private async bookReports(reports: readonly EventsFileEvent[]): Promise<void> {
    if (reports.length === 0) return;
    const { run, deps } = this;
    const tables = await untilAvailable(() => deps.prices(run.companyId), this.closing.signal);
    const pricing = { tables, at: deps.clock.now().toISOString() };
    const events = reports.map((report) =>
      report.eventType === 'usage' ? usageEvent(report, run, pricing) : report,
    );
    await this.events.append(...events);
  }

  private async watchLimits(
    process: RunProcess,
    lastOutputAtMs: () => number,
    stop: AbortSignal,
  ): Promise<void> {
    const { run, deps } = this;
    const limit = await limitReached(run, lastOutputAtMs, deps.clock, stop);
    // While no server was there, the agent may have ended in time and the limit have passed after that.
    if (limit === null || !isAlive(process.identity)) return;
    try {
      await untilAvailable(() => deps.authority.requestEnd(run, limit), this.closing.signal);
    } catch (error) {
      // The run is no longer ours, so it has to end all the more.
      if (!(error instanceof DomainError)) throw error;
    }
    this.ending.abort();
  }

  private async conclude(result: ExecutionResult, writer: RunLogWriter): Promise<void> {
    const { areLost, mask } = this.secrets;
    const { report, problems } = areLost ? NO_REPORT : await readRunReport(this.folder.resultFile);
    if (problems.length > 0) {
      await this.recordError('result_malformed', `The result file is malformed: ${problems.join('; ')}`, {});
    }
    const log = await writer.finalize(this.written);
    const error = result.error === null ? null : mask.text(result.error);
    await this.finish({ ...result, error, report: report && maskedReport(report, mask), log });
    // With its folder, what could not be ended is found, and tried again, at the next start.
    if (result.errorCode === 'kill_failed') return;
    await this.folder.remove().catch((err: unknown) => {
      this.deps.logger.warn({ runId: this.run.runId, err }, "the run's folder could not be removed");
    });
  }

  private async finish(outcome: RunOutcome): Promise<void> {
    const { runId } = this.run;
    for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, LONGEST_FINISH_DELAY_MS)) {
      try {
        await untilAvailable(() => this.deps.authority.finish(this.run, outcome), this.closing.signal);
        return;
      } catch (error) {
        this.closing.signal.throwIfAborted();
        if (error instanceof DomainError) {
          this.deps.logger.warn(
            { runId, code: error.code },
            'the end of the run was refused; somebody else owns it',
          );
          return;
        }
        this.deps.logger.error(
          { runId, err: error },
          'the end of the run could not be recorded; trying again',
        );
        await pause(delayMs, this.closing.signal);
      }
    }
  }

  private async recordFailure(error: unknown): Promise<RunFailure> {
    const failure = error instanceof RunFailure ? error : unexpected(error);
    if (failure !== error) this.deps.logger.error({ runId: this.run.runId, err: error }, failure.message);
    await this.recordError(failure.code, failure.message, {});
    return failure;
  }

  private async recordResult(
    { errorCode, error, signal }: ExecutionResult,
    process: RunProcess,
  ): Promise<void> {
    const { pid } = process.identity;
    const lastOutput = { stdout: await this.lastOutput('stdout'), stderr: await this.lastOutput('stderr') };
    const details = { nodeId: this.deps.nodeId, pid, signal, lastOutput };
    await this.recordError(errorCode!, error!, details);
  }

  /** Each kind of error once, also where a restart makes us look at the run again. */
  private async recordError(code: string, message: string, details: Record<string, unknown>): Promise<void> {
    if (this.history.errors.has(code)) return;
    await this.events.append({ eventType: 'error', level: 'error', message, payload: { code, ...details } });
  }

  /** Masked with what stands before it: a secret may begin there. */
  private async lastOutput(stream: 'stdout' | 'stderr'): Promise<string> {
    const { mask } = this.secrets;
    const bytes = mask.bytes(await this.folder.tail(stream, LAST_OUTPUT_BYTES + mask.contextBytes));
    return bytes.subarray(-LAST_OUTPUT_BYTES).toString();
  }

  private get graceMs(): number {
    return this.run.limits.graceSec * 1000;
  }

  private get source() {
    const { companyId, agentId, runId, claimId, correlationId } = this.run;
    const { nodeId } = this.deps;
    const actor = { type: 'node', id: nodeId } as const;
    return {
      run: { companyId, agentId, runId },
      origin: { correlationId, causationId: claimId, commandId: claimId, actor, nodeId },
    };
  }
}

function unexpected(error: unknown): RunFailure {
  return new RunFailure('spool_failed', `The run could not be supervised: ${messageOf(error)}`, {
    cause: error,
  });
}
