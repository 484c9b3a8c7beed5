import { DomainError } from '../kernel/errors';
import { untilAvailable } from '../event-log/until-available';
import type { AgentOutput } from './agent-output';
import type { EventsFileEvent } from './events-file';
import { EventsFile } from './events-file';
import type { ExecutionResult } from './execution-result';
import { NOTHING_RAN } from './execution-result';
import type { RunEvents } from './masked-run-events';
import { MaskedRunEvents } from './masked-run-events';
import { pause } from '../kernel/pause';
import { lossPayload } from './process-loss';
import type { ClaimedRun, RunOutcome } from './run-authority';
import type { RunEventPlace } from './run-event-writer';
import { RunEventWriter } from './run-event-writer';
import { killFailed, messageOf, RunFailure } from './run-failure';
import { RunFolder } from './run-folder';
import type { RunHistory } from './run-history';
import { emptyHistory, readHistory } from './run-history';
import { limitReached } from './run-limits';
import type { WrittenOutput } from './run-log-writer';
import { RunLogWriter } from './run-log-writer';
import type { ParsedReport } from './run-report';
import { maskedReport, mergedReports, NO_REPORT, readRunReport } from './run-report';
import type { ReportedEvent } from './reported-event';
import { maskedReported } from './reported-event';
import { RunReports } from './run-reports';
import { RunSecrets } from './run-secrets';
import type { RunDeps } from './runner-deps';
import type { Supervised, SupervisedAgent } from './supervision';
import { Supervision } from './supervision';
import { usageEvent } from './usage-booking';

const LAST_OUTPUT_BYTES = 2_048;
const LONGEST_FINISH_DELAY_MS = 30_000;

/** What there is to end, as long as it is there. */
export interface LimitedAgent extends SupervisedAgent {
  isAlive: () => boolean;
  /** When it has given a sign of life other than output, in milliseconds since 1970. */
  lastSignAtMs?: () => number;
}

/**
 * One run that this node has claimed, from its start or its adoption to its recorded end: all but how it is executed.
 */
export abstract class SupervisedRun {
  /** The run's end is recorded, or the run was left alone by `close`. Never rejects. */
  readonly finished: Promise<void>;
  protected readonly ending = new AbortController();
  protected readonly closing = new AbortController();
  private readonly givingUp = new AbortController();
  protected readonly folder: RunFolder;
  protected readonly secrets: RunSecrets;
  protected readonly events: RunEvents;
  protected history: RunHistory = emptyHistory();
  private readonly reports = new RunReports(
    () => this.history.reports,
    async (report) => (await this.bookReports([report]))[0]!,
  );
  /** What people know the files by that the agent reports in. */
  protected abstract readonly reportNames: { result: string; events: string };
  /** What understands the output of the agent; null where nobody does. */
  protected output: AgentOutput | null = null;
  /** What the agent wrote, once all of it has been read. */
  private written: WrittenOutput | null = null;

  constructor(
    readonly run: ClaimedRun,
    protected readonly deps: RunDeps,
    private readonly isAdopted: boolean,
  ) {
    this.folder = new RunFolder(deps.runsFolder, run.runId);
    this.secrets = new RunSecrets(run, this.folder, deps.secrets, deps.runToken(run));
    const events = new RunEventWriter(deps, this.source, this.closing.signal);
    this.events = new MaskedRunEvents(events, this.secrets);
    if (run.endCause !== null) this.ending.abort();
    this.finished = this.execute();
  }

  /** Starts the run. */
  protected abstract launched(writer: RunLogWriter): Promise<ExecutionResult>;

  /**
   * Goes on with what an earlier server has started. Null where nothing of the run was ever executed, and nothing of it
   * lives: it can be started.
   */
  protected abstract adopted(writer: RunLogWriter): Promise<ExecutionResult | null>;

  /** Ends whatever is there of the run, for when nobody can say what that should be. */
  protected abstract endWhatLives(): Promise<{ survivors: readonly number[] }>;

  /** Starts the ending, whose cause is on the log. */
  end(): void {
    this.ending.abort();
  }

  /**
   * Takes what the run says of itself by way of the API; on the log when it answers.
   *
   * @param key with which it is taken once, however often it comes
   * @throws DomainError `not_caught_up`, `run_not_open`, `idempotency_key_reused`, `too_many_reports`
   */
  async report(report: ReportedEvent, key: string | null): Promise<RunEventPlace> {
    const { areKnown, mask } = this.secrets;
    if (!areKnown) throw new DomainError('not_caught_up', 'The run is being taken up: ask again');
    return this.reports.take(maskedReported(report, mask), key);
  }

  /** How much of the disk its output takes. */
  spooledBytes(): Promise<number> {
    return this.folder.spooledBytes();
  }

  /** Ends it because the disk is full. What was not recorded of its output is given up, so that there is room at once. */
  async giveUpOutput(): Promise<void> {
    const message = 'The disk was full, and this run took the most: output that was not recorded is lost';
    if (!this.givingUp.signal.aborted) this.givingUp.abort(new RunFailure('spool_failed', message));
    await this.folder.emptySpools();
  }

  /** Leaves the run as it is; its processes live on. */
  close(): Promise<void> {
    this.closing.abort(new Error('the runner is closed'));
    return this.finished;
  }

  private async execute(): Promise<void> {
    const { logger } = this.deps;
    try {
      const writer = this.isAdopted
        ? await RunLogWriter.open(this.deps, this.source, this.closing.signal)
        : RunLogWriter.ofNew(this.deps, this.source, this.closing.signal);
      const result = await this.carryOut(writer);
      await this.conclude(result, writer);
    } catch (error) {
      if (this.closing.signal.aborted) return logger.info(this.named, 'run left to itself');
      logger.error({ ...this.named, err: error }, 'run could not be concluded; adopting it tries again');
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
      const { survivors } = await this.endWhatLives();
      const { code, message } = survivors.length > 0 ? killFailed(survivors) : failure;
      return { ...NOTHING_RAN, errorCode: code, error: message };
    }
  }

  protected earlierResult(): ExecutionResult {
    const [errorCode = null, error = null] = [...this.history.errors][0] ?? [];
    return { ...NOTHING_RAN, errorCode, error };
  }

  /** Watches over an agent until nothing of it lives, and has all that it says on the log. */
  protected async supervise(agent: LimitedAgent, writer: RunLogWriter): Promise<Supervised> {
    const { folder, events, ending, history, secrets } = this;
    const book = async (lines: readonly EventsFileEvent[]) => void (await this.bookReports(lines));
    const supervised = await new Supervision({
      folder,
      agent,
      events,
      writer,
      secrets,
      inheritedSecrets: history.secretNames,
      logQuotaBytes: this.run.limits.logQuotaBytes,
      ending,
      graceMs: this.graceMs,
      eventsFile: new EventsFile(
        { path: folder.eventsFile, name: this.reportNames.events },
        history.eventsFile,
        secrets,
        book,
      ),
      output: this.output,
      givenUp: this.givingUp.signal,
      closed: this.closing.signal,
      watchLimits: (lastOutputAtMs, stop) => this.watchLimits(agent, lastOutputAtMs, stop),
      recordFailure: (error) => this.recordFailure(error),
    }).run();
    this.written = supervised.written;
    return supervised;
  }

  /** Usage is priced when it is booked, by the prices of that moment. */
  protected async bookReports(reports: readonly EventsFileEvent[]): Promise<readonly RunEventPlace[]> {
    if (reports.length === 0) return [];
    const { run, deps } = this;
    const tables = await untilAvailable(() => deps.prices(run.companyId), this.closing.signal);
    const pricing = { tables, at: deps.clock.now().toISOString() };
    const events = reports.map((report) =>
      report.eventType === 'usage' ? usageEvent(report, run, pricing) : report,
    );
    return this.events.append(...events);
  }

  /** The limits of a run hold as soon as it is claimed, also where its start takes long. */
  protected async withinLimits<T>(start: () => Promise<T>): Promise<T> {
    const hasStarted = new AbortController();
    const stop = AbortSignal.any([hasStarted.signal, this.closing.signal]);
    const watching = this.watchLimits({ isAlive: () => true }, () => 0, stop);
    watching.catch(() => undefined);
    const started = await start().finally(() => hasStarted.abort());
    await watching;
    return started;
  }

  private async watchLimits(
    { isAlive, lastSignAtMs = () => 0 }: Pick<LimitedAgent, 'isAlive' | 'lastSignAtMs'>,
    lastOutputAtMs: () => number,
    stop: AbortSignal,
  ): Promise<void> {
    const { run, deps } = this;
    const lastHeardAtMs = () => Math.max(lastOutputAtMs(), lastSignAtMs());
    const limit = await limitReached(run, lastHeardAtMs, deps.clock, stop);
    // While no server was there, the agent may have ended in time and the limit have passed after that.
    if (limit === null || !isAlive()) return;
    try {
      await untilAvailable(() => deps.authority.requestEnd(run, limit), this.closing.signal);
    } catch (error) {
      // The run is no longer ours, so it has to end all the more.
      if (!(error instanceof DomainError)) throw error;
    }
    this.ending.abort();
  }

  private async conclude(result: ExecutionResult, writer: RunLogWriter): Promise<void> {
    // What is booked after this has not been settled.
    await this.reports.close();
    const { areLost, mask } = this.secrets;
    const { report, problems } = areLost ? NO_REPORT : await this.reported();
    if (problems.length > 0) {
      await this.recordError(
        'result_malformed',
        `${this.reportNames.result} is malformed: ${problems.join('; ')}`,
        {},
      );
    }
    const log = await writer.finalize(this.written);
    const error = result.error === null ? null : mask.text(result.error);
    await this.finish({ ...result, error, report: report && maskedReport(report, mask), log });
    // With its folder, what could not be ended is found, and tried again, at the next start.
    if (result.errorCode === 'kill_failed') return;
    await this.folder.remove().catch((err: unknown) => {
      this.deps.logger.warn({ ...this.named, err }, "the run's folder could not be removed");
    });
  }

  /** What the agent has put into its result file, and over that what its output comes to. */
  private async reported(): Promise<ParsedReport> {
    const written = readRunReport(this.folder.resultFile);
    if (this.output === null) return written;
    const merged = mergedReports(written, this.output.report(await this.lastOutput('stderr')));
    // A session that was missing, and that nothing has come in the place of, is not to be asked for again.
    const isGone = this.history.freshStart !== 'none' && merged.report?.sessionId === null;
    return isGone ? { ...merged, report: { ...merged.report!, clearSession: true } } : merged;
  }

  private async finish(outcome: RunOutcome): Promise<void> {
    for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, LONGEST_FINISH_DELAY_MS)) {
      try {
        await untilAvailable(() => this.deps.authority.finish(this.run, outcome), this.closing.signal);
        return;
      } catch (error) {
        this.closing.signal.throwIfAborted();
        if (error instanceof DomainError) {
          this.deps.logger.warn(
            { ...this.named, code: error.code },
            'the end of the run was refused; somebody else owns it',
          );
          return;
        }
        this.deps.logger.error(
          { ...this.named, err: error },
          'the end of the run could not be recorded; trying again',
        );
        await pause(delayMs, this.closing.signal);
      }
    }
  }

  protected async recordFailure(error: unknown): Promise<RunFailure> {
    const failure = error instanceof RunFailure ? error : unexpected(error);
    if (failure !== error) this.deps.logger.error({ ...this.named, err: error }, failure.message);
    await this.recordError(failure.code, failure.message, {});
    return failure;
  }

  /** Each kind of error once, also where a restart makes us look at the run again. */
  protected async recordError(
    code: string,
    message: string,
    details: Record<string, unknown>,
  ): Promise<void> {
    if (this.history.errors.has(code)) return;
    await this.events.append({ eventType: 'error', level: 'error', message, payload: { code, ...details } });
  }

  /** Masked with what stands before it: a secret may begin there. */
  protected async lastOutput(stream: 'stdout' | 'stderr'): Promise<string> {
    const { mask } = this.secrets;
    const bytes = mask.bytes(await this.folder.tail(stream, LAST_OUTPUT_BYTES + mask.contextBytes));
    return bytes.subarray(-LAST_OUTPUT_BYTES).toString();
  }

  protected async lastOutputs() {
    return { stdout: await this.lastOutput('stdout'), stderr: await this.lastOutput('stderr') };
  }

  /** Of what was no process, and could not outlive the server that did it. */
  protected async lossOfFormerLife() {
    const { nodeId, lease } = this.deps;
    const { claimId } = this.run;
    const lastOutput = await this.lastOutputs();
    return lossPayload({ nodeId, claimId, pid: null, signal: null, lease: lease('former'), lastOutput });
  }

  /** What every line of the server's log about this run begins with. */
  private get named() {
    const { companyId, agentId, runId, correlationId } = this.run;
    return { runId, agentId, companyId, correlationId };
  }

  protected get graceMs(): number {
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
