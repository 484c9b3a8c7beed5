import type { Clock } from '../kernel/clock';
import type { AccessTokenCreated } from './domain/access-token.events';
import type { Principal } from './principal';
import { tokenHash } from './token-hash';

/** What is known of a token; nobody can tell from it what the token is. */
export type KnownToken = Pick<
  AccessTokenCreated['data'],
  'tokenId' | 'companyId' | 'role' | 'agentId' | 'hash' | 'expiresAt'
>;

/** The tokens of all companies, in memory: each request asks for one. */
export class AccessTokens {
  private readonly byHash = new Map<string, Principal>();
  /** Hashes, by token. A revoked one stays: its creation may be told once more. */
  private readonly hashes = new Map<string, string>();

  constructor(private readonly clock: Clock) {}

  /** Repeating it changes nothing, also after the token was revoked. */
  add({ tokenId, companyId, role, agentId, hash, expiresAt }: KnownToken): void {
    if (this.hashes.has(tokenId)) return;
    this.hashes.set(tokenId, hash);
    const actor =
      agentId === null ? { type: 'user' as const, id: tokenId } : { type: 'agent' as const, id: agentId };
    this.byHash.set(hash, {
      actor,
      companyId,
      role,
      key: tokenKey(tokenId),
      expiresAt,
      agentId,
      runId: null,
    });
  }

  /** From here on the token is none. */
  revoke(tokenId: string): void {
    const hash = this.hashes.get(tokenId);
    if (hash !== undefined) this.byHash.delete(hash);
  }

  /** Null: nobody knows it, or not any more. */
  principal(token: string): Principal | null {
    const known = this.byHash.get(tokenHash(token));
    return known && !isExpired(known, this.clock.now()) ? known : null;
  }

  /** Whether somebody who came in as this would still be let in, but for the time. */
  knows(principal: Principal): boolean {
    const hash = this.hashes.get(principal.key.slice(TOKEN_KEY.length));
    return hash !== undefined && this.byHash.has(hash);
  }
}

const TOKEN_KEY = 'token/';

export function tokenKey(tokenId: string): string {
  return TOKEN_KEY + tokenId;
}

export function isTokenKey(key: string): boolean {
  return key.startsWith(TOKEN_KEY);
}

export function isExpired({ expiresAt }: Principal, now: Date): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= now.getTime();
}
