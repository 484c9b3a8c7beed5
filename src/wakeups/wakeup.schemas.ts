import { z } from 'zod';
import type { WakeupRequest } from '../agents/domain/agent.events';

const text = (maximum: number) => z.string().min(1).max(maximum);
const jsonObject = z.record(z.string(), z.unknown());

/** The body of `wakeup` and `invoke`. Every field is optional, and null stands for "not given". */
export const wakeupSchema = z
  .strictObject({
    source: z.enum(['timer', 'assignment', 'on_demand', 'automation']).nullish(),
    triggerDetail: z.enum(['manual', 'ping', 'callback', 'system']).nullish(),
    reason: z.string().max(2_000).nullish(),
    payload: jsonObject.nullish(),
    contextSnapshot: jsonObject.nullish(),
    idempotencyKey: text(500).nullish(),
    requestedByActorType: z.enum(['user', 'agent', 'system']).nullish(),
    requestedByActorId: text(200).nullish(),
    notBefore: z.iso.datetime({ offset: true }).nullish(),
    priority: z.number().int().min(-1_000_000).max(1_000_000).nullish(),
    coalesceKey: text(200).nullish(),
    taskKey: text(200).nullish(),
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
  }));
