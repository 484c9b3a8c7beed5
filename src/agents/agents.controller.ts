import { Body, Controller, Get, Headers, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { RequestActor } from '../http/actor';
import { limitSchema, parse, parseWaitFor } from '../http/parse';
import { Written } from '../http/written';
import { DomainError } from '../kernel/errors';
import type { Actor } from '../kernel/event';
import { ChangeAgentStatus, PatchAgent, RegisterAgent, ResetSession } from './agent.handlers';
import { GetAgent, GetRuntimeState, ListAgents } from './agent.queries';
import { agentPatchSchema, registerAgentSchema } from './agent.schemas';

const listSchema = z.strictObject({
  status: z.enum(['pending_approval', 'idle', 'running', 'error', 'paused', 'terminated']).optional(),
  limit: limitSchema(50, 200),
  cursor: z.string().max(500).optional(),
  waitFor: z.unknown().optional(),
});

const runtimeStateSchema = z.strictObject({
  taskKey: z.string().min(1).max(200).optional(),
  waitFor: z.unknown().optional(),
});

const resetSchema = z.strictObject({ taskKey: z.string().min(1).max(200).nullish() });

@Controller('v1')
export class AgentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('companies/:companyId/agents')
  register(@Param('companyId') companyId: string, @Body() body: unknown, @RequestActor() actor: Actor) {
    return this.commands.execute(new RegisterAgent(companyId, parse(registerAgentSchema, body), actor));
  }

  @Get('companies/:companyId/agents')
  list(@Param('companyId') companyId: string, @Query() query: unknown) {
    const { waitFor, ...page } = parse(listSchema, query);
    return this.queries.execute(new ListAgents(companyId, page, parseWaitFor(waitFor)));
  }

  @Get('agents/:agentId')
  get(@Param('agentId') agentId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetAgent(agentId, parseWaitFor(waitFor)));
  }

  @Patch('agents/:agentId')
  patch(
    @Param('agentId') agentId: string,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @RequestActor() actor: Actor,
  ) {
    return this.commands.execute(
      new PatchAgent(agentId, parse(agentPatchSchema, body), parseIfMatch(ifMatch), actor),
    );
  }

  @Post('agents/:agentId/approve')
  @HttpCode(200)
  approve(@Param('agentId') agentId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeAgentStatus(agentId, 'approve', actor));
  }

  @Post('agents/:agentId/pause')
  @HttpCode(200)
  pause(@Param('agentId') agentId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeAgentStatus(agentId, 'pause', actor));
  }

  @Post('agents/:agentId/resume')
  @HttpCode(200)
  resume(@Param('agentId') agentId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeAgentStatus(agentId, 'resume', actor));
  }

  @Post('agents/:agentId/terminate')
  @HttpCode(200)
  terminate(@Param('agentId') agentId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeAgentStatus(agentId, 'terminate', actor));
  }

  /** Of the agent as a whole, or of one of its tasks. */
  @Get('agents/:agentId/runtime-state')
  runtimeState(@Param('agentId') agentId: string, @Query() query: unknown) {
    const { taskKey = null, waitFor } = parse(runtimeStateSchema, query);
    return this.queries.execute(new GetRuntimeState(agentId, taskKey, parseWaitFor(waitFor)));
  }

  @Post('agents/:agentId/runtime-state/reset-session')
  @HttpCode(200)
  async resetSession(@Param('agentId') agentId: string, @Body() body: unknown, @RequestActor() actor: Actor) {
    const { taskKey = null } = parse(resetSchema, body ?? {});
    const { position } = await this.commands.execute(new ResetSession(agentId, taskKey, actor));
    return new Written(await this.queries.execute(new GetRuntimeState(agentId, taskKey, position)), position);
  }
}

/** `If-Match: "3"`, with or without quotes; `*` matches whatever is there. */
function parseIfMatch(value: string | undefined): number | null {
  if (value === undefined || value.trim() === '*') return null;
  const version = /^(?:W\/)?"?(\d{1,15})"?$/.exec(value.trim())?.[1];
  if (version === undefined) {
    throw new DomainError('bad_request', 'If-Match: the version of the agent', { field: 'If-Match' });
  }
  return Number(version);
}
