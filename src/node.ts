import type { Logger } from 'pino';
import { AdapterRegistry } from './adapters/adapter';
import { processAdapter } from './adapters/process/process-adapter';
import { AgentsStore } from './agents/agents.store';
import { Directory } from './agents/directory';
import { agentsProjection } from './agents/projections/agents.projection';
import {
  runtimeStatesProjection,
  taskStatesProjection,
} from './agents/projections/runtime-states.projection';
import type { ReleaseCommand } from './agents/sagas/deferred-release.saga';
import { deferredReleaseSaga } from './agents/sagas/deferred-release.saga';
import type { Backends } from './backends';
import { CompanyStop } from './companies/company-stop';
import { companyStopSaga } from './companies/sagas/company-stop.saga';
import { companiesProjection } from './companies/projections/companies.projection';
import type { Config } from './config';
import { defaultPrices } from './costs/domain/prices';
import { costEntriesProjection } from './costs/projections/cost-entries.projection';
import { priceTablesProjection } from './costs/projections/price-tables.projection';
import { RunSettlement } from './costs/run-settlement';
import type { DataFolder } from './data-folder';
import type { DocumentStore } from './documents/document-store';
import type { EventLog } from './event-log/event-log';
import { ExternalKeys } from './event-log/external-keys';
import type { Clock } from './kernel/clock';
import type { Recorded } from './kernel/event';
import { Processing } from './processing/processing';
import { ReadModels } from './processing/read-models';
import type { Saga } from './processing/saga';
import type { SagaCommandHandler } from './processing/saga-runner';
import { LocalRunner } from './runner/local-runner';
import { NodeExecution } from './runs/node-execution';
import { NodeLeases } from './runs/node-leases';
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
  priceTablesProjection,
];

/** The parts of one server, put together: everything but HTTP. */
export class Node {
  readonly nodeId: string;
  readonly adapters = new AdapterRegistry([processAdapter]);
  readonly processing: Processing;
  readonly readModels: ReadModels;
  readonly externalKeys: ExternalKeys;
  readonly agents: AgentsStore;
  readonly directory: Directory;
  readonly execution: NodeExecution;
  readonly reaper: RunReaper;
  readonly alarms: AlarmClock;
  private readonly runner: LocalRunner;
  private readonly claims: RunClaims;
  private readonly runStreams: RunStreams;
  private readonly leases: NodeLeases;
  private readonly companyStop: CompanyStop;
  private readonly stopped = new AbortController();
  private url = '';

  private constructor(
    readonly log: EventLog,
    readonly documents: DocumentStore,
    readonly secrets: SecretStore,
    folder: DataFolder,
    config: Config,
    environment: Record<string, string>,
    readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    const nodeId = (this.nodeId = folder.nodeId);
    this.processing = new Processing(log, documents, logger);
    this.readModels = new ReadModels(documents);
    this.externalKeys = new ExternalKeys(log, clock, nodeId);
    this.agents = new AgentsStore(log, clock, nodeId, async (companyId) => {
      const company = await this.readModels.get(companiesProjection, companyId);
      return company?.status === 'paused';
    });
    this.directory = new Directory(this.processing, this.readModels);
    const prices = async (companyId: string) => {
      const table = await this.readModels.get(priceTablesProjection, companyId);
      return [table?.prices ?? [], defaultPrices];
    };
    const settlement = new RunSettlement(log, clock, prices);
    this.claims = new RunClaims(this.agents, log, nodeId, settlement);
    this.runStreams = new RunStreams(log, nodeId, this.stopped.signal);
    this.leases = new NodeLeases(documents, clock, nodeId, (err) =>
      logger.error({ err }, 'the node could not renew its lease'),
    );
    this.runner = new LocalRunner({
      log,
      adapters: this.adapters,
      authority: this.claims,
      clock,
      prices,
      secrets,
      nodeId,
      runsFolder: folder.runsFolder,
      environment,
      apiUrl: () => this.url,
      logger,
    });
    const { processing, readModels, claims, runner, agents, leases } = this;
    const shared = { nodeId, processing, readModels, claims, runner, clock, logger };
    this.execution = new NodeExecution({ ...shared, maxRuns: config.maxRuns, runsFolder: folder.runsFolder });
    this.reaper = new RunReaper({ ...shared, agents, leases, settlement });
    this.alarms = new AlarmClock({ ...shared, agents });
    this.companyStop = new CompanyStop(agents, processing, readModels);
  }

  static async open(
    { log, documents }: Backends,
    folder: DataFolder,
    config: Config,
    environment: Record<string, string>,
    clock: Clock,
    logger: Logger,
  ): Promise<Node> {
    const secrets = await SecretStore.open(folder.path);
    return new Node(log, documents, secrets, folder, config, environment, clock, logger);
  }

  /** Follows the log; from here on it can be written to and read from. */
  async startProcessing(): Promise<void> {
    await this.leases.start();
    await this.processing.start(projections, [
      handledBy(executionSaga, (command, cause) => this.runStreams.execute(command, cause)),
      handledBy(deferredReleaseSaga, (command, cause) => this.release(command, cause)),
      handledBy(companyStopSaga, (command, cause) => this.companyStop.execute(command, cause)),
      handledBy(scheduleSaga, (command, cause) => this.alarms.setTimer(command, cause)),
    ]);
  }

  /** Takes up what was left running and starts what is queued. */
  async startExecution(url: string): Promise<void> {
    this.url = url;
    await this.execution.start();
    this.alarms.start();
    this.reaper.start();
  }

  /** Local runs go on without the server, and are taken up when it comes back. */
  async stop(): Promise<void> {
    await this.reaper.stop();
    await this.alarms.stop();
    await this.execution.stop();
    await this.runner.close();
    this.stopped.abort();
    await this.processing.stop();
    this.leases.stop();
    await this.log.close();
    await this.documents.close();
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
