import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { paging, waitFor } from '../http/schemas';
import { agentPatchSchema, registerAgentSchema } from './agent.schemas';
import {
  agentChangeSchema,
  agentPageSchema,
  agentSchema,
  agentStatusSchema,
  runtimeStateSchema,
} from './agent.view';

/** `If-Match: "3"`, with or without quotes; `*` matches whatever is there, like no header at all. */
const ifMatch = z
  .string()
  .trim()
  .regex(/^(?:\*|(?:W\/)?"?\d{1,15}"?)$/, 'the version of the agent')
  .transform((value) => (value === '*' ? null : Number(value.replace(/\D/g, ''))))
  .default(null)
  .describe('The version that the patch is meant for; another one is refused with 412. `*`: any');

const taskKey = z.string().min(1).max(200).describe('A task of the agent; left out: the agent as a whole');
const resetRequest = z
  .strictObject({ taskKey: taskKey.nullish() })
  .meta({ id: 'ResetSessionRequest', examples: [{ taskKey: 'issue-1' }] });
const unknown = ['agent_not_found'] as const;
const refused = ['agent_not_found', 'agent_status_conflict'] as const;
const changed = { 200: written(agentChangeSchema, 'The agent; where nothing had to be done, as it is') };

export const agentRoutes = routeTable('Agents', {
  registerAgent: {
    method: 'POST',
    path: '/v1/companies/:companyId/agents',
    access: 'admin',
    summary: 'Register an agent',
    description: 'With the `externalKey` of an agent that is there already, that one is answered, with 200.',
    body: registerAgentSchema,
    answers: { 201: written(agentSchema, 'The new agent'), 200: written(agentSchema, 'It was there') },
    errors: ['company_not_found'],
  },
  listAgents: {
    method: 'GET',
    path: '/v1/companies/:companyId/agents',
    access: 'viewer',
    summary: "List a company's agents",
    query: z.strictObject({
      status: agentStatusSchema.optional().describe('Only those'),
      ...paging(50, 200),
    }),
    answers: { 200: answer(agentPageSchema, 'In the order in which they were registered') },
    errors: ['company_not_found'],
  },
  getAgent: {
    method: 'GET',
    path: '/v1/agents/:agentId',
    access: 'viewer',
    agents: 'own',
    summary: 'Show an agent',
    query: z.strictObject({ waitFor }),
    answers: { 200: answer(agentSchema, 'The agent') },
    errors: unknown,
  },
  patchAgent: {
    method: 'PATCH',
    path: '/v1/agents/:agentId',
    access: 'operator',
    summary: 'Change how an agent is configured',
    description:
      'Runs that are going on keep the policy that they started with. Only an admin may set `adapterType` and `adapterConfig`: what is executed.',
    headers: z.object({ 'If-Match': ifMatch }),
    body: agentPatchSchema,
    bodyType: 'application/merge-patch+json',
    answers: { 200: written(agentSchema, 'The agent, changed') },
    errors: ['agent_not_found', 'agent_status_conflict', 'version_conflict'],
  },
  approveAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/approve',
    access: 'operator',
    summary: 'Approve an agent that was registered with `requiresApproval`',
    answers: changed,
    errors: refused,
  },
  pauseAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/pause',
    access: 'operator',
    summary: 'Pause an agent',
    description: 'Its runs are told to end, and what waits is held until it is resumed.',
    answers: changed,
    errors: refused,
  },
  resumeAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/resume',
    access: 'operator',
    summary: 'Resume a paused agent',
    answers: changed,
    errors: refused,
  },
  terminateAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/terminate',
    access: 'operator',
    summary: 'Terminate an agent for good',
    description: 'Its runs are told to end, and what waits is cancelled.',
    answers: changed,
    errors: unknown,
  },
  getRuntimeState: {
    method: 'GET',
    path: '/v1/agents/:agentId/runtime-state',
    access: 'viewer',
    agents: 'own',
    summary: 'Session, state and totals of an agent, or of one of its tasks',
    query: z.strictObject({ taskKey: taskKey.optional(), waitFor }),
    answers: { 200: answer(runtimeStateSchema, 'Zeros for an agent that never ran') },
    errors: unknown,
  },
  resetSession: {
    method: 'POST',
    path: '/v1/agents/:agentId/runtime-state/reset-session',
    access: 'operator',
    summary: 'Forget session, state and last error',
    description: "A run that is going on doesn't bring its session back.",
    body: resetRequest,
    isBodyOptional: true,
    answers: { 200: written(runtimeStateSchema, 'Without session, state and last error') },
    errors: unknown,
  },
});
