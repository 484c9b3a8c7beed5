import type { Logger } from 'pino';
import type { AgentEvent, EndCause } from '../agents/domain/agent.events';
import { endsRuns } from '../budgets/domain/budget';
import type { BudgetReview } from '../budgets/budget-review';
import type { CompanyEvent } from '../companies/domain/company.events';
import { companiesProjection } from '../companies/projections/companies.projection';
import { untilAvailable } from '../event-log/until-available';
import type { Clock } from '../kernel/clock';
import type { Position, Recorded } from '../kernel/event';
import { placeOf } from '../processing/consumer-fault';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { DiskSpace } from '../runner/disk-guard';
import { Dispatcher } from '../runner/dispatcher';
import { endLeftovers, runsLeftIn } from '../runner/leftovers';
import type { ClaimedRun } from '../runner/run-authority';
import type { LocalRunner } from '../runner/local-runner';
import type { ReportedEvent } from '../runner/reported-event';
import type { RunEventPlace } from '../runner/run-event-writer';
import type { RunEvent } from './domain/run.events';
import { lifecycle } from './domain/run.events';
import { OpenRuns } from './open-runs';
import { runsProjection } from './projections/runs.projection';
import type { RunAddress, RunClaims } from './run-claims';
import { executionSaga } from './sagas/execution.saga';

/** So long a start waits for the read model of runs, and for their streams, before it looks for itself. */
const CATCH_UP_MS = 60_000;

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
   * Comes back when every run that this node was executing is supervised again, as far as its agent's stream can be read.
   * @throws the abort reason when `stop` aborts meanwhile
   */
  async start(stop: AbortSignal): Promise<void> {
    const { processing, readModels, runsFolder, logger } = this.deps;
    // What comes after the head as it is now is met on the way: by then its run has its stream.
    const consumers = [runsProjection.name, executionSaga.name];
    const head = await processing.waitWhileWorking(consumers, CATCH_UP_MS, stop);
    const leftBehind = new Set(await runsLeftIn(runsFolder));
    const open = await OpenRuns.asOf(head, { processing, readModels }, leftBehind, stop);
    this.sayWhatIsMissing(open);
    await endLeftovers({ runsFolder, isOver: (runId) => open.isOver(runId), logger, signal: stop });
    await this.adoptOwnRuns(open, stop);
    for (const run of open.startable()) this.dispatcher.add(run);
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

  private sayWhatIsMissing({ isComplete, unreadCount, firstUnread }: OpenRuns): void {
    const { logger } = this.deps;
    if (!isComplete) {
      const what = 'the read model of runs is not up to date: what there is to run was looked for on the log';
      logger.warn(`${what}, and processes of runs that are not known are left alone`);
    }
    if (firstUnread) {
      const at = placeOf(firstUnread);
      logger.error(
        { count: unreadCount, first: at },
        'events of runs cannot be read: these runs are left alone',
      );
    }
  }

  /** One run that cannot be taken up never keeps the others from it; its process goes on, and is not begun again. */
  private async adoptOwnRuns(open: OpenRuns, stop: AbortSignal): Promise<void> {
    const { nodeId, claims, runner, logger } = this.deps;
    for (const address of open.runningOn(nodeId)) {
      try {
        const run = await untilAvailable(() => claims.resume(address), stop);
        if (run) runner.adopt(run);
      } catch (err) {
        stop.throwIfAborted();
        const { runId, agentId } = address;
        logger.error({ err, runId, agentId }, 'a run of an earlier life could not be taken up');
      }
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
      for (const recorded of events) this.noticeIfReadable(recorded);
    }
  }

  /** What cannot be read concerns one run, or one agent; the others are still to be started, and to be ended. */
  private noticeIfReadable(recorded: Recorded): void {
    try {
      this.notice(recorded as Recorded<AgentEvent | RunEvent | CompanyEvent>);
    } catch (err) {
      this.deps.logger.error(
        { err, at: placeOf(recorded) },
        'an event that concerns what there is to run was passed over',
      );
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
