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
import { AsOf } from './audit/as-of';
import { Audit } from './audit/audit';
import { AuditController } from './audit/audit.controller';
import { RunBundle } from './audit/bundle';
import { Why } from './audit/why';
import { AccessWatch } from './auth/access-watch';
import { Gate } from './auth/gate';
import { BudgetReview } from './budgets/budget-review';
import {
  BudgetAnswers,
  ChangeAgentBudgetHandler,
  ChangeCompanyBudgetHandler,
  GetAgentBudgetHandler,
  GetCompanyBudgetHandler,
} from './budgets/budget.handlers';
import { BudgetsController } from './budgets/budgets.controller';
import { CreateTokenHandler, ListTokensHandler, RevokeTokenHandler } from './auth/token.handlers';
import { TokensController } from './auth/tokens.controller';
import { CompaniesController } from './companies/companies.controller';
import { CompaniesStore } from './companies/companies.store';
import {
  ChangeCompanyStatusHandler,
  GetCompanyHandler,
  PatchCompanyHandler,
  RegisterCompanyHandler,
} from './companies/company.handlers';
import { GetCostsHandler } from './costs/cost.queries';
import { ChangePriceTableHandler, GetPriceTableHandler } from './costs/price.handlers';
import { CostsController } from './costs/costs.controller';
import { ExternalKeys } from './event-log/external-keys';
import { HealthController } from './health/health.controller';
import { routesOf } from './http/handles';
import { LiveController } from './live/live.controller';
import { livePayloads } from './live/live-events';
import { LiveGateway } from './live/live.gateway';
import { LiveStreams } from './live/live-streams';
import { NodeHealth } from './health/node-health';
import { Metrics } from './metrics/metrics';
import { MetricsController } from './metrics/metrics.controller';
import type { Node } from './node';
import { ProjectionsController } from './operations/projections.controller';
import { describeRoutes } from './openapi/describe-routes';
import { OpenApi, OpenApiController } from './openapi/openapi.controller';
import { Processing } from './processing/processing';
import { ProjectionJobs } from './processing/projection-jobs';
import { ReadModels } from './processing/read-models';
import { Drain } from './runs/drain';
import { NodeExecution } from './runs/node-execution';
import { ReportToRunHandler } from './runs/run-report.handler';
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
import { CLOCK, DEFAULT_LOG_RETENTION_DAYS, EVENT_LOG, NODE_ID } from './tokens';
import { ownVersion } from './version';
import { WakeAgentHandler } from './wakeups/wake.handler';
import { CancelWakeupHandler } from './wakeups/cancel-wakeup.handler';
import { GetWakeupHandler, ListWakeupsHandler, WakeupAnswers } from './wakeups/wakeup.queries';
import { WakeupsController } from './wakeups/wakeups.controller';

const handlers: Provider[] = [
  RegisterCompanyHandler,
  PatchCompanyHandler,
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
  ReportToRunHandler,
  GetRunHandler,
  ListRunsHandler,
  GetActiveRunHandler,
  GetRunEventsHandler,
  GetRunLogHandler,
  StreamRunLogHandler,
  PutSecretHandler,
  ListSecretsHandler,
  CreateTokenHandler,
  RevokeTokenHandler,
  ListTokensHandler,
  GetCostsHandler,
  ChangePriceTableHandler,
  GetPriceTableHandler,
  BudgetAnswers,
  ChangeAgentBudgetHandler,
  ChangeCompanyBudgetHandler,
  GetAgentBudgetHandler,
  GetCompanyBudgetHandler,
];

const controllers = [
  CompaniesController,
  AgentsController,
  WakeupsController,
  RunsController,
  SecretsController,
  TokensController,
  CostsController,
  BudgetsController,
  TimersController,
  AuditController,
  ProjectionsController,
  LiveController,
  HealthController,
  MetricsController,
  OpenApiController,
];

/** The HTTP face of a node: which route leads to which handler, and what the handlers are given. */
@Module({})
export class AppModule {
  static of(node: Node, gate: Gate): DynamicModule {
    const why = new Why(node.log, node.processing.feed);
    const bundles = new RunBundle(node.log, node.readModels, node.audit, why, node.clock);
    const parts: Provider[] = [
      { provide: CLOCK, useValue: node.clock },
      { provide: DEFAULT_LOG_RETENTION_DAYS, useValue: node.config.logRetentionDays || null },
      { provide: EVENT_LOG, useValue: node.log },
      { provide: NODE_ID, useValue: node.nodeId },
      { provide: Processing, useValue: node.processing },
      { provide: ReadModels, useValue: node.readModels },
      { provide: ProjectionJobs, useValue: node.projectionJobs },
      { provide: AdapterRegistry, useValue: node.adapters },
      { provide: ExternalKeys, useValue: node.externalKeys },
      { provide: AgentsStore, useValue: node.agents },
      { provide: CompaniesStore, useValue: node.companies },
      { provide: BudgetReview, useValue: node.budgets },
      { provide: Directory, useValue: node.directory },
      { provide: NodeExecution, useValue: node.execution },
      { provide: Drain, useValue: node.drain },
      { provide: RunReaper, useValue: node.reaper },
      { provide: AlarmClock, useValue: node.alarms },
      { provide: NodeHealth, useValue: node.health },
      { provide: Metrics, useValue: node.metrics },
      { provide: SecretStore, useValue: node.secrets },
      { provide: Audit, useValue: node.audit },
      { provide: AsOf, useValue: new AsOf(node.log, node.processing.feed) },
      { provide: Why, useValue: why },
      { provide: RunBundle, useValue: bundles },
      { provide: LiveStreams, useValue: node.live },
      { provide: Gate, useValue: gate },
      { provide: AccessWatch, useValue: node.accessWatch },
      { provide: RunLogReader, useValue: new RunLogReader(node.log) },
      {
        provide: OpenApi,
        useValue: new OpenApi(() => describeRoutes(routesOf(controllers), livePayloads, ownVersion())),
      },
    ];
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot()],
      controllers,
      providers: [...parts, ...handlers, LiveGateway],
    };
  }
}
