import { z } from 'zod';

/** What followers are told: every event with its payload, once, for the socket, the feed and their documentation. */

const id = z.string();
const time = z.string().describe('ISO 8601, UTC, with milliseconds');
const offset = z.number().int().min(0).describe('Bytes, counted in its stream');
const tokens = z.number().int();

const ofAgent = { agentId: id };
const ofRun = { runId: id, agentId: id };

const source = z.enum(['timer', 'assignment', 'on_demand', 'automation']);
const triggerDetail = z.enum(['manual', 'ping', 'callback', 'system']).nullable();
const finalStatus = z.enum(['succeeded', 'failed', 'cancelled', 'timed_out']);
const agentStatus = z.enum(['pending_approval', 'idle', 'running', 'error', 'paused', 'terminated']);
const outputStream = z.enum(['stdout', 'stderr']);
const streamDigest = z.object({ bytes: z.number(), sha256: z.string(), storedSha256: z.string().nullable() });

const budgetLimit = z.enum(['micros', 'tokens', 'runs']);
const spending = z
  .object({ month: z.string(), micros: z.number().int(), tokens: z.number().int(), runs: z.number().int() })
  .describe('In the UTC month');
const budget = z.object({
  monthlyMicros: z.number().int().nullable(),
  monthlyTokens: z.number().int().nullable(),
  monthlyRuns: z.number().int().nullable(),
  warnAt: z.number(),
});
/** Budgets of agents and of companies are told of alike. */
const whoseBudget = { agentId: id.nullable().describe('null: the budget of the company') };
const budgetNotice = {
  ...whoseBudget,
  month: z.string().describe('UTC, `2026-02`'),
  limits: z.array(budgetLimit).describe('Which of its limits'),
  budget,
  spending,
};

export const livePayloads = {
  'heartbeat.run.queued': z
    .object({ ...ofRun, invocationSource: source, triggerDetail, wakeupRequestId: id })
    .describe('A run is wanted; it starts when a slot is free'),
  'heartbeat.run.status': z
    .object({
      ...ofRun,
      status: z.enum(['running', ...finalStatus.options]),
      invocationSource: source,
      triggerDetail,
      error: z.string().nullable(),
      errorCode: z.string().nullable(),
      startedAt: time.nullable(),
      finishedAt: time.nullable(),
    })
    .describe('A run has started, or is over'),
  'heartbeat.run.event': z
    .object({
      ...ofRun,
      seq: z.number().int().min(1),
      eventType: z.enum(['lifecycle', 'adapter.invoke', 'process', 'usage', 'error', 'note']),
      stream: z.enum(['system', 'stdout', 'stderr']),
      level: z.enum(['debug', 'info', 'warn', 'error']),
      color: z.string().nullable(),
      message: z.string(),
      payload: z.record(z.string(), z.unknown()).nullable(),
    })
    .describe('A line of the run’s events'),
  'heartbeat.run.log': z
    .object({
      ...ofRun,
      stream: outputStream,
      chunk: z.string().describe('The text of the bytes, its last 8 KiB at most, cut at whole characters'),
      truncated: z.boolean().describe('`chunk` is not all, or not exactly, what stands from `from` to `to`'),
      from: offset,
      to: offset.describe('Exclusive'),
    })
    .describe('Output of a run'),
  'heartbeat.run.ending': z
    .object({
      ...ofRun,
      cause: z.enum([
        'cancel',
        'pause',
        'terminate',
        'interrupt',
        'budget',
        'shutdown',
        'timeout',
        'silence',
      ]),
      requestedAt: time,
    })
    .describe('A running run is to end'),
  'log.gap': z
    .object({
      ...ofRun,
      stream: outputStream,
      from: offset,
      to: offset.describe('Exclusive'),
      reason: z
        .enum(['behind', 'quota', 'aged_out'])
        .describe(
          '`behind`: recorded, to be fetched from `/log`; `quota`: not recorded; `aged_out`: not kept any longer',
        ),
    })
    .describe(
      'Output that is not told: the follower was behind, the run past its quota, or it is not kept any longer',
    ),
  'log.finalized': z
    .object({
      ...ofRun,
      logs: z.object({ stdout: streamDigest, stderr: streamDigest }),
      logBytes: z.number().int(),
      logSha256: z.string(),
    })
    .describe('A run’s log is complete'),

  'agent.status': z
    .object({
      ...ofAgent,
      status: agentStatus,
      lastHeartbeatAt: time.nullable(),
      outcome: z
        .enum(['running', ...finalStatus.options])
        .nullable()
        .describe('Of the run that changed the status; null: no run did'),
    })
    .describe('An agent’s status was decided anew'),
  'agent.registered': z
    .object({ ...ofAgent, name: z.string(), externalKey: z.string().nullable(), adapterType: z.string() })
    .describe('An agent is new'),
  'agent.updated': z
    .object({ ...ofAgent, name: z.string(), changed: z.array(z.string()) })
    .describe('An agent’s configuration changed'),
  'agent.approved': z.object(ofAgent).describe('An agent may be woken from now on'),
  'agent.paused': z.object({ ...ofAgent, reason: z.string() }).describe('An agent is paused'),
  'agent.resumed': z.object(ofAgent).describe('An agent is no longer paused'),
  'agent.terminated': z.object(ofAgent).describe('An agent is gone for good'),
  'timer.scheduled': z
    .object({ ...ofAgent, dueAt: time.nullable() })
    .describe('When an agent’s timer is due next'),
  'session.reset': z
    .object({ ...ofAgent, taskKey: z.string().nullable() })
    .describe('A session was forgotten'),

  'wakeup.requested': z
    .object({
      wakeupId: id,
      agentId: id,
      source,
      triggerDetail,
      reason: z.string().nullable(),
      priority: z.number().int(),
      coalesceKey: z.string().nullable(),
      taskKey: z.string().nullable(),
      requestedByActorType: z.enum(['user', 'agent', 'system']).nullable(),
      requestedByActorId: z.string().nullable(),
    })
    .describe('A wakeup was accepted; its payload and context are on its receipt'),
  'wakeup.decided': z
    .object({
      wakeupId: id,
      agentId: id,
      runId: id.nullable().describe('Of the run that stands for the wakeup, once it is there'),
      status: z.enum(['queued', 'coalesced', 'deferred', 'skipped']),
      reason: z.string().nullable(),
      dueAt: time.nullable(),
      deadlineAt: time.nullable(),
    })
    .describe('What becomes of a wakeup; a deferred one is decided again'),
  'wakeup.finished': z
    .object({
      wakeupId: id,
      agentId: id,
      runId: id.nullable().describe('null: no run ever stood for it'),
      status: z.enum(['completed', 'failed', 'cancelled', 'timed_out']),
      reason: z.string().nullable(),
    })
    .describe('A wakeup has come to its end'),

  'cost.booked': z
    .object({
      ...ofRun,
      taskKey: z.string().nullable(),
      invocationSource: source,
      provider: z.string(),
      model: z.string(),
      inputTokens: tokens,
      outputTokens: tokens,
      cachedInputTokens: tokens,
      costMicros: z.number().int().nullable(),
      costSource: z.enum(['reported', 'priced', 'unpriced']),
    })
    .describe('A line of the ledger'),
  'budget.changed': z
    .object({ ...whoseBudget, budget: budget.nullable().describe('null: there is none any more') })
    .describe('A budget was set, or taken away'),
  'budget.warned': z.object(budgetNotice).describe('So much of a budget is used up that a warning is due'),
  'budget.exceeded': z
    .object(budgetNotice)
    .describe('A budget is used up: nothing is started, and what it pays for is ended'),
  'budget.restored': z
    .object({ ...whoseBudget, reason: z.enum(['month.began', 'budget.changed']) })
    .describe('A budget allows something again'),
  'retention.changed': z
    .object({ logRetentionDays: z.number().int().nullable().describe('null: for ever') })
    .describe('How long the output of a company’s runs is kept was changed'),
  'prices.changed': z
    .object({ prices: z.number().int().describe('How many models have one') })
    .describe('A company’s price table was replaced'),

  'token.created': z
    .object({
      tokenId: id,
      name: z.string(),
      role: z.enum(['viewer', 'operator', 'admin', 'agent']),
      agentId: id.nullable().describe('Of a token of an agent'),
      expiresAt: time,
    })
    .describe('A company has a new token'),
  'token.revoked': z.object({ tokenId: id }).describe('A token is none any more'),

  'company.registered': z
    .object({ name: z.string(), externalKey: z.string().nullable() })
    .describe('A company is new'),
  'company.paused': z.object({}).describe('All of a company’s agents are held'),
  'company.resumed': z.object({}).describe('A company’s agents may be woken again'),
} as const;

export type LiveEventType = keyof typeof livePayloads;
export type LivePayload<T extends LiveEventType> = z.infer<(typeof livePayloads)[T]>;

/** What a message says: its type, and the payload of that type. */
export type LiveEvent = { [T in LiveEventType]: { type: T; payload: LivePayload<T> } }[LiveEventType];

/** A message, as it is sent. */
export const liveMessageSchema = z
  .object({
    cursor: z.string().describe('Of this message: `position`, or `position.part`; `after` takes it'),
    position: z.string().describe('Of the event that it tells of'),
    companyId: id,
    type: z.enum(Object.keys(livePayloads) as [LiveEventType, ...LiveEventType[]]),
    at: time,
    payload: z.record(z.string(), z.unknown()).describe('By type, see docs/live.md'),
  })
  .meta({ id: 'LiveMessage' });

/**
 * Why a stream of messages was ended by the server. Said as the last thing, as `live.closed {reason}`, which is no
 * message: it has no cursor.
 */
export const LIVE_CLOSED = 'live.closed';
export const closeReasons = {
  slow_client: 'The client did not take what was sent to it: resume behind the last cursor',
  server_stopping: 'The server is stopping: resume when it is back',
  token_revoked: 'The token was revoked, or the run that it was of is over',
  token_expired: 'The time of the token is over: come in with another one',
  position_gone: 'The log no longer has the position: start again, from `head`',
  internal: 'The server could not go on: resume behind the last cursor',
} as const;
export type CloseReason = keyof typeof closeReasons;
