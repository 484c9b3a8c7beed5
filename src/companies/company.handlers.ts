import { Inject } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { ALL_COMPANIES, ExternalKeys } from '../event-log/external-keys';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import type { Cause } from '../kernel/cause';
import type { Position, Recorded } from '../kernel/event';
import { uuidv7 } from '../kernel/ids';
import { Processing } from '../processing/processing';
import { CLOCK, DEFAULT_LOG_RETENTION_DAYS } from '../tokens';
import { CompaniesStore } from './companies.store';
import type { CompanyView } from './company.view';
import { companyView } from './company.view';
import type { CompanyEvent } from './domain/company.events';
import type { CompanyDocument } from './projections/companies.projection';
import { companiesProjection } from './projections/companies.projection';

export class RegisterCompany extends Command<Written<CompanyView>> {
  constructor(
    readonly name: string,
    readonly externalKey: string | null,
    /** In days; null: for ever; undefined: what the server is set to. */
    readonly logRetentionDays: number | null | undefined,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class PatchCompany extends Command<Written<CompanyView>> {
  constructor(
    readonly companyId: string,
    /** undefined: as it is. */
    readonly logRetentionDays: number | null | undefined,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class ChangeCompanyStatus extends Command<Written<CompanyView>> {
  constructor(
    readonly companyId: string,
    readonly change: 'pause' | 'resume',
    readonly cause: Cause,
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
    @Inject(DEFAULT_LOG_RETENTION_DAYS) private readonly defaultRetentionDays: number | null,
  ) {}

  async execute({ name, externalKey, logRetentionDays = this.defaultRetentionDays, cause }: RegisterCompany) {
    const newId = uuidv7();
    const companyId =
      externalKey === null ? newId : await this.keys.reserve(ALL_COMPANIES, externalKey, newId, cause);
    const command = { type: 'RegisterCompany', companyId, name, externalKey, logRetentionDays } as const;
    const { position, events } = await this.companies.execute(command, cause);
    const now = this.clock.now();
    // The answer to a new one comes from its own event: what has been written is never answered with a failure.
    const registered = events.filter(isShown).reduce(shownAfter, null);
    if (registered) return new Written(companyView(registered, now), position, 201);
    return new Written(companyView(await this.directory.company(companyId), now), position, 200);
  }
}

@CommandHandler(PatchCompany)
export class PatchCompanyHandler implements ICommandHandler<PatchCompany> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly processing: Processing,
    private readonly directory: Directory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ companyId, logRetentionDays, cause }: PatchCompany) {
    const { logRetentionDays: before } = await this.directory.company(companyId);
    const days = logRetentionDays === undefined ? before : logRetentionDays;
    const { position } = await this.companies.execute({ type: 'ChangeLogRetention', companyId, days }, cause);
    await this.processing.waitFor(position, [companiesProjection.name]);
    return new Written(companyView(await this.directory.company(companyId), this.clock.now()), position);
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

  async execute({ companyId, change, cause }: ChangeCompanyStatus) {
    await this.directory.company(companyId);
    const type = change === 'pause' ? 'PauseCompany' : 'ResumeCompany';
    const { position } = await this.companies.execute({ type, companyId }, cause);
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

type Shown = Extract<CompanyEvent, { type: 'CompanyRegistered' | 'LogRetentionChanged' }>;

function shownAfter(document: CompanyDocument | null, recorded: Recorded<Shown>): CompanyDocument | null {
  return companiesProjection.evolve(document, recorded);
}

function isShown(recorded: Recorded<CompanyEvent>): recorded is Recorded<Shown> {
  return recorded.event.type === 'CompanyRegistered' || recorded.event.type === 'LogRetentionChanged';
}
