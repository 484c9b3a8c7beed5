import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { externalKey, name } from '../agents/agent.schemas';
import { RequestActor } from '../http/actor';
import { parse, parseWaitFor } from '../http/parse';
import type { Actor } from '../kernel/event';
import { ChangeCompanyStatus, GetCompany, RegisterCompany } from './company.handlers';

const registerSchema = z.strictObject({ name, externalKey: externalKey.nullish() });

@Controller('v1/companies')
export class CompaniesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  register(@Body() body: unknown, @RequestActor() actor: Actor) {
    const company = parse(registerSchema, body);
    return this.commands.execute(new RegisterCompany(company.name, company.externalKey ?? null, actor));
  }

  /** The kill switch: what runs is ended, and nothing is woken until it is resumed. */
  @Post(':companyId/pause')
  @HttpCode(200)
  pause(@Param('companyId') companyId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeCompanyStatus(companyId, 'pause', actor));
  }

  @Post(':companyId/resume')
  @HttpCode(200)
  resume(@Param('companyId') companyId: string, @RequestActor() actor: Actor) {
    return this.commands.execute(new ChangeCompanyStatus(companyId, 'resume', actor));
  }

  @Get(':companyId')
  get(@Param('companyId') companyId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetCompany(companyId, parseWaitFor(waitFor)));
  }
}
