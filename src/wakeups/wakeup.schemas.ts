import { z } from 'zod';
import type { WakeupRequest } from '../agents/domain/agent.events';
import { instant, jsonObject } from '../http/schemas';

export const wakeupSourceSchema = z
  .enum(['timer', 'assignment', 'on_demand', 'automation'])
  .meta({ id: 'WakeupSource' });
export const triggerDetailSchema = z
  .enum(['manual', 'ping', 'callback', 'system'])
  .meta({ id: 'TriggerDetail' });
export const actorTypeSchema = z.enum(['user', 'agent', 'system']).meta({ id: 'ActorType' });

const text = (maximum: number) => z.string().min(1).max(maximum);

export const idempotencyKey = text(500).describe(
  'A repeat within 24 h is answered like the first request, and changes nothing',
);

/** The body of `wakeup` and `invoke`. Every field is optional, and null stands for "not given". */
export const wakeupSchema = z
  .strictObject({
    source: wakeupSourceSchema.nullish().describe('null: on_demand'),
    triggerDetail: triggerDetailSchema.nullish(),
    reason: z.string().max(2_000).nullish(),
    payload: jsonObject.nullish().describe('What it is about'),
    contextSnapshot: jsonObject.nullish().describe('What the agent finds in its context'),
    idempotencyKey: idempotencyKey.nullish(),
    requestedByActorType: actorTypeSchema.nullish(),
    requestedByActorId: text(200).nullish(),
    notBefore: instant.nullish().describe('It waits until then'),
    priority: z
      .number()
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .nullish()
      .describe('Queued runs of a higher one start first; null: 0'),
    coalesceKey: text(200).nullish().describe('Wakeups of one key become one run; null: the whole agent'),
    taskKey: text(200).nullish().describe('The task whose session the run continues'),
  })
  .transform((given): WakeupRequest => ({
    source: given.source ?? 'on_demand',
    triggerDetail: given.triggerDetail ?? null,
    reason: given.reason ?? null,
    payload: given.payload ?? null,
    contextSnapshot: given.contextSnapshot ?? null,
    idempotencyKey: given.idempotencyKey ?? null,
    requestedByActorType: given.requestedByActorType ?? null,
    requestedByActorId: given.requestedByActorId ?? null,
    notBefore: given.notBefore ? new Date(given.notBefore).toISOString() : null,
    priority: given.priority ?? 0,
    coalesceKey: given.coalesceKey ?? null,
    taskKey: given.taskKey ?? null,
  }))
  .meta({
    id: 'WakeupRequest',
    description: 'Every field is optional, and null stands for "not given".',
    examples: [{ reason: 'by hand', payload: { issueId: '42' } }],
  });
