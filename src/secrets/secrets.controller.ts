import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import { ListSecrets, PutSecret } from './secret.handlers';
import { secretRoutes as routes } from './secrets.routes';

/** Secrets can be set and listed; no route gives a value back. */
@Controller()
export class SecretsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.putSecret)
  put(@Input() { params, body }: InputOf<typeof routes.putSecret>) {
    return this.commands.execute(new PutSecret(params.companyId, params.name, body.value));
  }

  @Handles(routes.listSecrets)
  list(@Input() { params, query }: InputOf<typeof routes.listSecrets>) {
    const { waitFor, ...page } = query;
    return this.queries.execute(new ListSecrets(params.companyId, page, waitFor));
  }
}
