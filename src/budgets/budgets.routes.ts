import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { waitFor } from '../http/schemas';
import { budgetRequest, budgetSchema } from './budget.view';

const query = z.strictObject({ waitFor });
const shown = {
  200: answer(budgetSchema, 'The budget, what was spent of it, and whether it stops anything'),
};
const changed = { 200: written(budgetSchema, 'The budget, and how it stands') };

export const budgetRoutes = routeTable('Costs', {
  getCompanyBudget: {
    method: 'GET',
    path: '/v1/companies/:companyId/budget',
    access: 'viewer',
    summary: "Show a company's budget",
    query,
    answers: shown,
    errors: ['company_not_found'],
  },
  putCompanyBudget: {
    method: 'PUT',
    path: '/v1/companies/:companyId/budget',
    access: 'operator',
    summary: "Set a company's budget for each month",
    description:
      'One that allows more than was spent lets go on what the budget had stopped, and nothing else.',
    body: budgetRequest,
    answers: changed,
    errors: ['company_not_found'],
  },
  getAgentBudget: {
    method: 'GET',
    path: '/v1/agents/:agentId/budget',
    access: 'viewer',
    summary: "Show an agent's budget",
    query,
    answers: shown,
    errors: ['agent_not_found'],
  },
  putAgentBudget: {
    method: 'PUT',
    path: '/v1/agents/:agentId/budget',
    access: 'operator',
    summary: "Set an agent's budget for each month",
    description:
      'One that allows more than was spent lets go on what the budget had stopped, and nothing else.',
    body: budgetRequest,
    answers: changed,
    errors: ['agent_not_found', 'agent_status_conflict'],
  },
});
