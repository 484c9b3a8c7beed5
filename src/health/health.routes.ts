import { z } from 'zod';
import { answer, routeTable } from '../http/route';
import { count, eventPlace, position, timestamp } from '../http/schemas';

const liveSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Live' });

const condition = z.enum(['ok', 'ill']);

const drainSchema = z.object({
  mode: z.enum(['leave', 'wait', 'cancel']),
  since: timestamp,
  until: timestamp
    .nullable()
    .describe('When waiting is given up; null where it is not, or nothing is waited for'),
  runIds: z.array(z.string()).describe('The runs that are waited for'),
});

const part = z.object({ status: z.string().describe('`ok`, or what is wrong') });

const readySchema = z
  .object({
    status: z
      .enum(['ok', 'ill', 'draining'])
      .describe('`draining`: it is about to stop, claims nothing, and still answers'),
    ill: z
      .array(z.string())
      .describe(
        'Which parts: `eventLog`, `documents`, `execution`, `dataFolder`, `disk`, or the name of a consumer',
      ),
    nodeId: z.string(),
    eventLog: z.object({ status: condition, head: position.nullable() }),
    documents: part,
    consumers: z.array(
      z.object({
        name: z.string(),
        kind: z.enum(['projection', 'saga']),
        version: count.nullable().describe('null for a saga'),
        reached: position,
        stoppedBy: z.string().nullable().describe('Why it has stopped; null while it goes on'),
        stoppedAt: eventPlace.nullable().describe('The event that it cannot handle'),
        ailment: z.string().nullable().describe('What it is trying again because of; null while it works'),
      }),
    ),
    execution: part,
    dataFolder: part,
    disk: z
      .object({ freeBytes: count, isShort: z.boolean() })
      .nullable()
      .describe('Of the disk that runs write to; null where that cannot be seen'),
    draining: drainSchema.nullable().describe('What a server that is about to stop is waiting for'),
    runs: z.object({ active: count, waiting: count, max: count }),
  })
  .meta({ id: 'Ready' });

export type ReadyView = z.output<typeof readySchema>;

export const healthRoutes = routeTable('Operations', {
  getLive: {
    method: 'GET',
    path: '/health/live',
    access: 'open',
    summary: 'The process answers',
    answers: { 200: answer(liveSchema, 'It does') },
  },
  getReady: {
    method: 'GET',
    path: '/health/ready',
    access: 'open',
    summary: 'The node does its work',
    answers: {
      200: answer(readySchema, 'All is well'),
      503: answer(readySchema, 'Something is ill: the answer says which part'),
    },
  },
});
