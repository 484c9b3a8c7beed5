import type { Logger } from 'pino';
import type { AgentEvent, EndCause } from '../agents/domain/agent.events';
import { endsRuns } from '../budgets/domain/budget';
import type { BudgetReview } from '../budgets/budget-review';
import type { CompanyEvent } from '../companies/domain/company.events';
import { companiesProjection } from '../companies/projections/companies.projection';
import type { Clock } from '../kernel/clock';
import type { Position, Recorded } from '../kernel/event';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { DiskSpace } from '../runner/disk-guard';
import { Dispatcher } from '../runner/dispatcher';
import { endLeftovers } from '../runner/leftovers';
import { orAborted } from '../kernel/pause';
import type { ClaimedRun } from '../runner/run-authority';
import type { LocalRunner } from '../runner/local-runner';
import type { ReportedEvent } from '../runner/reported-event';
import type { RunEventPlace } from '../runner/run-event-writer';
import type { RunEvent } from './domain/run.events';
import { lifecycle } from './domain/run.events';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress, RunClaims } from './run-claims';
import { runsOfStatus } from './runs-by-status';
import { executionSaga } from './sagas/execution.saga';

/** How long a start may take to handle what was left on the log. */
const CATCH_UP_MS = 10 * 60_000;

/**
 * What this node does about runs: takes up those that it was running when it stopped, claims queued ones as there is
 * room, and ends those that the log wants ended.
 */
export class NodeExecution {
  private readonly dispatcher: Dispatcher;
  private readonly stopped = new AbortController();
  /** Endings of runs that this node doesn't execute, or doesn't execute yet: a claim may just be on its way. */
  private readonly endsToCome = new Map<string, EndCause>();
  private following: Promise<void> | undefined;
  private isStarted = false;
  private failure: Error | null = null;

  constructor(
    private readonly deps: {
      nodeId: string;
      maxRuns: number;
      runsFolder: string;
      processing: Processing;
      readModels: ReadModels;
      claims: RunClaims;
      budgets: Pick<BudgetReview, 'beforeDecision'>;
      runner: LocalRunner;
      clock: Clock;
      logger: Logger;
    },
  ) {
    const { runner, maxRuns, clock, logger } = deps;
    this.dispatcher = new Dispatcher({
      maxRuns,
      activeCount: () => runner.activeCount,
      start: async (run) => this.launch(run, run.cause),
      clock,
      logger,
    });
    runner.onFinished(() => this.dispatcher.dispatch());
  }

  /**
   * Comes back when every run that this node was executing is supervised again.
   * @throws the abort reason when `stop` aborts meanwhile
   */
  async start(stop: AbortSignal): Promise<void> {
    const { processing, runsFolder, logger } = this.deps;
    // What comes after the head as it is now is met on the way: by then its run has its stream.
    const caughtUp = processing.waitForHead([runsProjection.name, executionSaga.name], CATCH_UP_MS);
    const head = await orAborted(caughtUp, stop);
    await endLeftovers({ runsFolder, isOver: (runId) => this.isOver(runId), logger, signal: stop });
    await this.adoptOwnRuns();
    stop.throwIfAborted();
    for await (const run of runsOfStatus(this.deps.readModels, 'queued')) {
      if (BigInt(run.queuedPosition!) <= head) this.dispatcher.add(run);
    }
    this.following = this.follow(head).catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error('stopped', { cause: error });
      logger.error({ err: error }, 'this node no longer sees what there is to run');
    });
    this.isStarted = true;
    this.dispatcher.start();
  }

  /** Comes back when nothing is claimed any more. What is running goes on, and is ended where the log says so. */
  async stopClaiming(): Promise<void> {
    await this.dispatcher.stop();
  }

  /** Starts and ends nothing any more; what is running goes on. */
  async stop(): Promise<void> {
    await this.stopClaiming();
    this.stopped.abort();
    await this.following;
  }

  /** Why this node executes nothing; null where it does its work. */
  get illness(): string | null {
    return this.failure?.message ?? (this.isStarted ? null : 'starting');
  }

  /** Takes what a run says of itself by way of the API; null where it is not being executed here. */
  async report(runId: string, report: ReportedEvent, key: string | null): Promise<RunEventPlace | null> {
    return this.deps.runner.report(runId, report, key);
  }

  /** Tries again what waits for its time: a clock that was set has told nobody. */
  lookAgain(): void {
    this.dispatcher.unblockAll();
  }

  /** Of the disk that runs write to; null where that cannot be seen. */
  diskSpace(): Promise<DiskSpace | null> {
    return this.deps.runner.diskSpace();
  }

  get load(): { active: number; waiting: number; max: number } {
    const { runner, maxRuns } = this.deps;
    return { active: runner.activeCount, waiting: this.dispatcher.queueDepth, max: maxRuns };
  }

  /** Also where the log has never heard of the run. */
  private async isOver(runId: string): Promise<boolean> {
    const document = await this.deps.readModels.get(runsProjection, runId);
    return document === null || document.finishedAt !== null;
  }

  private async adoptOwnRuns(): Promise<void> {
    const { nodeId, claims, runner, readModels } = this.deps;
    for await (const document of runsOfStatus(readModels, 'running')) {
      if (document.nodeId !== nodeId) continue;
      const run = await claims.resume(document);
      if (run) runner.adopt(run);
    }
  }

  private async launch(address: RunAddress, cause: Recorded | undefined): Promise<void> {
    const { claims, runner, budgets } = this.deps;
    await budgets.beforeDecision(address);
    const { run, position } = await claims.claim(address, cause);
    runner.start(run);
    void this.endIfCompanyStopped(run, position);
    const endCause = this.endsToCome.get(address.runId);
    if (endCause) runner.end(address.runId, endCause);
  }

  /** A claim that crossed its company's pause, or the end of its budget, was decided before that was seen: it is taken back. */
  private async endIfCompanyStopped(run: ClaimedRun, started: Position): Promise<void> {
    const { processing, readModels, claims, logger } = this.deps;
    try {
      await processing.waitPatiently(started, [companiesProjection.name]);
      const company = await readModels.get(companiesProjection, run.companyId);
      if (company?.status === 'paused') await claims.requestEnd(run, 'pause');
      else if (company?.budget.stop && endsRuns(company.budget.stop)) await claims.requestEnd(run, 'budget');
    } catch (err) {
      if (this.stopped.signal.aborted) return;
      logger.error({ err, runId: run.runId }, 'could not see whether the company is stopped');
    }
  }

  private async follow(after: Position): Promise<void> {
    for await (const { events } of this.deps.processing.feed.subscribe(after, this.stopped.signal)) {
      for (const recorded of events) this.notice(recorded as Recorded<AgentEvent | RunEvent | CompanyEvent>);
    }
  }

  private notice(recorded: Recorded<AgentEvent | RunEvent | CompanyEvent>): void {
    const { event } = recorded;
    switch (event.type) {
      case 'RunLifecycleRecorded':
        if (event.data.message === lifecycle.queued) this.enqueue(event.data, recorded);
        return;
      case 'RunStarted':
        // One of our own claims may still fail on its way to the runner, and is then tried again.
        return event.data.nodeId === this.deps.nodeId ? undefined : this.dispatcher.remove(event.data);
      case 'RunEndRequested':
        return this.end(event.data.runId, event.data.cause);
      case 'RunFinished':
        this.endsToCome.delete(event.data.runId);
        this.dispatcher.remove(event.data);
        return this.dispatcher.unblock(event.data.agentId);
      case 'CompanyResumed':
      case 'CompanyBudgetRestored':
        return void this.tryAllAgain(recorded.position);
      case 'AgentApproved':
      case 'AgentResumed':
      case 'AgentUpdated':
      case 'AgentBudgetChanged':
      case 'AgentBudgetRestored':
      case 'SessionReset':
        return this.dispatcher.unblock(event.data.agentId);
      default:
    }
  }

  /** Claims ask the read model of companies: they have a chance only once that knows that they may go on. */
  private async tryAllAgain(resumed: Position): Promise<void> {
    const { processing, logger } = this.deps;
    await processing.waitFor(resumed, [companiesProjection.name]).catch((err: unknown) => {
      if (!this.stopped.signal.aborted) logger.error({ err }, 'companies are not seen to go on');
    });
    this.dispatcher.unblockAll();
  }

  private enqueue({ companyId, agentId, runId, payload }: RunEvent['data'], cause: Recorded): void {
    const priority = typeof payload?.['priority'] === 'number' ? payload['priority'] : 0;
    const coalesceKey = typeof payload?.['coalesceKey'] === 'string' ? payload['coalesceKey'] : null;
    this.dispatcher.add({ companyId, agentId, runId, priority, coalesceKey, cause });
  }

  private end(runId: string, cause: EndCause): void {
    if (this.deps.runner.isSupervising(runId)) this.deps.runner.end(runId, cause);
    else this.endsToCome.set(runId, cause);
  }
}
