import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { WakeupRequest } from '../agents/domain/agent.events';
import type { Principal } from '../auth/principal';
import { RequestCause, RequestPrincipal } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { DomainError } from '../kernel/errors';
import type { Cause } from '../kernel/cause';
import { CancelWakeup } from './cancel-wakeup.handler';
import { WakeAgent } from './wake.handler';
import { GetWakeup, ListWakeups } from './wakeup.queries';
import { wakeupRoutes as routes } from './wakeups.routes';

@Controller()
export class WakeupsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.wakeAgent)
  wake(
    @Input() input: InputOf<typeof routes.wakeAgent>,
    @RequestPrincipal() principal: Principal,
    @RequestCause() cause: Cause,
  ) {
    return this.commands.execute(new WakeAgent(input.params.agentId, requestOf(input), principal, cause));
  }

  @Handles(routes.invokeAgent)
  invoke(
    @Input() input: InputOf<typeof routes.invokeAgent>,
    @RequestPrincipal() principal: Principal,
    @RequestCause() cause: Cause,
  ) {
    const request = requestOf(input);
    const triggerDetail = request.triggerDetail ?? 'manual';
    return this.commands.execute(
      new WakeAgent(input.params.agentId, { ...request, triggerDetail }, principal, cause),
    );
  }

  @Handles(routes.listWakeups)
  list(@Input() { params, query }: InputOf<typeof routes.listWakeups>) {
    const { waitFor, ...page } = query;
    return this.queries.execute(new ListWakeups(params.agentId, page, waitFor));
  }

  @Handles(routes.cancelWakeup)
  cancel(@Input() { params }: InputOf<typeof routes.cancelWakeup>, @RequestCause() cause: Cause) {
    return this.commands.execute(new CancelWakeup(params.wakeupId, cause));
  }

  @Handles(routes.getWakeup)
  get(@Input() { params, query }: InputOf<typeof routes.getWakeup>) {
    return this.queries.execute(new GetWakeup(params.wakeupId, query.waitFor));
  }
}

/** The body, with the key from the header where there is one: both are the same thing. */
function requestOf({ headers, body }: InputOf<typeof routes.wakeAgent>): WakeupRequest {
  const key = headers['Idempotency-Key'];
  if (key === undefined) return body;
  if (body.idempotencyKey !== null && body.idempotencyKey !== key) {
    throw new DomainError('idempotency_key_conflict', undefined, { field: 'Idempotency-Key' });
  }
  return { ...body, idempotencyKey: key };
}
