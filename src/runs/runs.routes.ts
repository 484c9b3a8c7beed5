import { z } from 'zod';
import { answer, routeTable, written } from '../http/route';
import { noteFields, usageFields } from '../runner/reported-event';
import { clampedNumber, count, id, offset, paging, position, waitFor } from '../http/schemas';
import { DEFAULT_STALE_MS } from './run-reaper';
import { runStatusSchema } from './run-status';
import { runEventPageSchema, runPageSchema, runSchema, runWithExcerptsSchema } from './run.view';

const MAX_LOG_PAGE_BYTES = 1024 * 1024;
/** The longest UTF-8 character: a smaller page could come out empty. */
const MIN_LOG_PAGE_BYTES = 4;

const logPageSchema = z
  .object({
    runId: id,
    content: z.string().describe('Cut at whole characters'),
    offset: count.describe(
      'In bytes: where `content` begins, behind what was asked for where that is not recorded',
    ),
    nextOffset: count,
    totalBytes: count,
    eof: z.boolean().describe('Nothing will follow'),
  })
  .meta({ id: 'LogPage' });

export type LogAnswer = z.output<typeof logPageSchema>;

const reapRequest = z
  .strictObject({
    staleThresholdMs: z
      .number()
      .int()
      .min(0)
      .default(DEFAULT_STALE_MS)
      .describe("Since the last sign of life of a run's node"),
  })
  .meta({ id: 'ReapRequest', examples: [{ staleThresholdMs: 60_000 }] });

const reapedSchema = z.object({ reaped: count, runIds: z.array(id) }).meta({ id: 'Reaped' });

export type Reaped = z.output<typeof reapedSchema>;

export const noteRequest = z
  .strictObject({ eventType: z.literal('note').default('note'), ...noteFields })
  .meta({ id: 'RunNoteRequest', examples: [{ message: 'half way', payload: { done: 50 } }] });

export const usageRequest = z.strictObject(usageFields).meta({
  id: 'RunUsageRequest',
  examples: [{ inputTokens: 1200, outputTokens: 80, provider: 'openai', model: 'gpt-5-mini' }],
});

const reportedSchema = z
  .object({ runId: id, seq: z.int().min(1).describe('Of the event among those of the run'), position })
  .meta({ id: 'RunReported' });

export type ReportedView = z.output<typeof reportedSchema>;

const report = {
  access: 'operator',
  agents: 'own',
  headers: z.object({
    'Idempotency-Key': z
      .string()
      .min(1, '1 to 500 characters')
      .max(500, '1 to 500 characters')
      .optional()
      .describe('A repeat is answered like the first request, and changes nothing'),
  }),
  answers: { 201: written(reportedSchema, 'It is on the log') },
  errors: ['run_not_found', 'run_not_open', 'too_many_reports', 'idempotency_key_reused'],
} as const;

const unknown = ['run_not_found'] as const;

export const runRoutes = routeTable('Runs', {
  listRuns: {
    method: 'GET',
    path: '/v1/companies/:companyId/runs',
    access: 'viewer',
    agents: 'company',
    summary: "List a company's runs",
    query: z.strictObject({
      agentId: z.string().max(100).optional().describe('Only those of this agent'),
      status: runStatusSchema.optional().describe('Only those'),
      ...paging(50, 200),
    }),
    answers: { 200: answer(runPageSchema, 'The newest first') },
    errors: ['company_not_found', 'agent_not_found'],
  },
  getActiveRun: {
    method: 'GET',
    path: '/v1/agents/:agentId/active-run',
    access: 'viewer',
    agents: 'own',
    summary: "Show an agent's running run",
    query: z.strictObject({ waitFor }),
    answers: { 200: answer(runSchema.nullable(), 'The newest one that is running, or null') },
    errors: ['agent_not_found'],
  },
  getRun: {
    method: 'GET',
    path: '/v1/runs/:runId',
    access: 'viewer',
    agents: 'own',
    summary: 'Show a run',
    query: z.strictObject({ waitFor }),
    answers: { 200: answer(runWithExcerptsSchema, 'The run, with the end of its output') },
    errors: unknown,
  },
  cancelRun: {
    method: 'POST',
    path: '/v1/runs/:runId/cancel',
    access: 'operator',
    summary: 'End a run',
    description: 'SIGTERM to its whole process tree, and SIGKILL after `graceSec`.',
    answers: {
      200: written(runSchema, 'It is over, now or already'),
      202: written(runSchema, 'It is told to end: `endCause` and `endRequestedAt` are set'),
    },
    errors: unknown,
  },
  listRunEvents: {
    method: 'GET',
    path: '/v1/runs/:runId/events',
    access: 'viewer',
    agents: 'own',
    summary: 'What happened in a run',
    description: 'Of a run that is over all events are there, up to the line that closes it.',
    query: z.strictObject({
      afterSeq: offset('Only what came after that number'),
      limit: clampedNumber({ fallback: 200, min: 1, max: 1_000 }, 'Events on the page'),
      waitFor,
    }),
    answers: { 200: answer(runEventPageSchema, 'In their order; `nextCursor` is the next `afterSeq`') },
    errors: unknown,
  },
  addRunEvent: {
    method: 'POST',
    path: '/v1/runs/:runId/events',
    summary: 'Add a note to a running run',
    description: 'The token of a run does so for that run only.',
    body: noteRequest,
    ...report,
  },
  bookRunUsage: {
    method: 'POST',
    path: '/v1/runs/:runId/usage',
    summary: 'Book usage of a running run',
    description:
      'Each report adds to the ones before it; what the run says in its result settles them all. The token of a run does so for that run only.',
    body: usageRequest,
    ...report,
  },
  readRunLog: {
    method: 'GET',
    path: '/v1/runs/:runId/log',
    access: 'viewer',
    agents: 'own',
    summary: "Read a run's output",
    description:
      'Also while it is being written. Before there is any, it is empty; what the company no longer keeps is answered with 410.',
    query: z.strictObject({
      stream: z.enum(['stdout', 'stderr']).optional().describe('Left out: both, as they came'),
      offset: offset('In bytes'),
      limitBytes: clampedNumber(
        { fallback: 64 * 1024, min: MIN_LOG_PAGE_BYTES, max: MAX_LOG_PAGE_BYTES },
        'Bytes on the page, in JSON',
      ),
      waitFor,
    }),
    answers: {
      200: answer(logPageSchema, 'A page; with `Accept: text/plain` the bytes as they are, to the end', {
        'text/plain; charset=utf-8': 'The bytes from `offset` on, as the agent wrote them',
      }),
    },
    errors: ['run_not_found', 'log_aged_out'],
  },
});

export const reapRoutes = routeTable('Administration', {
  reapRuns: {
    method: 'POST',
    path: '/v1/admin/reap',
    access: 'server',
    summary: 'End runs whose node is gone',
    body: reapRequest,
    isBodyOptional: true,
    answers: { 200: written(reapedSchema, 'The runs that have been ended as `process_lost`') },
  },
});
