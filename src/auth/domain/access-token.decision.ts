import { DomainError } from '../../kernel/errors';
import type { AccessTokenCreated, AccessTokenEvent } from './access-token.events';

/** Tokens that a company may have at a time, without those that are revoked or have expired. */
export const MAX_TOKENS = 1_000;

/** By id, when each expires. Bounded: what is revoked leaves, and what has expired when another one is created. */
export type LivingTokens = ReadonlyMap<string, string>;

export type AccessTokenCommand =
  | ({ type: 'CreateAccessToken'; at: string } & Omit<AccessTokenCreated['data'], 'createdAt'>)
  | { type: 'RevokeAccessToken'; at: string; companyId: string; tokenId: string };

/** @throws DomainError `too_many_tokens` */
export function decideAccessToken(command: AccessTokenCommand, living: LivingTokens): AccessTokenEvent[] {
  if (command.type === 'CreateAccessToken') {
    const { type: _type, at, ...token } = command;
    if (without(living, at).size >= MAX_TOKENS) {
      throw new DomainError('too_many_tokens', undefined, { limit: MAX_TOKENS });
    }
    return [{ type: 'AccessTokenCreated', data: { ...token, createdAt: at } }];
  }
  const { companyId, tokenId } = command;
  return living.has(tokenId) ? [{ type: 'AccessTokenRevoked', data: { companyId, tokenId } }] : [];
}

export function evolveAccessTokens(living: LivingTokens, { type, data }: AccessTokenEvent): LivingTokens {
  if (type === 'AccessTokenCreated') return without(living, data.createdAt).set(data.tokenId, data.expiresAt);
  const left = new Map(living);
  left.delete(data.tokenId);
  return left;
}

/** The same, without those that have expired by then. */
function without(living: LivingTokens, now: string): Map<string, string> {
  return new Map([...living].filter(([, expiresAt]) => expiresAt > now));
}
