import { z } from 'zod';
import { externalKey, name } from '../agents/agent.schemas';
import { answer, routeTable, written } from '../http/route';
import { waitFor } from '../http/schemas';
import { companySchema } from './company.view';

export const companyRequest = z
  .strictObject({ name, externalKey: externalKey.nullish() })
  .meta({ id: 'CompanyRequest', examples: [{ name: 'Acme', externalKey: 'acme' }] });

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
