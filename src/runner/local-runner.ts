import type { EndCause } from '../agents/domain/agent.events';
import { LocalRun } from './local-run';
import type { ClaimedRun } from './run-authority';
import type { RunnerDeps } from './runner-deps';

/** Executes the runs that this node has claimed, as local processes that outlive it. */
export class LocalRunner {
  private readonly runs = new Map<string, LocalRun>();
  private isClosed = false;
  private notifyFinished: () => void = () => undefined;

  constructor(private readonly deps: RunnerDeps) {}

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

  isSupervising(runId: string): boolean {
    return this.runs.has(runId);
  }

  get activeCount(): number {
    return this.runs.size;
  }

  /** Answers when nothing is supervised any more. */
  async idle(): Promise<void> {
    while (this.runs.size > 0) await Promise.all([...this.runs.values()].map((run) => run.finished));
  }

  /** Stops supervising. The processes go on: another runner adopts them. What was read of their output is recorded. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.runs.values()].map((run) => run.close()));
  }

  private supervise(claimed: ClaimedRun, isAdopted: boolean): void {
    if (this.isClosed || this.runs.has(claimed.runId)) return;
    const run = new LocalRun(claimed, this.deps, isAdopted);
    this.runs.set(claimed.runId, run);
    void run.finished.then(() => {
      this.runs.delete(claimed.runId);
      this.notifyFinished();
    });
  }
}
