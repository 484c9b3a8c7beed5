import type { EndCause } from '../agents/domain/agent.events';
import type { DiskSpace } from './disk-guard';
import { DiskGuard } from './disk-guard';
import { InlineRun } from './inline-run';
import { LocalRun } from './local-run';
import { RemoteRun } from './remote/remote-run';
import type { ClaimedRun } from './run-authority';
import type { RunEventPlace } from './run-event-writer';
import type { ReportedEvent } from './reported-event';
import type { RunnerDeps } from './runner-deps';
import { Spawner } from './spawner';
import type { SupervisedRun } from './supervised-run';

const RUNS = { local: LocalRun, remote: RemoteRun, inline: InlineRun };

/** Executes the runs that this node has claimed: as local processes that outlive it, or as requests that don't. */
export class LocalRunner {
  private readonly runs = new Map<string, SupervisedRun>();
  private readonly closing = new AbortController();
  private readonly disk: DiskGuard;
  private readonly spawner: Spawner;
  private notifyFinished: () => void = () => undefined;

  constructor(private readonly deps: RunnerDeps) {
    this.spawner = new Spawner(deps.environment);
    this.disk = new DiskGuard(deps.runsFolder, () => [...this.runs.values()], deps.logger);
  }

  /** Who is to be told whenever a run has made room for another one. */
  onFinished(notify: () => void): void {
    this.notifyFinished = notify;
  }

  /** Executes a run in the background; ends by `authority.finish`. */
  start(run: ClaimedRun): void {
    this.supervise(run, false);
  }

  /**
   * Takes up a run that this node had started in an earlier life: goes on with its process, or with what that has left
   * behind, or starts it where nothing was executed yet.
   */
  adopt(run: ClaimedRun): void {
    this.supervise(run, true);
  }

  /** Starts ending a run whose `RunEndRequested` is on the log. Repeating it changes nothing. */
  end(runId: string, cause: EndCause): void {
    const run = this.runs.get(runId);
    if (!run) return;
    this.deps.logger.info({ runId, cause }, 'ending run');
    run.end();
  }

  /**
   * Takes what a run says of itself by way of the API, see `SupervisedRun`. Null where it is not being executed here.
   */
  report(runId: string, report: ReportedEvent, key: string | null): Promise<RunEventPlace> | null {
    return this.runs.get(runId)?.report(report, key) ?? null;
  }

  isSupervising(runId: string): boolean {
    return this.runs.has(runId);
  }

  /** The runs that are being executed or taken up. */
  get supervised(): ClaimedRun[] {
    return [...this.runs.values()].map(({ run }) => run);
  }

  get activeCount(): number {
    return this.runs.size;
  }

  /** Of the disk that the runs write to; null where that cannot be seen. */
  diskSpace(): Promise<DiskSpace | null> {
    return this.disk.space();
  }

  /** Answers when nothing is supervised any more. */
  async idle(): Promise<void> {
    while (this.runs.size > 0) await Promise.all([...this.runs.values()].map((run) => run.finished));
  }

  /**
   * Stops supervising. The processes go on: another runner adopts them. What was read of their output is recorded.
   * Requests are taken back: another runner finds that they are lost.
   */
  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.runs.values()].map((run) => run.close()));
    await this.spawner.close();
  }

  private supervise(claimed: ClaimedRun, isAdopted: boolean): void {
    if (this.closing.signal.aborted || this.runs.has(claimed.runId)) return;
    // A type that nobody knows any more is met by the kind that can have left something behind.
    const kind = this.deps.adapters.get(claimed.adapterType)?.kind ?? 'local';
    const run = new RUNS[kind](claimed, { ...this.deps, spawner: this.spawner }, isAdopted);
    this.runs.set(claimed.runId, run);
    this.disk.watch(this.closing.signal);
    void run.finished.then(() => {
      this.runs.delete(claimed.runId);
      this.notifyFinished();
    });
  }
}
