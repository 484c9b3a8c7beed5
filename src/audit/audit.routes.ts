import { z } from 'zod';
import { answer, content, routeTable, written } from '../http/route';
import { groupings } from '../costs/cost-groups';
import { dayOrInstant, position } from '../http/schemas';
import { STREAM_NAME } from '../kernel/streams';
import { asOfSchema, checkpointPlace, keysSchema, verificationSchema, whySchema } from './audit.schemas';

const nothing = z.strictObject({}).meta({ id: 'NothingMore', examples: [{}] });

const afterPosition = position
  .optional()
  .describe('Where an earlier one was stopped: goes on behind it. Default: the beginning');

export type KeysAnswer = z.output<typeof keysSchema>;
export type AsOfAnswer = z.output<typeof asOfSchema>;
export type WhyAnswer = z.output<typeof whySchema>;
export type VerificationAnswer = z.output<typeof verificationSchema>;

export const auditRoutes = routeTable('Audit', {
  getAuditKey: {
    method: 'GET',
    path: '/v1/audit/key',
    access: 'server',
    summary: 'The public key that checkpoints are signed with',
    answers: { 200: answer(keysSchema, 'The key of the node that answers, and those of others') },
  },
  signCheckpoint: {
    method: 'POST',
    path: '/v1/audit/checkpoints',
    access: 'server',
    summary: 'Cover everything that is on the log by a signed checkpoint, now',
    description: 'Checkpoints are written by themselves, too: see `docs/audit.md`.',
    body: nothing,
    isBodyOptional: true,
    answers: { 200: written(checkpointPlace.meta({ id: 'AuditCheckpoint' }), 'The last checkpoint') },
    errors: ['log_empty'],
  },
  verifyLog: {
    method: 'GET',
    path: '/v1/audit/verify',
    access: 'server',
    summary: 'Whether the log is what was written: every event, and every checkpoint',
    description:
      'Takes about as long as reading the whole log. As `application/x-ndjson` it is a line for each step: ' +
      '`{"kind": "progress" | "finding" | "result", …}`; whoever hangs up stops it, and goes on with `after`.',
    query: z.strictObject({
      stream: z
        .string()
        .regex(STREAM_NAME, 'not the name of a stream')
        .max(300)
        .optional()
        .describe('Only this stream'),
      companyId: z.uuid().optional().describe('Only the streams of this company'),
      after: afterPosition,
    }),
    answers: {
      200: answer(verificationSchema, 'What was found', {
        'application/x-ndjson': 'One JSON object a line; the last one has the result',
      }),
    },
    errors: ['company_not_found', 'position_past_head'],
  },
  exportCompany: {
    method: 'GET',
    path: '/v1/audit/export',
    access: 'admin',
    summary: 'Everything that the log holds of a company, byte for byte, for others to verify',
    description:
      'With the checkpoints that cover it. `docs/audit.md` has the format, and how somebody who trusts nobody verifies it.',
    query: z.strictObject({ companyId: z.uuid().describe('Whose events'), after: afterPosition }),
    answers: {
      200: content({ 'application/x-ndjson': 'One JSON object a line' }, 'The export, line by line'),
    },
    errors: ['company_not_found', 'position_past_head'],
  },
  getStateAsOf: {
    method: 'GET',
    path: '/v1/audit/as-of',
    access: 'viewer',
    summary: 'An agent, a run, or the spend of a company as of a position or a time',
    description: 'Folded from the log by the code that makes the read models.',
    query: z
      .strictObject({
        agentId: z.uuid().optional().describe('With its runtime state'),
        runId: z.uuid().optional().describe('A run as it was'),
        companyId: z.uuid().optional().describe('What it had spent'),
        groupBy: z.enum(groupings).default('month').describe('Of the spend'),
        position: z
          .string()
          .regex(/^\d{1,19}$/, 'a position is a decimal number')
          .optional()
          .describe('The last one that is in it'),
        at: dayOrInstant.optional(),
      })
      .refine(({ agentId, runId, companyId }) => isOne(agentId, runId, companyId), {
        message: 'name one of agentId, runId and companyId',
        path: ['agentId'],
      })
      .refine((query) => isOne(query.position, query.at), {
        message: 'name one of position and at',
        path: ['position'],
      }),
    answers: { 200: answer(asOfSchema, 'As it was') },
    errors: ['company_not_found', 'agent_not_found', 'run_not_found', 'position_past_head'],
  },
  explainWhy: {
    method: 'GET',
    path: '/v1/audit/why',
    access: 'viewer',
    summary: 'What led to a run or a wakeup, what was decided, and what came of it',
    query: z
      .strictObject({
        runId: z.uuid().optional().describe('A run, with all the wakeups that it stands for'),
        wakeupId: z.uuid().optional().describe('A wakeup, with the run that it became'),
      })
      .refine(({ runId, wakeupId }) => isOne(runId, wakeupId), {
        message: 'name one of runId and wakeupId',
        path: ['runId'],
      }),
    answers: { 200: answer(whySchema, 'Every step, in the order of the log') },
    errors: ['run_not_found', 'wakeup_not_found'],
  },
  bundleRun: {
    method: 'GET',
    path: '/v1/audit/runs/:runId/bundle',
    access: 'viewer',
    summary: 'All about one run, in one file',
    description: 'What it holds is in `docs/audit.md`. What may be secret is masked.',
    answers: {
      200: content({ 'application/x-ndjson': 'One JSON object a line' }, 'The bundle, line by line'),
    },
    errors: ['run_not_found'],
  },
});

function isOne(...values: readonly unknown[]): boolean {
  return values.filter((value) => value !== undefined).length === 1;
}
