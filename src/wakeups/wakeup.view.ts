import { z } from 'zod';
import { id, jsonObject, pageOf, timestamp } from '../http/schemas';
import type { RunDocument } from '../runs/projections/runs.projection';
import { runStatusSchema } from '../runs/run-status';
import type { WakeupDocument } from './projections/wakeups.projection';
import { actorTypeSchema, triggerDetailSchema, wakeupSourceSchema } from './wakeup.schemas';

export const wakeupViewSchema = z
  .object({
    id,
    companyId: id,
    agentId: id,
    status: z
      .enum([
        ...(['queued', 'claimed', 'deferred'] as const),
        ...(['coalesced', 'skipped', 'completed', 'failed', 'cancelled', 'timed_out'] as const),
      ])
      .describe('Open: queued, claimed, deferred. Everything else is final.')
      .meta({ id: 'WakeupStatus' }),
    source: wakeupSourceSchema,
    triggerDetail: triggerDetailSchema.nullable(),
    reason: z.string().nullable(),
    skipReason: z.string().nullable().describe('Why there is no run'),
    payload: jsonObject.nullable(),
    contextSnapshot: jsonObject.nullable(),
    idempotencyKey: z.string().nullable(),
    requestedByActorType: actorTypeSchema.nullable(),
    requestedByActorId: z.string().nullable(),
    notBefore: timestamp.nullable(),
    priority: z.int(),
    coalesceKey: z.string().nullable(),
    taskKey: z.string().nullable(),
    runId: id.nullable().describe('The run that stands for it; null while there is none'),
    runStatus: runStatusSchema.nullable(),
    dueAt: timestamp.nullable(),
    deadlineAt: timestamp.nullable(),
    requestedAt: timestamp,
    claimedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: 'Wakeup', description: 'The receipt of one accepted request' });

/** A wakeup as answers show it. */
export type WakeupView = z.output<typeof wakeupViewSchema>;

export const wakeupPageSchema = pageOf('WakeupPage', wakeupViewSchema);

/** @param run the document of the wakeup's run, where there is one */
export function wakeupView(document: WakeupDocument, run: RunDocument | undefined): WakeupView {
  const { requestedPosition: _requested, decidedPosition: _decided, ...wakeup } = document;
  const visibleStatus = run && run.status !== 'reserved' ? run.status : undefined;
  // A run may be reserved for the wakeup and never come: then there is none to show.
  const waits = document.status === 'deferred' || document.status === 'coalesced';
  return {
    ...wakeup,
    runId: waits && !visibleStatus ? null : document.runId,
    // Who joined a wakeup that was then given up shares its fate.
    runStatus: visibleStatus ?? run?.droppedAs ?? (document.status === 'queued' ? 'queued' : null),
  };
}
