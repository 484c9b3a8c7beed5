import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { externalKey, name } from '../agents/agent.schemas';
import { RequestActor } from '../http/actor';
import { parse, parseWaitFor } from '../http/parse';
import type { Actor } from '../kernel/event';
import { GetCompany, RegisterCompany } from './company.handlers';

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

  @Get(':companyId')
  get(@Param('companyId') companyId: string, @Query('waitFor') waitFor: unknown) {
    return this.queries.execute(new GetCompany(companyId, parseWaitFor(waitFor)));
  }
}
