import { z } from 'zod';
import { name } from '../agents/agent.schemas';
import { answer, routeTable, written } from '../http/route';
import { instant, paging } from '../http/schemas';
import { newTokenSchema, roleSchema, tokenPageSchema, tokenSchema } from './token.view';

/** How long a token lives of which nobody has said it. */
export const DEFAULT_LIFETIME_DAYS = 90;

export const tokenRequest = z
  .strictObject({
    name: name.describe('For people: whose it is, or what for'),
    role: roleSchema,
    agentId: z
      .string()
      .max(100)
      .nullish()
      .describe('With the role `agent`, and only with it: of which agent'),
    expiresAt: instant.nullish().describe(`Left out: in ${DEFAULT_LIFETIME_DAYS} days`),
  })
  .superRefine(({ role, agentId }, context) => {
    const message = role === 'agent' ? 'a token of an agent needs one' : 'goes with the role agent only';
    if ((role === 'agent') !== (typeof agentId === 'string')) {
      context.addIssue({ code: 'custom', path: ['agentId'], message });
    }
  })
  .meta({ id: 'TokenRequest', examples: [{ name: 'dashboard', role: 'viewer' }] });

export const tokenRoutes = routeTable('Tokens', {
  createToken: {
    method: 'POST',
    path: '/v1/companies/:companyId/tokens',
    access: 'admin',
    summary: 'Make a token',
    description: 'The answer is the only one that ever shows it: the server keeps its hash.',
    body: tokenRequest,
    answers: { 201: written(newTokenSchema, 'The new token') },
    errors: ['company_not_found', 'agent_not_found', 'too_many_tokens'],
  },
  listTokens: {
    method: 'GET',
    path: '/v1/companies/:companyId/tokens',
    access: 'admin',
    summary: "List a company's tokens",
    query: z.strictObject(paging(50, 200)),
    answers: { 200: answer(tokenPageSchema, 'The newest first, revoked and expired ones included') },
    errors: ['company_not_found'],
  },
  revokeToken: {
    method: 'DELETE',
    path: '/v1/companies/:companyId/tokens/:tokenId',
    access: 'admin',
    summary: 'Revoke a token',
    description: 'At once: what is open with it is closed.',
    answers: { 200: written(tokenSchema, 'The token, revoked now or already') },
    errors: ['company_not_found', 'token_not_found'],
  },
});
