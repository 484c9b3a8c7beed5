import { Inject } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { AggregateStore } from '../event-log/aggregate-store';
import type { EventLog } from '../event-log/event-log';
import { ALL_COMPANIES, ExternalKeys } from '../event-log/external-keys';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import type { Actor, Position } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { companyStream } from '../kernel/streams';
import { Processing } from '../processing/processing';
import { CLOCK, EVENT_LOG, NODE_ID } from '../tokens';
import type { CompanyState, RegisterCompany as RegisterCompanyCommand } from './domain/company.decider';
import { companyDecider } from './domain/company.decider';
import type { CompanyEvent } from './domain/company.events';
import { COMPANY_SCHEMA_VERSION } from './domain/company.events';
import type { CompanyDocument } from './projections/companies.projection';
import { companiesProjection } from './projections/companies.projection';

export class RegisterCompany extends Command<Written<CompanyDocument>> {
  constructor(
    readonly name: string,
    readonly externalKey: string | null,
    readonly actor: Actor,
  ) {
    super();
  }
}

export class GetCompany extends Query<CompanyDocument> {
  constructor(
    readonly companyId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@CommandHandler(RegisterCompany)
export class RegisterCompanyHandler implements ICommandHandler<RegisterCompany> {
  private readonly store: AggregateStore<CompanyState, RegisterCompanyCommand, CompanyEvent>;

  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(NODE_ID) nodeId: string,
    private readonly keys: ExternalKeys,
    private readonly directory: Directory,
  ) {
    this.store = new AggregateStore(log, companyDecider, { schemaVersion: COMPANY_SCHEMA_VERSION, nodeId });
  }

  async execute({ name, externalKey, actor }: RegisterCompany) {
    const newId = uuidv7();
    const companyId =
      externalKey === null ? newId : await this.keys.reserve(ALL_COMPANIES, externalKey, newId, actor);
    const at = this.clock.now().toISOString();
    const { events, position } = await this.store.execute(
      companyStream(companyId),
      { type: 'RegisterCompany', at, companyId, name, externalKey },
      { commandId: uuidv7(), companyId, actor },
      () => undefined,
    );
    const seenBy = position ?? (await this.log.head());
    return new Written(await this.directory.company(companyId), seenBy, events.length > 0 ? 201 : 200);
  }
}

@QueryHandler(GetCompany)
export class GetCompanyHandler implements IQueryHandler<GetCompany> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
  ) {}

  async execute({ companyId, waitFor }: GetCompany) {
    if (waitFor !== null) await this.processing.waitForKnown(waitFor, [companiesProjection.name]);
    return this.directory.company(companyId);
  }
}
