import type { Logger } from 'pino';
import type { AgentEvent, EndCause } from '../agents/domain/agent.events';
import type { Position, Recorded } from '../kernel/event';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import { Dispatcher } from '../runner/dispatcher';
import { endLeftovers } from '../runner/leftovers';
import type { LocalRunner } from '../runner/local-runner';
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

  constructor(
    private readonly deps: {
      nodeId: string;
      maxRuns: number;
      runsFolder: string;
      processing: Processing;
      readModels: ReadModels;
      claims: RunClaims;
      runner: LocalRunner;
      logger: Logger;
    },
  ) {
    const { runner, maxRuns, logger } = deps;
    this.dispatcher = new Dispatcher({
      maxRuns,
      activeCount: () => runner.activeCount,
      start: async (run) => this.launch(run, run.cause),
      logger,
    });
    runner.onFinished(() => this.dispatcher.dispatch());
  }

  /** Comes back when every run that this node was executing is supervised again. */
  async start(): Promise<void> {
    const { processing, runsFolder, logger } = this.deps;
    await processing.waitForHead([runsProjection.name, executionSaga.name], CATCH_UP_MS);
    const from = processing.reached(runsProjection.name);
    await endLeftovers({ runsFolder, isOver: (runId) => this.isOver(runId), logger });
    await this.adoptOwnRuns();
    for await (const run of runsOfStatus(this.deps.readModels, 'queued')) this.dispatcher.add(run);
    this.following = this.follow(from);
    this.dispatcher.start();
  }

  /** Starts nothing any more; what is running goes on. */
  async stop(): Promise<void> {
    this.dispatcher.stop();
    this.stopped.abort();
    await this.following;
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
    const { claims, runner } = this.deps;
    runner.start(await claims.claim(address, cause));
    const endCause = this.endsToCome.get(address.runId);
    if (endCause) runner.end(address.runId, endCause);
  }

  private async follow(after: Position): Promise<void> {
    for await (const { events } of this.deps.processing.feed.subscribe(after, this.stopped.signal)) {
      for (const recorded of events) this.notice(recorded as Recorded<AgentEvent | RunEvent>);
    }
  }

  private notice(recorded: Recorded<AgentEvent | RunEvent>): void {
    const { event } = recorded;
    switch (event.type) {
      case 'RunLifecycleRecorded':
        if (event.data.message === lifecycle.queued) this.enqueue(event.data, recorded);
        return;
      case 'RunStarted':
        return this.dispatcher.remove(event.data);
      case 'RunEndRequested':
        return this.end(event.data.runId, event.data.cause);
      case 'RunFinished':
        this.endsToCome.delete(event.data.runId);
        this.dispatcher.remove(event.data);
        return this.dispatcher.unblock(event.data.agentId);
      case 'AgentApproved':
      case 'AgentResumed':
      case 'AgentUpdated':
        return this.dispatcher.unblock(event.data.agentId);
      default:
    }
  }

  private enqueue({ companyId, agentId, runId, payload }: RunEvent['data'], cause: Recorded): void {
    const priority = typeof payload?.['priority'] === 'number' ? payload['priority'] : 0;
    this.dispatcher.add({ companyId, agentId, runId, priority, cause });
  }

  private end(runId: string, cause: EndCause): void {
    if (this.deps.runner.isSupervising(runId)) this.deps.runner.end(runId, cause);
    else this.endsToCome.set(runId, cause);
  }
}
