import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import type { WakeupRequest } from '../agents/domain/agent.events';
import { RequestActor } from '../http/actor';
import { limitSchema, parse, parseWaitFor } from '../http/parse';
import { DomainError } from '../kernel/errors';
import type { Actor } from '../kernel/event';
import { CancelWakeup } from './cancel-wakeup.handler';
import { WakeAgent } from './wake.handler';
import { GetWakeup, ListWakeups } from './wakeup.queries';
import { wakeupSchema } from './wakeup.schemas';

const listSchema = z.strictObject({
  runId: z.string().max(100).optional(),
  limit: limitSchema(50, 200),
  cursor: z.string().max(500).optional(),
  waitFor: z.unknown().optional(),
});

@Controller('v1')
export class WakeupsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('agents/:agentId/wakeups')
  @HttpCode(202)
  wake(
    @Param('agentId') agentId: string,
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @RequestActor() actor: Actor,
  ) {
    return this.commands.execute(new WakeAgent(agentId, parseWakeup(body, key), actor));
  }

  /** A wakeup by hand. */
  @Post('agents/:agentId/invoke')
  @HttpCode(202)
  invoke(
    @Param('agentId') agentId: string,
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @RequestActor() actor: Actor,
  ) {
    const request = parseWakeup(body, key);
    const triggerDetail = request.triggerDetail ?? 'manual';
    return this.commands.execute(new WakeAgent(agentId, { ...request, triggerDetail }, actor));
  }

  @Get('agents/:agentId/wakeups')
  list(@Param('agentId') agentId: string, @Query() query: unknown) {
    const { waitFor, ...page } = parse(listSchema, query);
    return this.queries.execute(new ListWakeups(agentId, page, parseWaitFor(waitFor)));
  }

  @Post('wakeups/:wakeupId/cancel')
  @HttpCode(200)
  cancel(@Param('wakeupId') wakeupId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new CancelWakeup(wakeupId, actor));
  }

  @Get('wakeups/:wakeupId')
  get(@Param('wakeupId') wakeupId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetWakeup(wakeupId, parseWaitFor(waitFor)));
  }
}

/** The body, with the key from the header where there is one: both are the same thing. */
function parseWakeup(body: unknown, header: string | undefined): WakeupRequest {
  const request = parse(wakeupSchema, body ?? {});
  if (header === undefined) return request;
  if (header === '' || header.length > 500) {
    throw new DomainError('bad_request', 'Idempotency-Key: 1 to 500 characters', {
      field: 'Idempotency-Key',
    });
  }
  if (request.idempotencyKey !== null && request.idempotencyKey !== header) {
    throw new DomainError('idempotency_key_conflict', undefined, { field: 'Idempotency-Key' });
  }
  return { ...request, idempotencyKey: header };
}
