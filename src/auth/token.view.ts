import { z } from 'zod';
import { id, pageOf, timestamp } from '../http/schemas';
import { roles } from './access';
import type { AccessTokenDocument } from './projections/access-tokens.projection';

export const roleSchema = z
  .enum(roles)
  .describe(
    '`viewer` reads; `operator` also wakes, ends, pauses and pays; `admin` also says what is executed, and who may do what; `agent` may do what a run of its agent may',
  )
  .meta({ id: 'Role' });

export const tokenSchema = z
  .object({
    id,
    companyId: id,
    name: z.string(),
    role: roleSchema,
    agentId: id.nullable().describe('The agent that it is of; null where the role is not `agent`'),
    createdAt: timestamp,
    expiresAt: timestamp,
    revokedAt: timestamp.nullable(),
  })
  .meta({ id: 'Token', description: 'Without the token itself: nobody can be told that again' });

export type TokenView = z.output<typeof tokenSchema>;

export const newTokenSchema = tokenSchema
  .extend({ token: z.string().describe('For `Authorization: Bearer …`: keep it, it is not told again') })
  .meta({ id: 'NewToken' });

export type NewTokenView = z.output<typeof newTokenSchema>;

export const tokenPageSchema = pageOf('TokenPage', tokenSchema);

export function tokenView(document: AccessTokenDocument): TokenView {
  const { hash: _hash, createdPosition: _position, ...token } = document;
  return token;
}
