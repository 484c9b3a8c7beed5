import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RequestCause } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import type { Cause } from '../kernel/cause';
import { CreateToken, ListTokens, RevokeToken } from './token.handlers';
import { tokenRoutes as routes } from './tokens.routes';

@Controller()
export class TokensController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.createToken)
  create(@Input() { params, body }: InputOf<typeof routes.createToken>, @RequestCause() cause: Cause) {
    const { agentId = null, expiresAt = null, ...rest } = body;
    return this.commands.execute(new CreateToken(params.companyId, { ...rest, agentId, expiresAt }, cause));
  }

  @Handles(routes.listTokens)
  list(@Input() { params, query }: InputOf<typeof routes.listTokens>) {
    const { waitFor, ...page } = query;
    return this.queries.execute(new ListTokens(params.companyId, page, waitFor));
  }

  @Handles(routes.revokeToken)
  revoke(@Input() { params }: InputOf<typeof routes.revokeToken>, @RequestCause() cause: Cause) {
    return this.commands.execute(new RevokeToken(params.companyId, params.tokenId, cause));
  }
}
