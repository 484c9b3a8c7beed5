import { Inject } from '@nestjs/common';
import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { CLOCK } from '../tokens';
import type { AgentView } from './agent.view';
import { agentView } from './agent.view';
import { Directory } from './directory';
import { agentsProjection } from './projections/agents.projection';
import type { RuntimeStateDocument } from './projections/runtime-states.projection';
import {
  neverRan,
  runtimeStatesProjection,
  taskStateId,
  taskStatesProjection,
} from './projections/runtime-states.projection';

export class GetAgent extends Query<AgentView> {
  constructor(
    readonly agentId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class ListAgents extends Query<{ items: AgentView[]; nextCursor: string | null }> {
  constructor(
    readonly companyId: string,
    readonly page: { status?: string; limit: number; cursor?: string },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

export class GetRuntimeState extends Query<RuntimeStateDocument> {
  constructor(
    readonly agentId: string,
    readonly taskKey: string | null,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@QueryHandler(GetAgent)
export class GetAgentHandler implements IQueryHandler<GetAgent> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ agentId, waitFor }: GetAgent) {
    await this.processing.waitForReader(waitFor, [agentsProjection.name]);
    await this.directory.agent(agentId);
    const document = await this.readModels.get(agentsProjection, agentId);
    if (!document) throw new DomainError('agent_not_found');
    return agentView(document, this.clock.now());
  }
}

@QueryHandler(ListAgents)
export class ListAgentsHandler implements IQueryHandler<ListAgents> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ companyId, page, waitFor }: ListAgents) {
    await this.processing.waitForReader(waitFor, [agentsProjection.name]);
    await this.directory.company(companyId);
    const { status, limit, cursor } = page;
    const { items, nextCursor } = await this.readModels.query(agentsProjection, {
      where: status === undefined ? { companyId } : { companyId, status },
      orderBy: 'registeredPosition',
      direction: 'asc',
      limit,
      cursor,
    });
    const now = this.clock.now();
    return { items: items.map((document) => agentView(document, now)), nextCursor };
  }
}

@QueryHandler(GetRuntimeState)
export class GetRuntimeStateHandler implements IQueryHandler<GetRuntimeState> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ agentId, taskKey, waitFor }: GetRuntimeState) {
    const projection = taskKey === null ? runtimeStatesProjection : taskStatesProjection;
    await this.processing.waitForReader(waitFor, [projection.name]);
    const address = await this.directory.agent(agentId);
    const id = taskKey === null ? agentId : taskStateId(agentId, taskKey);
    return (await this.readModels.get(projection, id)) ?? neverRan({ ...address, taskKey });
  }
}
