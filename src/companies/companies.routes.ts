import { z } from 'zod';
import { externalKey, name } from '../agents/agent.schemas';
import { answer, routeTable, written } from '../http/route';
import { waitFor } from '../http/schemas';
import { MAX_RETENTION_DAYS, MIN_RETENTION_DAYS } from '../retention/domain/log-retention';
import { companySchema } from './company.view';

const logRetentionDays = z
  .int('a whole number of days, or null')
  .min(MIN_RETENTION_DAYS)
  .max(MAX_RETENTION_DAYS)
  .nullable()
  .describe('How long the output of runs is kept after their end, in days; null: for ever');

export const companyRequest = z
  .strictObject({
    name,
    externalKey: externalKey.nullish(),
    logRetentionDays: logRetentionDays
      .optional()
      .describe(
        'How long the output of runs is kept, in days; null: for ever. Default: what the server is set to',
      ),
  })
  .meta({ id: 'CompanyRequest', examples: [{ name: 'Acme', externalKey: 'acme' }] });

export const companyPatch = z
  .strictObject({ logRetentionDays: logRetentionDays.optional() })
  .meta({ id: 'CompanyPatch', examples: [{ logRetentionDays: 90 }] });

const query = z.strictObject({ waitFor });
const unknown = ['company_not_found'] as const;

export const companyRoutes = routeTable('Companies', {
  registerCompany: {
    method: 'POST',
    path: '/v1/companies',
    access: 'server',
    summary: 'Register a company',
    description: 'With the `externalKey` of a company that is there already, that one is answered, with 200.',
    body: companyRequest,
    answers: { 201: written(companySchema, 'The new company'), 200: written(companySchema, 'It was there') },
  },
  getCompany: {
    method: 'GET',
    path: '/v1/companies/:companyId',
    access: 'viewer',
    summary: 'Show a company',
    query,
    answers: { 200: answer(companySchema, 'The company') },
    errors: unknown,
  },
  patchCompany: {
    method: 'PATCH',
    path: '/v1/companies/:companyId',
    access: 'admin',
    summary: 'Change how long the output of runs is kept',
    description:
      'Holds for runs that are over as well: what is older is gone soon, and for good. Hashes, lengths and everything else stay.',
    body: companyPatch,
    bodyType: 'application/merge-patch+json',
    answers: { 200: written(companySchema, 'The company, changed') },
    errors: unknown,
  },
  pauseCompany: {
    method: 'POST',
    path: '/v1/companies/:companyId/pause',
    access: 'operator',
    summary: 'Pause a company',
    description: 'The kill switch: what runs is ended, and nothing is woken until the company is resumed.',
    answers: { 200: written(companySchema, 'The company, paused') },
    errors: unknown,
  },
  resumeCompany: {
    method: 'POST',
    path: '/v1/companies/:companyId/resume',
    access: 'operator',
    summary: 'Resume a paused company',
    answers: { 200: written(companySchema, 'The company, active') },
    errors: unknown,
  },
});
