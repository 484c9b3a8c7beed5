import type { Projection } from '../../processing/projection';
import type { AccessTokenCreated, AccessTokenEvent } from '../domain/access-token.events';

export interface AccessTokenDocument {
  id: string;
  companyId: string;
  name: string;
  role: AccessTokenCreated['data']['role'];
  agentId: string | null;
  hash: string;
  createdAt: string;
  expiresAt: string;
  revokedAt: string | null;
  createdPosition: string;
}

export const accessTokensProjection: Projection<AccessTokenDocument, AccessTokenEvent> = {
  name: 'access_tokens',
  version: 1,
  fields: { companyId: 'text', createdPosition: 'position' },
  indexes: [['companyId', 'createdPosition'], ['createdPosition']],
  handles: ['AccessTokenCreated', 'AccessTokenRevoked'],
  id: ({ event }) => event.data.tokenId,
  evolve(document, { event, metadata, position }) {
    if (event.type === 'AccessTokenCreated') {
      const { tokenId: id, companyId, name, role, agentId, hash, createdAt, expiresAt } = event.data;
      const token = { id, companyId, name, role, agentId, hash, createdAt, expiresAt };
      return { ...token, revokedAt: null, createdPosition: `${position}` };
    }
    if (!document) throw new Error('AccessTokenRevoked of a token that was never created');
    return { ...document, revokedAt: metadata.at };
  },
};
