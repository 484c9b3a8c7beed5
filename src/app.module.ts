import type { DynamicModule, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AdapterRegistry } from './adapters/adapter';
import {
  AgentAnswers,
  ChangeAgentStatusHandler,
  PatchAgentHandler,
  RegisterAgentHandler,
  ResetSessionHandler,
} from './agents/agent.handlers';
import { GetAgentHandler, GetRuntimeStateHandler, ListAgentsHandler } from './agents/agent.queries';
import { AgentsController } from './agents/agents.controller';
import { AgentsStore } from './agents/agents.store';
import { Directory } from './agents/directory';
import { CompaniesController } from './companies/companies.controller';
import {
  ChangeCompanyStatusHandler,
  CompaniesStore,
  GetCompanyHandler,
  RegisterCompanyHandler,
} from './companies/company.handlers';
import { GetCostsHandler } from './costs/cost.queries';
import { ChangePriceTableHandler, GetPriceTableHandler } from './costs/price.handlers';
import { CostsController } from './costs/costs.controller';
import { ExternalKeys } from './event-log/external-keys';
import { HealthController } from './health/health.controller';
import type { Node } from './node';
import { Processing } from './processing/processing';
import { ReadModels } from './processing/read-models';
import { NodeExecution } from './runs/node-execution';
import { GetRunLogHandler, StreamRunLogHandler } from './runs/run-log.queries';
import { RunLogReader } from './runs/run-log-reader';
import { RunReaper } from './runs/run-reaper';
import { CancelRunHandler, ReapRunsHandler } from './runs/run.handlers';
import {
  GetActiveRunHandler,
  GetRunEventsHandler,
  GetRunHandler,
  ListRunsHandler,
  RunAnswers,
} from './runs/run.queries';
import { RunsController } from './runs/runs.controller';
import { AlarmClock } from './timers/alarm-clock';
import { TimersController } from './timers/timers.controller';
import { ListSecretsHandler, PutSecretHandler } from './secrets/secret.handlers';
import { SecretStore } from './secrets/secret-store';
import { SecretsController } from './secrets/secrets.controller';
import { CLOCK, EVENT_LOG, NODE_ID } from './tokens';
import { WakeAgentHandler } from './wakeups/wake.handler';
import { CancelWakeupHandler } from './wakeups/cancel-wakeup.handler';
import { GetWakeupHandler, ListWakeupsHandler, WakeupAnswers } from './wakeups/wakeup.queries';
import { WakeupsController } from './wakeups/wakeups.controller';

const handlers: Provider[] = [
  CompaniesStore,
  RegisterCompanyHandler,
  ChangeCompanyStatusHandler,
  GetCompanyHandler,
  AgentAnswers,
  RegisterAgentHandler,
  PatchAgentHandler,
  ChangeAgentStatusHandler,
  ResetSessionHandler,
  GetAgentHandler,
  ListAgentsHandler,
  GetRuntimeStateHandler,
  WakeAgentHandler,
  CancelWakeupHandler,
  WakeupAnswers,
  GetWakeupHandler,
  ListWakeupsHandler,
  RunAnswers,
  CancelRunHandler,
  ReapRunsHandler,
  GetRunHandler,
  ListRunsHandler,
  GetActiveRunHandler,
  GetRunEventsHandler,
  GetRunLogHandler,
  StreamRunLogHandler,
  PutSecretHandler,
  ListSecretsHandler,
  GetCostsHandler,
  ChangePriceTableHandler,
  GetPriceTableHandler,
];

/** The HTTP face of a node: which route leads to which handler, and what the handlers are given. */
@Module({})
export class AppModule {
  static of(node: Node): DynamicModule {
    const parts: Provider[] = [
      { provide: CLOCK, useValue: node.clock },
      { provide: EVENT_LOG, useValue: node.log },
      { provide: NODE_ID, useValue: node.nodeId },
      { provide: Processing, useValue: node.processing },
      { provide: ReadModels, useValue: node.readModels },
      { provide: AdapterRegistry, useValue: node.adapters },
      { provide: ExternalKeys, useValue: node.externalKeys },
      { provide: AgentsStore, useValue: node.agents },
      { provide: Directory, useValue: node.directory },
      { provide: NodeExecution, useValue: node.execution },
      { provide: RunReaper, useValue: node.reaper },
      { provide: AlarmClock, useValue: node.alarms },
      { provide: SecretStore, useValue: node.secrets },
      { provide: RunLogReader, useValue: new RunLogReader(node.log) },
    ];
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        CompaniesController,
        AgentsController,
        WakeupsController,
        RunsController,
        SecretsController,
        CostsController,
        TimersController,
        HealthController,
      ],
      providers: [...parts, ...handlers],
    };
  }
}
