import { z } from 'zod';
import { answer, routeTable } from '../http/route';
import { count, eventPlace, position, timestamp } from '../http/schemas';

const checksums = z
  .object({ live: z.string().nullable(), rebuilt: z.string().nullable() })
  .describe('SHA-256 over canonical JSON; null where there is no document');

const comparisonSchema = z
  .object({
    position,
    equal: z.boolean(),
    documents: z.object({ live: count, rebuilt: count }),
    checksums: checksums.describe('SHA-256 over all ids and documents, in order'),
    differing: count,
    differences: z
      .array(
        z.object({
          id: z.string(),
          kind: z.enum(['changed', 'missing', 'extra']),
          fields: z.array(z.string()).describe('Paths of the fields that differ, the first 20'),
          checksums,
        }),
      )
      .describe('The first 100'),
  })
  .meta({ id: 'Comparison' });

const jobSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['rebuild', 'compare', 'swap']),
    projection: z.string(),
    status: z
      .enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted'])
      .describe('A rebuild is `interrupted` where its server stops: the next one goes on with it'),
    position: position.describe('Up to where the log has been folded'),
    livePosition: position.describe('How far the live documents have come'),
    events: count,
    eventsPerSec: count,
    requestedAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    documents: count.describe('How many documents have been compared so far'),
    error: z.string().nullable(),
    ailment: z.string().nullable().describe('What it is trying again because of; null while it works'),
    result: comparisonSchema
      .nullable()
      .describe('What a comparison has found, or a rebuild that waits to be swapped in'),
  })
  .meta({ id: 'ProjectionJob' });

const consumerSchema = z
  .object({
    name: z.string(),
    kind: z.enum(['projection', 'saga']),
    version: count.nullable().describe('null for a saga'),
    status: z
      .enum(['running', 'failing', 'stopped'])
      .describe('`failing`: the document store fails; `stopped`: it waits for a retry'),
    position,
    lag: position.describe('From there to the end of the log, in positions'),
    stoppedBy: z.string().nullable(),
    stoppedAt: eventPlace.nullable().describe('The event that it cannot handle'),
    ailment: z.string().nullable(),
    job: jobSchema.nullable().describe('The rebuild or comparison that goes on'),
  })
  .meta({ id: 'Consumer' });

const consumersSchema = z
  .object({ head: position.describe('The end of the log'), items: z.array(consumerSchema) })
  .meta({ id: 'Consumers' });

const nothing = z.strictObject({}).meta({ id: 'Nothing', examples: [{}] });

export type JobAnswer = z.output<typeof jobSchema>;
export type ConsumerAnswer = z.output<typeof consumerSchema>;
export type ConsumersAnswer = z.output<typeof consumersSchema>;

export const projectionRoutes = routeTable('Administration', {
  listProjections: {
    method: 'GET',
    path: '/v1/admin/projections',
    access: 'server',
    summary: 'How far projections and sagas have come',
    answers: { 200: answer(consumersSchema, 'All of this node') },
  },
  rebuildProjection: {
    method: 'POST',
    path: '/v1/admin/projections/:name/rebuild',
    access: 'server',
    summary: 'Make the documents anew from the log',
    description:
      'Reads are answered from the old documents until the new ones are complete. With `swap: false` the new ones are ' +
      'compared with the live ones, and wait until they are swapped in.',
    body: z
      .strictObject({ swap: z.boolean().default(true) })
      .meta({ id: 'RebuildRequest', examples: [{ swap: false }] }),
    isBodyOptional: true,
    answers: { 202: answer(jobSchema, 'The job; the same one while it goes on') },
    errors: ['projection_not_found', 'projection_busy'],
  },
  swapProjection: {
    method: 'POST',
    path: '/v1/admin/projections/:name/swap',
    access: 'server',
    summary: 'Let the documents that a rebuild has made take the place of the live ones',
    body: nothing,
    isBodyOptional: true,
    answers: { 202: answer(jobSchema, 'The job; the same one while it goes on') },
    errors: ['projection_not_found', 'projection_busy', 'nothing_to_swap'],
  },
  compareProjection: {
    method: 'POST',
    path: '/v1/admin/projections/:name/compare',
    access: 'server',
    summary: 'Whether the documents are what the log makes of them',
    body: nothing,
    isBodyOptional: true,
    answers: { 202: answer(jobSchema, 'The job; the same one while it goes on') },
    errors: ['projection_not_found', 'projection_busy'],
  },
  retryProjection: {
    method: 'POST',
    path: '/v1/admin/projections/:name/retry',
    access: 'server',
    summary: 'Let a projection or saga that has stopped try again',
    body: nothing,
    isBodyOptional: true,
    answers: { 200: answer(consumerSchema, 'As it is now') },
    errors: ['projection_not_found'],
  },
  getProjectionJob: {
    method: 'GET',
    path: '/v1/admin/jobs/:jobId',
    access: 'server',
    summary: 'How a rebuild or comparison goes on',
    answers: { 200: answer(jobSchema, 'The job') },
    errors: ['job_not_found'],
  },
  cancelProjectionJob: {
    method: 'POST',
    path: '/v1/admin/jobs/:jobId/cancel',
    access: 'server',
    summary: 'End a rebuild or comparison; nothing has changed then',
    body: nothing,
    isBodyOptional: true,
    answers: { 200: answer(jobSchema, 'The job') },
    errors: ['job_not_found'],
  },
});
