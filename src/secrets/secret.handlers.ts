import { Inject } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { companiesProjection } from '../companies/projections/companies.projection';
import type { EventLog } from '../event-log/event-log';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { CLOCK, EVENT_LOG } from '../tokens';
import type { SecretEntry } from './secret-store';
import { SecretStore } from './secret-store';

export class PutSecret extends Command<Written<SecretEntry>> {
  constructor(
    readonly companyId: string,
    readonly name: string,
    readonly value: string,
  ) {
    super();
  }
}

export class ListSecrets extends Query<{ items: SecretEntry[]; nextCursor: string | null }> {
  constructor(
    readonly companyId: string,
    /** `cursor`: the last name of the page before. */
    readonly page: { limit: number; cursor?: string },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@CommandHandler(PutSecret)
export class PutSecretHandler implements ICommandHandler<PutSecret> {
  constructor(
    private readonly directory: Directory,
    private readonly secrets: SecretStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  async execute({ companyId, name, value }: PutSecret) {
    const company = await this.directory.company(companyId);
    const entry = await this.secrets.put(company.id, name, value, this.clock.now().toISOString());
    return new Written(entry, await this.log.head());
  }
}

@QueryHandler(ListSecrets)
export class ListSecretsHandler implements IQueryHandler<ListSecrets> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly secrets: SecretStore,
  ) {}

  async execute({ companyId, page, waitFor }: ListSecrets) {
    await this.processing.waitForReader(waitFor, [companiesProjection.name]);
    const company = await this.directory.company(companyId);
    const all = await this.secrets.list(company.id);
    const { cursor, limit } = page;
    const left = cursor === undefined ? all : all.filter(({ name }) => name > cursor);
    const items = left.slice(0, limit);
    return { items, nextCursor: left.length > limit ? items.at(-1)!.name : null };
  }
}
