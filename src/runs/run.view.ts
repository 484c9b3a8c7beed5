import { z } from 'zod';
import type { EndCause } from '../agents/domain/agent.events';
import { endCauses } from '../agents/domain/agent.events';
import { count, id, jsonObject, pageOf, position, timestamp } from '../http/schemas';
import type { WakeupDocument } from '../wakeups/projections/wakeups.projection';
import { triggerDetailSchema, wakeupSourceSchema } from '../wakeups/wakeup.schemas';
import { composeContext } from './domain/run-context';
import type { RunDocument } from './projections/runs.projection';
import { runStatusSchema } from './run-status';

const tokens = z.int();
const usageSchema = z
  .object({ inputTokens: tokens, outputTokens: tokens, cachedInputTokens: tokens })
  .meta({ id: 'Usage', description: 'Tokens, each counted once: `inputTokens` came from no cache' });

const digestSchema = z
  .object({
    bytes: count.describe('What the agent wrote'),
    sha256: z.string(),
    storedSha256: z.string().nullable().describe('Over what is recorded of it; null where that is the same'),
  })
  .meta({ id: 'StreamDigest' });

export const runSchema = z
  .object({
    id,
    companyId: id,
    agentId: id,
    status: runStatusSchema,
    invocationSource: wakeupSourceSchema.nullable(),
    triggerDetail: triggerDetailSchema.nullable(),
    contextSnapshot: jsonObject.describe('What the agent is given, of all wakeups that the run stands for'),
    wakeupIds: z.array(id).describe('The first 100 that it stands for'),
    coalescedCount: count,
    attempt: z.int().min(1),
    retryOfRunId: id.nullable(),
    sessionIdBefore: z.string().nullable(),
    sessionIdAfter: z.string().nullable(),
    queuedAt: timestamp.nullable(),
    startedAt: timestamp.nullable(),
    exitedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    exitCode: z.int().nullable().describe('128 + n where signal n has ended the agent'),
    signal: z
      .string()
      .nullable()
      .describe('That has ended it, such as SIGSEGV or SIGKILL, where that is known'),
    endCause: z
      .enum(Object.keys(endCauses) as EndCause[])
      .nullable()
      .describe('Why it is to end, or was ended'),
    endRequestedAt: timestamp.nullable(),
    error: z.string().nullable(),
    errorCode: z.string().nullable(),
    usage: usageSchema.nullable().describe('null: nobody knows'),
    costMicros: z.int().nullable().describe('Micro-dollars; null: nobody knows'),
    resultJson: z.unknown().describe('What its result said'),
    logBytes: count.nullable(),
    logSha256: z.string().nullable().describe('Over the recorded combined log'),
    logs: z.object({ stdout: digestSchema, stderr: digestSchema }).nullable(),
    nodeId: z.string().nullable(),
  })
  .meta({ id: 'Run', description: 'One execution of an agent' });

/** A run as answers show it. */
export type RunView = z.output<typeof runSchema>;

export const runPageSchema = pageOf('RunPage', runSchema);

export const runWithExcerptsSchema = runSchema
  .extend({ stdoutExcerpt: z.string().describe('The last 32 KiB'), stderrExcerpt: z.string() })
  .meta({ id: 'RunWithExcerpts' });

export type RunWithExcerptsView = z.output<typeof runWithExcerptsSchema>;

export const runEventSchema = z
  .object({
    id,
    seq: z.int().min(1).describe('1, 2, 3 … without gap'),
    position,
    at: timestamp,
    companyId: id,
    agentId: id,
    runId: id,
    eventType: z.enum(['lifecycle', 'adapter.invoke', 'process', 'usage', 'error', 'note']),
    stream: z.enum(['system', 'stdout', 'stderr']),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    color: z.string().nullable(),
    message: z.string(),
    payload: jsonObject.nullable(),
  })
  .meta({ id: 'RunEvent' });

export type RunEventView = z.output<typeof runEventSchema>;

export const runEventPageSchema = pageOf('RunEventPage', runEventSchema);

/** The wakeups that a run's context is composed of, by id. */
export function contextWakeupIds(run: RunDocument): string[] {
  return run.wakeupId === null ? [] : [...new Set([run.wakeupId, ...run.newestWakeupIds])];
}

/**
 * @param document of a run that is more than reserved
 * @param wakeups holds at least those of `contextWakeupIds` that the read model has
 */
export function runView(document: RunDocument, wakeups: ReadonlyMap<string, WakeupDocument>): RunView {
  const {
    queuedPosition: _queued,
    finishedPosition: _finished,
    newestWakeupIds,
    wakeupId,
    claimId: _claim,
    droppedAs: _droppedAs,
    priority: _priority,
    notBefore: _notBefore,
    coalesceKey: _coalesceKey,
    costSource: _costSource,
    log,
    ...run
  } = document;
  const known = (id: string) => {
    const wakeup = wakeups.get(id);
    return wakeup ? [{ id, request: wakeup }] : [];
  };
  const [first] = wakeupId === null ? [] : known(wakeupId);
  const newest = newestWakeupIds.flatMap(known);
  return {
    ...(run as Visible<typeof run>),
    contextSnapshot: first ? composeContext(first, newest, document.coalescedCount + 1) : {},
    logBytes: log?.logBytes ?? null,
    logSha256: log?.logSha256 ?? null,
    logs: log?.logs ?? null,
  };
}

/** Once a run is queued, it has a company and an agent. */
type Visible<R extends Pick<RunDocument, 'companyId' | 'agentId' | 'status'>> = R & {
  companyId: string;
  agentId: string;
  status: RunView['status'];
};
