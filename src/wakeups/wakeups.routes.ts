import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { paging, position, waitFor } from '../http/schemas';
import { runSchema } from '../runs/run.view';
import { idempotencyKey, wakeupSchema } from './wakeup.schemas';
import { wakeupPageSchema, wakeupViewSchema } from './wakeup.view';

const wakeAnswerSchema = z
  .object({
    wakeup: wakeupViewSchema,
    run: runSchema.nullable().describe('The run that it became or joined; null where there is none (yet)'),
    position: position.describe('Of the decision: any read takes it as `waitFor`'),
  })
  .meta({ id: 'WakeAnswer' });

export type WakeAnswer = z.output<typeof wakeAnswerSchema>;

const wake = {
  headers: z.object({
    'Idempotency-Key': z
      .string()
      .min(1, '1 to 500 characters')
      .max(500, '1 to 500 characters')
      .optional()
      .describe(`${idempotencyKey.description}; the same as in the body`),
  }),
  body: wakeupSchema,
  isBodyOptional: true,
  answers: {
    202: written(wakeAnswerSchema, 'Queued, coalesced, deferred or skipped: the wakeup says which'),
  },
  errors: [
    'agent_not_found',
    'agent_not_wakeable',
    'agent_busy',
    'too_many_open_wakeups',
    'idempotency_key_reused',
    'idempotency_key_conflict',
  ],
} as const;

const unknown = ['wakeup_not_found'] as const;

export const wakeupRoutes = routeTable('Wakeups', {
  wakeAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/wakeups',
    access: 'operator',
    agents: 'company',
    summary: 'Wake an agent',
    description: 'Whether that becomes a run is decided at once, and the answer says what was decided.',
    ...wake,
  },
  invokeAgent: {
    method: 'POST',
    path: '/v1/agents/:agentId/invoke',
    access: 'operator',
    summary: 'Wake an agent by hand',
    description: 'A wakeup whose `triggerDetail` is `manual` where the request says nothing else.',
    ...wake,
  },
  listWakeups: {
    method: 'GET',
    path: '/v1/agents/:agentId/wakeups',
    access: 'viewer',
    agents: 'own',
    summary: "List an agent's wakeups",
    query: z.strictObject({
      runId: z.string().max(100).optional().describe('Only those that this run stands for'),
      ...paging(50, 200),
    }),
    answers: { 200: answer(wakeupPageSchema, 'The newest first') },
    errors: ['agent_not_found'],
  },
  getWakeup: {
    method: 'GET',
    path: '/v1/wakeups/:wakeupId',
    access: 'viewer',
    agents: 'own',
    summary: 'Show a wakeup',
    query: z.strictObject({ waitFor }),
    answers: { 200: answer(wakeupViewSchema, 'The wakeup') },
    errors: unknown,
  },
  cancelWakeup: {
    method: 'POST',
    path: '/v1/wakeups/:wakeupId/cancel',
    access: 'operator',
    summary: 'Cancel an open wakeup',
    answers: {
      200: written(wakeupViewSchema, 'It is over'),
      202: written(wakeupViewSchema, 'Its run is still to end'),
    },
    errors: unknown,
  },
});
