import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Principal } from '../auth/principal';
import { RequestCause, RequestPrincipal } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { Written } from '../http/written';
import type { Cause } from '../kernel/cause';
import { ChangeAgentStatus, PatchAgent, RegisterAgent, ResetSession } from './agent.handlers';
import { GetAgent, GetRuntimeState, ListAgents } from './agent.queries';
import { agentRoutes as routes } from './agents.routes';

@Controller()
export class AgentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.registerAgent)
  register(@Input() { params, body }: InputOf<typeof routes.registerAgent>, @RequestCause() cause: Cause) {
    return this.commands.execute(new RegisterAgent(params.companyId, body, cause));
  }

  @Handles(routes.listAgents)
  list(@Input() { params, query }: InputOf<typeof routes.listAgents>) {
    const { waitFor, ...page } = query;
    return this.queries.execute(new ListAgents(params.companyId, page, waitFor));
  }

  @Handles(routes.getAgent)
  get(@Input() { params, query }: InputOf<typeof routes.getAgent>) {
    return this.queries.execute(new GetAgent(params.agentId, query.waitFor));
  }

  @Handles(routes.patchAgent)
  patch(
    @Input() { params, headers, body }: InputOf<typeof routes.patchAgent>,
    @RequestPrincipal() principal: Principal,
    @RequestCause() cause: Cause,
  ) {
    return this.commands.execute(new PatchAgent(params.agentId, body, headers['If-Match'], principal, cause));
  }

  @Handles(routes.approveAgent)
  approve(@Input() { params }: InputOf<typeof routes.approveAgent>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeAgentStatus(params.agentId, 'approve', cause));
  }

  @Handles(routes.pauseAgent)
  pause(@Input() { params }: InputOf<typeof routes.pauseAgent>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeAgentStatus(params.agentId, 'pause', cause));
  }

  @Handles(routes.resumeAgent)
  resume(@Input() { params }: InputOf<typeof routes.resumeAgent>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeAgentStatus(params.agentId, 'resume', cause));
  }

  @Handles(routes.terminateAgent)
  terminate(@Input() { params }: InputOf<typeof routes.terminateAgent>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeAgentStatus(params.agentId, 'terminate', cause));
  }

  @Handles(routes.getRuntimeState)
  runtimeState(@Input() { params, query }: InputOf<typeof routes.getRuntimeState>) {
    const { taskKey = null, waitFor } = query;
    return this.queries.execute(new GetRuntimeState(params.agentId, taskKey, waitFor));
  }

  @Handles(routes.resetSession)
  async resetSession(
    @Input() { params, body }: InputOf<typeof routes.resetSession>,
    @RequestCause() cause: Cause,
  ) {
    const [{ agentId }, taskKey] = [params, body.taskKey ?? null];
    const { position } = await this.commands.execute(new ResetSession(agentId, taskKey, cause));
    return new Written(await this.queries.execute(new GetRuntimeState(agentId, taskKey, position)), position);
  }
}
