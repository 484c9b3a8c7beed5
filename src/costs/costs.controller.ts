import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RequestCause } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import type { Cause } from '../kernel/cause';
import { GetCosts } from './cost.queries';
import { costRoutes as routes } from './costs.routes';
import { ChangePriceTable, GetPriceTable } from './price.handlers';

@Controller()
export class CostsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.getCosts)
  costs(@Input() { params, query }: InputOf<typeof routes.getCosts>) {
    const { from = null, to = null, groupBy, waitFor } = query;
    return this.queries.execute(new GetCosts(params.companyId, { from, to }, groupBy, waitFor));
  }

  @Handles(routes.getPrices)
  prices(@Input() { params, query }: InputOf<typeof routes.getPrices>) {
    return this.queries.execute(new GetPriceTable(params.companyId, query.waitFor));
  }

  @Handles(routes.putPrices)
  changePrices(@Input() { params, body }: InputOf<typeof routes.putPrices>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangePriceTable(params.companyId, body.prices, cause));
  }
}
