import type { Logger } from 'pino';
import type { Adapter } from './adapters/adapter';
import { AdapterRegistry } from './adapters/adapter';
import { claudeAdapter } from './adapters/coding-agents/claude/claude-adapter';
import { codexAdapter } from './adapters/coding-agents/codex/codex-adapter';
import { geminiAdapter } from './adapters/coding-agents/gemini-adapter';
import { opencodeAdapter } from './adapters/coding-agents/opencode-adapter';
import { httpAdapter } from './adapters/http/http-adapter';
import { jsonLinesAdapter } from './adapters/json-lines/json-lines-adapter';
import { processAdapter } from './adapters/process/process-adapter';
import { AgentsStore } from './agents/agents.store';
import { Directory } from './agents/directory';
import type { CompanyStanding } from './agents/domain/agent.commands';
import { agentsProjection } from './agents/projections/agents.projection';
import {
  runtimeStatesProjection,
  taskStatesProjection,
} from './agents/projections/runtime-states.projection';
import type { ReleaseCommand } from './agents/sagas/deferred-release.saga';
import { deferredReleaseSaga } from './agents/sagas/deferred-release.saga';
import { isStopped } from './budgets/domain/budget';
import { BudgetReview } from './budgets/budget-review';
import { budgetReviewSaga } from './budgets/sagas/budget-review.saga';
import { Audit } from './audit/audit';
import { AccessWatch } from './auth/access-watch';
import { accessTokensProjection } from './auth/projections/access-tokens.projection';
import { RunTokens } from './auth/run-tokens';
import type { Backends } from './backends';
import { CompaniesStore } from './companies/companies.store';
import { CompanyStop } from './companies/company-stop';
import { companyStopSaga } from './companies/sagas/company-stop.saga';
import { companiesProjection } from './companies/projections/companies.projection';
import type { Config } from './config';
import { defaultPrices } from './costs/domain/prices';
import { costEntriesProjection } from './costs/projections/cost-entries.projection';
import { priceTablesProjection } from './costs/projections/price-tables.projection';
import { agentMonthsProjection, companyDaysProjection } from './costs/projections/spend.projections';
import { RunSettlement } from './costs/run-settlement';
import type { DataFolder } from './data-folder';
import type { DocumentStore } from './documents/document-store';
import type { LogUpkeep } from './event-log/log-upkeep';
import type { EventLog } from './event-log/event-log';
import { ExternalKeys } from './event-log/external-keys';
import { inCurrentShape } from './event-log/in-current-shape';
import { eventShapes } from './event-shapes';
import { NodeHealth } from './health/node-health';
import type { Clock } from './kernel/clock';
import type { Recorded } from './kernel/event';
import { LiveStreams } from './live/live-streams';
import { measured } from './metrics/measured-event-log';
import { Metrics } from './metrics/metrics';
import { NodeMetrics } from './metrics/node-metrics';
import { Processing } from './processing/processing';
import { ProjectionJobs } from './processing/projection-jobs';
import { ReadModels } from './processing/read-models';
import type { Saga } from './processing/saga';
import type { SagaCommandHandler } from './processing/saga-runner';
import { LogRetention } from './retention/log-retention';
import { logRetentionSaga } from './retention/sagas/log-retention.saga';
import { LocalRunner } from './runner/local-runner';
import { Drain } from './runs/drain';
import { NodeExecution } from './runs/node-execution';
import { NodeLeases } from './runs/node-leases';
import { OrphanedRuns } from './runs/orphaned-runs';
import { runsProjection } from './runs/projections/runs.projection';
import { RunClaims } from './runs/run-claims';
import { RunReaper } from './runs/run-reaper';
import { RunStreams } from './runs/run-streams';
import { SecretStore } from './secrets/secret-store';
import { executionSaga } from './runs/sagas/execution.saga';
import { AlarmClock } from './timers/alarm-clock';
import { alarmsProjection } from './timers/projections/alarms.projection';
import { scheduleSaga } from './timers/sagas/schedule.saga';
import { wakeupsProjection } from './wakeups/projections/wakeups.projection';

export const projections = [
  companiesProjection,
  agentsProjection,
  runtimeStatesProjection,
  taskStatesProjection,
  alarmsProjection,
  wakeupsProjection,
  runsProjection,
  costEntriesProjection,
  companyDaysProjection,
  agentMonthsProjection,
  priceTablesProjection,
  accessTokensProjection,
];

export const sagas = [
  executionSaga,
  deferredReleaseSaga,
  companyStopSaga,
  scheduleSaga,
  budgetReviewSaga,
  logRetentionSaga,
];

/** The adapters that every server knows. */
export const builtInAdapters: readonly Adapter[] = [
  processAdapter,
  httpAdapter,
  claudeAdapter,
  codexAdapter,
  geminiAdapter,
  opencodeAdapter,
  jsonLinesAdapter,
];

/** The parts of one server, put together: everything but HTTP. */
export class Node {
  readonly nodeId: string;
  readonly processing: Processing;
  readonly readModels: ReadModels;
  readonly projectionJobs: ProjectionJobs;
  readonly externalKeys: ExternalKeys;
  readonly agents: AgentsStore;
  readonly companies: CompaniesStore;
  readonly budgets: BudgetReview;
  readonly directory: Directory;
  readonly execution: NodeExecution;
  readonly drain: Drain;
  readonly reaper: RunReaper;
  readonly alarms: AlarmClock;
  readonly health: NodeHealth;
  readonly live: LiveStreams;
  readonly accessWatch: AccessWatch;
  readonly runTokens: RunTokens;
  private readonly nodeMetrics: NodeMetrics;
  private readonly runner: LocalRunner;
  private readonly claims: RunClaims;
  private readonly runStreams: RunStreams;
  private readonly leases: NodeLeases;
  private readonly companyStop: CompanyStop;
  private readonly logRetention: LogRetention;
  private readonly stopped = new AbortController();
  private url = '';

  private constructor(
    readonly log: EventLog,
    readonly documents: DocumentStore,
    private readonly upkeep: LogUpkeep | null,
    readonly secrets: SecretStore,
    readonly audit: Audit,
    readonly adapters: AdapterRegistry,
    folder: DataFolder,
    readonly config: Config,
    environment: Record<string, string>,
    readonly clock: Clock,
    readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    const nodeId = (this.nodeId = folder.nodeId);
    this.processing = new Processing(log, documents, logger);
    this.readModels = new ReadModels(documents, this.processing.generations);
    this.projectionJobs = new ProjectionJobs(this.processing, documents, clock, logger);
    this.externalKeys = new ExternalKeys(log, clock, nodeId);
    this.agents = new AgentsStore(log, clock, nodeId, (...whose) => this.companyStanding(...whose));
    this.companies = new CompaniesStore(log, clock, nodeId);
    this.directory = new Directory(this.processing, this.readModels);
    this.runTokens = new RunTokens(folder.runTokenSecret, this.agents, clock);
    const prices = async (companyId: string) => {
      const table = await this.readModels.get(priceTablesProjection, companyId);
      return [table?.prices ?? [], defaultPrices];
    };
    const settlement = new RunSettlement(log, clock, prices);
    this.leases = new NodeLeases({
      ...{ documents, clock, nodeId, backWithinSec: config.backWithinSec },
      onFault: (err) => logger.error({ err }, 'the node could not renew its lease'),
    });
    this.claims = new RunClaims(this.agents, log, nodeId, settlement, {
      freeAdapterTypes: adapters.freeTypes,
      isKnown: async (other) => (await this.leases.of(other)) !== null,
    });
    this.runStreams = new RunStreams(log, nodeId, this.stopped.signal);
    this.runner = new LocalRunner({
      log,
      adapters: this.adapters,
      authority: this.claims,
      clock,
      prices,
      secrets,
      runToken: (run) => this.runTokens.of(run),
      nodeId,
      lease: (life) => this.leases.own(life),
      runsFolder: folder.runsFolder,
      workspacesFolder: folder.workspacesFolder,
      environment,
      apiUrl: () => this.url,
      http: {
        allowsPrivateAddresses: config.httpPrivateAddresses === 'allow',
        maxAnswerBytes: config.httpAnswerBytes,
      },
      logger,
    });
    const { processing, readModels, claims, runner, agents, companies, leases } = this;
    this.budgets = new BudgetReview({ agents, companies, processing, readModels, clock });
    const { budgets } = this;
    const shared = { nodeId, processing, readModels, claims, budgets, runner, clock, logger };
    this.execution = new NodeExecution({ ...shared, maxRuns: config.maxRuns, runsFolder: folder.runsFolder });
    this.drain = new Drain({
      ...{ mode: config.drain, timeoutSec: config.drainTimeoutSec, execution: this.execution },
      ...shared,
    });
    const orphans = new OrphanedRuns({ ...shared, agents, log, settlement });
    this.reaper = new RunReaper({ ...shared, leases, orphans });
    this.alarms = new AlarmClock({ ...shared, agents });
    const { execution } = this;
    const parts = { ...shared, log, documents, upkeep, execution, dataFolder: folder.path };
    this.nodeMetrics = new NodeMetrics(metrics, parts);
    this.health = new NodeHealth({ ...parts, drain: this.drain });
    this.companyStop = new CompanyStop(agents, processing, readModels);
    this.logRetention = new LogRetention({ ...shared, log, documents });
    this.live = new LiveStreams({ log, feed: processing.feed, directory: this.directory, logger });
    this.accessWatch = new AccessWatch({ ...shared, log, sessions: this.live });
  }

  static async open(
    { log, documents, upkeep }: Backends,
    folder: DataFolder,
    config: Config,
    environment: Record<string, string>,
    clock: Clock,
    logger: Logger,
    adapters: readonly Adapter[],
  ): Promise<Node> {
    const secrets = await SecretStore.open(folder.path);
    const metrics = new Metrics();
    const measuredLog = measured(log, metrics);
    const ownLog = inCurrentShape(measuredLog, eventShapes);
    const audit = await Audit.open({
      ...{ log: measuredLog, documents, clock, nodeId: folder.nodeId, dataFolder: folder.path },
      everyEvents: config.auditCheckpointEvents,
      everySec: config.auditCheckpointSec,
      onFault: (err) => logger.error({ err }, 'checkpoints could not be written'),
    });
    return new Node(
      ownLog,
      documents,
      upkeep ?? null,
      secrets,
      audit,
      new AdapterRegistry(adapters),
      folder,
      config,
      environment,
      clock,
      metrics,
      logger,
    );
  }

  /**
   * Follows the log; from here on it can be written to and read from.
   * @throws StoreUnusable, and the abort reason when `stop` aborts meanwhile
   */
  async startProcessing(stop: AbortSignal): Promise<void> {
    await this.leases.start();
    await this.processing.start(projections, [
      handledBy(executionSaga, (command, cause) => this.runStreams.execute(command, cause)),
      handledBy(deferredReleaseSaga, (command, cause) => this.release(command, cause)),
      handledBy(companyStopSaga, (command, cause) => this.companyStop.execute(command, cause)),
      handledBy(budgetReviewSaga, (command, cause) => this.budgets.execute(command, cause)),
      handledBy(logRetentionSaga, (command, cause) => this.logRetention.execute(command, cause)),
      handledBy(scheduleSaga, (command, cause) => this.alarms.setTimer(command, cause)),
    ]);
    await this.logRetention.start();
    this.upkeep?.start(() => this.logRetention.isCarriedOut);
    await this.accessWatch.start(stop);
    await this.nodeMetrics.start();
    await this.projectionJobs.resume();
    this.audit.start();
  }

  /**
   * Takes up what was left running and starts what is queued.
   * @throws the abort reason when `stop` aborts meanwhile
   */
  async startExecution(url: string, stop: AbortSignal): Promise<void> {
    this.url = url;
    await this.execution.start(stop);
    this.alarms.start();
    this.reaper.start();
  }

  /** Local runs go on without the server, and are taken up when it comes back. */
  async stop(): Promise<void> {
    await this.reaper.stop();
    await this.alarms.stop();
    await this.execution.stop();
    await this.runner.close();
    await this.nodeMetrics.stop();
    await this.accessWatch.stop();
    this.stopped.abort();
    await this.logRetention.stop();
    await this.projectionJobs.stop();
    await this.processing.stop();
    await this.leases.stop();
    await this.audit.stop();
    await this.upkeep?.stop();
    await this.log.close();
    await this.documents.close();
  }

  private async companyStanding(companyId: string, at: string): Promise<CompanyStanding> {
    const company = await this.readModels.get(companiesProjection, companyId);
    return {
      companyPaused: company?.status === 'paused',
      companyOverBudget: company !== null && isStopped(company.budget, at),
    };
  }

  private async release({ companyId, agentId }: ReleaseCommand, cause: Recorded): Promise<void> {
    await this.agents.execute(
      { companyId, agentId },
      { type: 'ReleaseDeferredWakeups' },
      { actor: { type: 'system', id: deferredReleaseSaga.name }, event: cause },
      () => undefined,
    );
  }
}

/** Ties a saga to what executes its commands. */
function handledBy<E extends Recorded['event'], C extends { type: string; key: string }>(
  saga: Saga<E, C>,
  execute: SagaCommandHandler<C>,
): { saga: Saga; execute: SagaCommandHandler<{ type: string; key: string }> } {
  return { saga: saga, execute: execute as SagaCommandHandler<{ type: string; key: string }> };
}
