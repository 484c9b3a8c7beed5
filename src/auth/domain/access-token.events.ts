import type { DomainEvent } from '../../kernel/event';

/** Tokens are on the stream of their company, as hashes: the token itself is said once, and kept nowhere. */
export type AccessTokenEvent = AccessTokenCreated | AccessTokenRevoked;

export type AccessTokenCreated = DomainEvent<
  'AccessTokenCreated',
  {
    companyId: string;
    tokenId: string;
    name: string;
    role: 'viewer' | 'operator' | 'admin' | 'agent';
    /** The agent that a token with the role `agent` is of; null for the others. */
    agentId: string | null;
    /** SHA-256 of the token, hex. */
    hash: string;
    /** ISO 8601, as the next one. */
    createdAt: string;
    expiresAt: string;
  }
>;

export type AccessTokenRevoked = DomainEvent<'AccessTokenRevoked', { companyId: string; tokenId: string }>;
