import { Inject } from '@nestjs/common';
import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { CompaniesStore } from '../companies/companies.store';
import { Written } from '../http/written';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { Cause } from '../kernel/cause';
import type { Position } from '../kernel/event';
import { isUuid, uuidv7 } from '../kernel/ids';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { CLOCK } from '../tokens';
import type { Role } from './access';
import { AccessWatch } from './access-watch';
import { accessTokensProjection } from './projections/access-tokens.projection';
import { newToken, tokenHash } from './token-hash';
import type { NewTokenView, TokenView } from './token.view';
import { tokenView } from './token.view';
import { DEFAULT_LIFETIME_DAYS } from './tokens.routes';

const DAY_MS = 24 * 3_600_000;
const NEEDED = [accessTokensProjection.name];

export class CreateToken extends Command<Written<NewTokenView>> {
  constructor(
    readonly companyId: string,
    readonly wanted: { name: string; role: Role; agentId: string | null; expiresAt: string | null },
    readonly cause: Cause,
  ) {
    super();
  }
}

export class RevokeToken extends Command<Written<TokenView>> {
  constructor(
    readonly companyId: string,
    readonly tokenId: string,
    readonly cause: Cause,
  ) {
    super();
  }
}

export class ListTokens extends Query<{ items: TokenView[]; nextCursor: string | null }> {
  constructor(
    readonly companyId: string,
    readonly page: { limit: number; cursor?: string },
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@CommandHandler(CreateToken)
export class CreateTokenHandler implements ICommandHandler<CreateToken> {
  constructor(
    private readonly directory: Directory,
    private readonly companies: CompaniesStore,
    private readonly watch: AccessWatch,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ companyId, wanted, cause }: CreateToken) {
    await this.directory.company(companyId);
    const { name, role, agentId } = wanted;
    if (agentId !== null && (await this.directory.agent(agentId)).companyId !== companyId) {
      throw new DomainError('agent_not_found');
    }
    const [token, tokenId, expiresAt] = [newToken(), uuidv7(), this.endOf(wanted.expiresAt)];
    const asked = { companyId, tokenId, name, role, agentId, hash: tokenHash(token), expiresAt };
    const { events, position } = await this.companies.execute({ type: 'CreateAccessToken', ...asked }, cause);
    const [created] = events;
    if (created?.event.type !== 'AccessTokenCreated') throw new Error('a token was not created');
    this.watch.notice(created);
    const document = accessTokensProjection.evolve(null, { ...created, event: created.event })!;
    return new Written({ ...tokenView(document), token }, position, 201);
  }

  private endOf(wanted: string | null): string {
    const now = this.clock.now();
    const end = wanted === null ? new Date(now.getTime() + DEFAULT_LIFETIME_DAYS * DAY_MS) : new Date(wanted);
    if (end > now) return end.toISOString();
    const message = 'is not in the future';
    const issues = [{ path: 'expiresAt', message }];
    throw new DomainError('bad_request', `expiresAt: ${message}`, { field: 'expiresAt', issues });
  }
}

@CommandHandler(RevokeToken)
export class RevokeTokenHandler implements ICommandHandler<RevokeToken> {
  constructor(
    private readonly directory: Directory,
    private readonly companies: CompaniesStore,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
    private readonly watch: AccessWatch,
  ) {}

  async execute({ companyId, tokenId, cause }: RevokeToken) {
    await this.directory.company(companyId);
    await this.find(companyId, tokenId);
    const command = { type: 'RevokeAccessToken', companyId, tokenId } as const;
    const { events, position } = await this.companies.execute(command, cause);
    // Nobody who reads the answer can be let in with it any more.
    for (const event of events) this.watch.notice(event);
    await this.processing.waitFor(position, NEEDED);
    return new Written(tokenView(await this.find(companyId, tokenId)), position);
  }

  /** A token that was made just before may not have been seen by the read model yet. */
  private async find(companyId: string, tokenId: string) {
    if (!isUuid(tokenId)) throw new DomainError('token_not_found');
    let token = await this.readModels.get(accessTokensProjection, tokenId);
    if (!token) {
      await this.processing.waitForHead(NEEDED);
      token = await this.readModels.get(accessTokensProjection, tokenId);
    }
    if (token?.companyId !== companyId) throw new DomainError('token_not_found');
    return token;
  }
}

@QueryHandler(ListTokens)
export class ListTokensHandler implements IQueryHandler<ListTokens> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ companyId, page, waitFor }: ListTokens) {
    await this.processing.waitForReader(waitFor, NEEDED);
    await this.directory.company(companyId);
    const { items, nextCursor } = await this.readModels.query(accessTokensProjection, {
      where: { companyId },
      orderBy: 'createdPosition',
      direction: 'desc',
      ...page,
    });
    return { items: items.map(tokenView), nextCursor };
  }
}
