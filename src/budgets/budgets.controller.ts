import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RequestCause } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import type { Cause } from '../kernel/cause';
import { ChangeAgentBudget, ChangeCompanyBudget, GetAgentBudget, GetCompanyBudget } from './budget.handlers';
import { budgetRoutes as routes } from './budgets.routes';

@Controller()
export class BudgetsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.getCompanyBudget)
  ofCompany(@Input() { params, query }: InputOf<typeof routes.getCompanyBudget>) {
    return this.queries.execute(new GetCompanyBudget(params.companyId, query.waitFor));
  }

  @Handles(routes.putCompanyBudget)
  changeOfCompany(
    @Input() { params, body }: InputOf<typeof routes.putCompanyBudget>,
    @RequestCause() cause: Cause,
  ) {
    return this.commands.execute(new ChangeCompanyBudget(params.companyId, body, cause));
  }

  @Handles(routes.getAgentBudget)
  ofAgent(@Input() { params, query }: InputOf<typeof routes.getAgentBudget>) {
    return this.queries.execute(new GetAgentBudget(params.agentId, query.waitFor));
  }

  @Handles(routes.putAgentBudget)
  changeOfAgent(
    @Input() { params, body }: InputOf<typeof routes.putAgentBudget>,
    @RequestCause() cause: Cause,
  ) {
    return this.commands.execute(new ChangeAgentBudget(params.agentId, body, cause));
  }
}
