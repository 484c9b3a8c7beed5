import { Inject, Injectable } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { AggregateStore } from '../event-log/aggregate-store';
import type { EventLog } from '../event-log/event-log';
import { ALL_COMPANIES, ExternalKeys } from '../event-log/external-keys';
import { currentRequestId } from '../http/request-id';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import type { Actor, Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { companyStream } from '../kernel/streams';
import { Processing } from '../processing/processing';
import { CLOCK, EVENT_LOG, NODE_ID } from '../tokens';
import type { CompanyCommand, CompanyState } from './domain/company.decider';
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

export class ChangeCompanyStatus extends Command<Written<CompanyDocument>> {
  constructor(
    readonly companyId: string,
    readonly change: 'pause' | 'resume',
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

/** The way to the companies' streams. */
@Injectable()
export class CompaniesStore {
  private readonly store: AggregateStore<CompanyState, CompanyCommand, CompanyEvent>;

  constructor(
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(NODE_ID) nodeId: string,
  ) {
    this.store = new AggregateStore(log, companyDecider, { schemaVersion: COMPANY_SCHEMA_VERSION, nodeId });
  }

  /** Answers the position by which the command's effect is seen, and what it has caused. */
  async execute(
    command: CompanyCommand extends infer C ? (C extends CompanyCommand ? Omit<C, 'at'> : never) : never,
    actor: Actor,
  ): Promise<{ position: Position; events: readonly Recorded<CompanyEvent>[] }> {
    const { companyId } = command;
    const { events, position } = await this.store.execute(
      companyStream(companyId),
      { ...command, at: this.clock.now().toISOString() },
      { commandId: uuidv7(), companyId, actor, correlationId: currentRequestId() },
      () => undefined,
    );
    return { position: position ?? (await this.log.head()), events };
  }
}

type CompanyRegistered = Extract<CompanyEvent, { type: 'CompanyRegistered' }>;

function isRegistration(recorded: Recorded<CompanyEvent>): recorded is Recorded<CompanyRegistered> {
  return recorded.event.type === 'CompanyRegistered';
}

@CommandHandler(RegisterCompany)
export class RegisterCompanyHandler implements ICommandHandler<RegisterCompany> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly keys: ExternalKeys,
    private readonly directory: Directory,
  ) {}

  async execute({ name, externalKey, actor }: RegisterCompany) {
    const newId = uuidv7();
    const companyId =
      externalKey === null ? newId : await this.keys.reserve(ALL_COMPANIES, externalKey, newId, actor);
    const command = { type: 'RegisterCompany', companyId, name, externalKey } as const;
    const { position, events } = await this.companies.execute(command, actor);
    const registered = events.find(isRegistration);
    // The answer to a new one comes from its own event: what has been written is never answered with a failure.
    if (registered) return new Written(companiesProjection.evolve(null, registered)!, position, 201);
    return new Written(await this.directory.company(companyId), position, 200);
  }
}

@CommandHandler(ChangeCompanyStatus)
export class ChangeCompanyStatusHandler implements ICommandHandler<ChangeCompanyStatus> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly processing: Processing,
    private readonly directory: Directory,
  ) {}

  async execute({ companyId, change, actor }: ChangeCompanyStatus) {
    await this.directory.company(companyId);
    const type = change === 'pause' ? 'PauseCompany' : 'ResumeCompany';
    const { position } = await this.companies.execute({ type, companyId }, actor);
    // Whoever reads the answer finds the company's agents held, or not held any more.
    await this.processing.waitFor(position, [companiesProjection.name]);
    return new Written(await this.directory.company(companyId), position);
  }
}

@QueryHandler(GetCompany)
export class GetCompanyHandler implements IQueryHandler<GetCompany> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
  ) {}

  async execute({ companyId, waitFor }: GetCompany) {
    await this.processing.waitForReader(waitFor, [companiesProjection.name]);
    return this.directory.company(companyId);
  }
}
