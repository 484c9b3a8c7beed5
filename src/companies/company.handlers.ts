import { Inject } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { ALL_COMPANIES, ExternalKeys } from '../event-log/external-keys';
import { currentRequestId } from '../http/request-id';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import type { Actor, Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { Processing } from '../processing/processing';
import { CLOCK } from '../tokens';
import { CompaniesStore } from './companies.store';
import type { CompanyView } from './company.view';
import { companyView } from './company.view';
import type { CompanyEvent } from './domain/company.events';
import { companiesProjection } from './projections/companies.projection';

export class RegisterCompany extends Command<Written<CompanyView>> {
  constructor(
    readonly name: string,
    readonly externalKey: string | null,
    readonly actor: Actor,
  ) {
    super();
  }
}

export class ChangeCompanyStatus extends Command<Written<CompanyView>> {
  constructor(
    readonly companyId: string,
    readonly change: 'pause' | 'resume',
    readonly actor: Actor,
  ) {
    super();
  }
}

export class GetCompany extends Query<CompanyView> {
  constructor(
    readonly companyId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@CommandHandler(RegisterCompany)
export class RegisterCompanyHandler implements ICommandHandler<RegisterCompany> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly keys: ExternalKeys,
    private readonly directory: Directory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ name, externalKey, actor }: RegisterCompany) {
    const newId = uuidv7();
    const companyId =
      externalKey === null
        ? newId
        : await this.keys.reserve(ALL_COMPANIES, externalKey, newId, {
            actor,
            correlationId: currentRequestId(),
          });
    const command = { type: 'RegisterCompany', companyId, name, externalKey } as const;
    const { position, events } = await this.companies.execute(command, { actor });
    const now = this.clock.now();
    // The answer to a new one comes from its own event: what has been written is never answered with a failure.
    const registered = events.find(isRegistration);
    if (registered) {
      return new Written(companyView(companiesProjection.evolve(null, registered)!, now), position, 201);
    }
    return new Written(companyView(await this.directory.company(companyId), now), position, 200);
  }
}

@CommandHandler(ChangeCompanyStatus)
export class ChangeCompanyStatusHandler implements ICommandHandler<ChangeCompanyStatus> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly processing: Processing,
    private readonly directory: Directory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ companyId, change, actor }: ChangeCompanyStatus) {
    await this.directory.company(companyId);
    const type = change === 'pause' ? 'PauseCompany' : 'ResumeCompany';
    const { position } = await this.companies.execute({ type, companyId }, { actor });
    // Whoever reads the answer finds the company's agents held, or not held any more.
    await this.processing.waitFor(position, [companiesProjection.name]);
    return new Written(companyView(await this.directory.company(companyId), this.clock.now()), position);
  }
}

@QueryHandler(GetCompany)
export class GetCompanyHandler implements IQueryHandler<GetCompany> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ companyId, waitFor }: GetCompany) {
    await this.processing.waitForReader(waitFor, [companiesProjection.name]);
    return companyView(await this.directory.company(companyId), this.clock.now());
  }
}

type CompanyRegistered = Extract<CompanyEvent, { type: 'CompanyRegistered' }>;

function isRegistration(recorded: Recorded<CompanyEvent>): recorded is Recorded<CompanyRegistered> {
  return recorded.event.type === 'CompanyRegistered';
}
