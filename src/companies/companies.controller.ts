import { Controller } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RequestCause } from '../http/actor';
import { Handles, Input } from '../http/handles';
import type { InputOf } from '../http/route';
import type { Cause } from '../kernel/cause';
import { companyRoutes as routes } from './companies.routes';
import { ChangeCompanyStatus, GetCompany, PatchCompany, RegisterCompany } from './company.handlers';

@Controller()
export class CompaniesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Handles(routes.registerCompany)
  register(@Input() { body }: InputOf<typeof routes.registerCompany>, @RequestCause() cause: Cause) {
    return this.commands.execute(
      new RegisterCompany(body.name, body.externalKey ?? null, body.logRetentionDays, cause),
    );
  }

  @Handles(routes.getCompany)
  get(@Input() { params, query }: InputOf<typeof routes.getCompany>) {
    return this.queries.execute(new GetCompany(params.companyId, query.waitFor));
  }

  @Handles(routes.patchCompany)
  patch(@Input() { params, body }: InputOf<typeof routes.patchCompany>, @RequestCause() cause: Cause) {
    return this.commands.execute(new PatchCompany(params.companyId, body.logRetentionDays, cause));
  }

  @Handles(routes.pauseCompany)
  pause(@Input() { params }: InputOf<typeof routes.pauseCompany>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeCompanyStatus(params.companyId, 'pause', cause));
  }

  @Handles(routes.resumeCompany)
  resume(@Input() { params }: InputOf<typeof routes.resumeCompany>, @RequestCause() cause: Cause) {
    return this.commands.execute(new ChangeCompanyStatus(params.companyId, 'resume', cause));
  }
}
