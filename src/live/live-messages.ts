import type {
  AgentEvent,
  AgentStatus,
  FinalRunStatus,
  RunFinished,
  RunQueued,
} from '../agents/domain/agent.events';
import type { BudgetNotice } from '../budgets/domain/budget';
import type { AuditEvent } from '../audit/domain/audit.events';
import type { CompanyEvent } from '../companies/domain/company.events';
import type { LedgerEvent } from '../costs/domain/ledger';
import { entryOf } from '../costs/domain/ledger';
import type { MigrationEvent } from '../event-log/migration';
import type { DomainEvent, Recorded, StoredEvent } from '../kernel/event';
import { decode } from '../kernel/event';
import type { RunEvent } from '../runs/domain/run.events';
import type { LogFinalizedData, LogGapData } from '../runs/domain/run-log.events';
import { decodeLogChunk } from '../runs/domain/run-log.events';
import type { LiveEvent } from './live-events';
import { LiveMessage } from './live-message';
import { textOf } from './log-text';

/** Every JSON event on the log. Log bytes, which are none, are told by `logMessages`. */
type ToldEvent =
  | AgentEvent
  | RunEvent
  | CompanyEvent
  | DomainEvent<'LogGap', LogGapData>
  | DomainEvent<'LogFinalized', LogFinalizedData>
  /** Its thing is registered right after it. */
  | DomainEvent<'ExternalKeyReserved'>
  | MigrationEvent
  | AuditEvent;

type Told<Type extends ToldEvent['type']> = Recorded<Extract<ToldEvent, { type: Type }>>;

/** What followers are told of each type of event. A test walks all types that there are: none is forgotten. */
export const tellers: { [Type in ToldEvent['type']]: (recorded: Told<Type>) => LiveEvent[] } = {
  AgentRegistered: ({ event: { data } }) => {
    const { agentId, name, externalKey, adapterType, requiresApproval } = data;
    const status = requiresApproval ? 'pending_approval' : 'idle';
    return [
      { type: 'agent.registered', payload: { agentId, name, externalKey, adapterType } },
      agentStatus(agentId, status, null),
    ];
  },
  AgentUpdated: ({ event: { data } }) => {
    const { agentId, name, changed } = data;
    return [{ type: 'agent.updated', payload: { agentId, name, changed } }];
  },
  // Before its approval an agent has never run.
  AgentApproved: ({ event: { data } }) => [
    { type: 'agent.approved', payload: { agentId: data.agentId } },
    agentStatus(data.agentId, 'idle', null),
  ],
  AgentPaused: ({ event: { data } }) => [
    { type: 'agent.paused', payload: { agentId: data.agentId, reason: data.reason } },
    agentStatus(data.agentId, 'paused', data.lastHeartbeatAt),
  ],
  AgentResumed: ({ event: { data } }) => [
    { type: 'agent.resumed', payload: { agentId: data.agentId } },
    agentStatus(data.agentId, data.agentStatus, data.lastHeartbeatAt),
  ],
  AgentTerminated: ({ event: { data } }) => [
    { type: 'agent.terminated', payload: { agentId: data.agentId } },
    agentStatus(data.agentId, 'terminated', data.lastHeartbeatAt),
  ],
  AgentBudgetChanged: ({ event: { data } }) => [
    { type: 'budget.changed', payload: { agentId: data.agentId, budget: data.budget } },
  ],
  AgentBudgetWarned: ({ event: { data } }) => [
    { type: 'budget.warned', payload: budgetNotice(data, data.agentId) },
  ],
  AgentBudgetExceeded: ({ event: { data } }) => [
    { type: 'budget.exceeded', payload: budgetNotice(data, data.agentId) },
    agentStatus(data.agentId, data.agentStatus, data.lastHeartbeatAt),
  ],
  AgentBudgetRestored: ({ event: { data } }) => [
    { type: 'budget.restored', payload: { agentId: data.agentId, reason: data.reason } },
    agentStatus(data.agentId, data.agentStatus, data.lastHeartbeatAt),
  ],
  TimerScheduled: ({ event: { data } }) => [
    { type: 'timer.scheduled', payload: { agentId: data.agentId, dueAt: data.due?.at ?? null } },
  ],
  SessionReset: ({ event: { data } }) => [
    { type: 'session.reset', payload: { agentId: data.agentId, taskKey: data.taskKey } },
  ],

  WakeupRequested: ({ event: { data } }) => {
    const { wakeupId, agentId, source, triggerDetail, reason, priority, coalesceKey, taskKey } = data;
    const { requestedByActorType, requestedByActorId } = data;
    const asked = { source, triggerDetail, reason, priority, coalesceKey, taskKey };
    const by = { requestedByActorType, requestedByActorId };
    return [{ type: 'wakeup.requested', payload: { wakeupId, agentId, ...asked, ...by } }];
  },
  WakeupCoalesced: ({ event: { data } }) => {
    const { reason, intoWakeupId } = data;
    // A run that is only reserved is nothing that anybody can know of.
    const runId = intoWakeupId === null ? data.runId : null;
    return [wakeupDecided(data, { runId, status: 'coalesced', reason })];
  },
  WakeupDeferred: ({ event: { data } }) => {
    const { reason, dueAt, deadlineAt } = data;
    return [wakeupDecided(data, { status: 'deferred', reason, dueAt, deadlineAt })];
  },
  WakeupSkipped: ({ event: { data } }) => [wakeupDecided(data, { status: 'skipped', reason: data.reason })],
  WakeupCancelled: ({ event: { data } }) => [
    wakeupFinished(data, { status: 'cancelled', reason: data.reason }),
  ],
  WakeupExpired: ({ event: { data } }) => [wakeupFinished(data, { status: 'failed', reason: data.reason })],

  RunQueued: ({ event: { data } }) => runQueued(data),
  RunStarted: ({ event: { data } }) => {
    const { runId, agentId, invocationSource, triggerDetail, startedAt } = data;
    const run = { runId, agentId, status: 'running', invocationSource, triggerDetail } as const;
    return [
      {
        type: 'heartbeat.run.status',
        payload: { ...run, error: null, errorCode: null, startedAt, finishedAt: null },
      },
      agentStatus(agentId, 'running', data.lastHeartbeatAt, 'running'),
    ];
  },
  RunEndRequested: ({ event: { data } }) => {
    const { runId, agentId, cause, requestedAt } = data;
    return [{ type: 'heartbeat.run.ending', payload: { runId, agentId, cause, requestedAt } }];
  },
  RunFinished: ({ event }) => [...runFinished(event.data), ...costBooked(event)],

  RunLifecycleRecorded: runEvent,
  AdapterInvoked: runEvent,
  ProcessRecorded: runEvent,
  RunErrorRecorded: runEvent,
  RunNoteRecorded: runEvent,
  UsageBooked: (recorded) => [...runEvent(recorded), ...costBooked(recorded.event)],

  LogGap: ({ event: { data } }) => {
    const { runId, agentId, stream, from, to } = data;
    return [{ type: 'log.gap', payload: { runId, agentId, stream, from, to, reason: 'quota' } }];
  },
  LogFinalized: ({ event: { data } }) => {
    const { runId, agentId, logs, logBytes, logSha256 } = data;
    return [{ type: 'log.finalized', payload: { runId, agentId, logs, logBytes, logSha256 } }];
  },

  AccessTokenCreated: ({ event: { data } }) => {
    const { tokenId, name, role, agentId, expiresAt } = data;
    return [{ type: 'token.created', payload: { tokenId, name, role, agentId, expiresAt } }];
  },
  AccessTokenRevoked: ({ event: { data } }) => [
    { type: 'token.revoked', payload: { tokenId: data.tokenId } },
  ],

  CompanyRegistered: ({ event: { data } }) => [
    { type: 'company.registered', payload: { name: data.name, externalKey: data.externalKey } },
  ],
  CompanyPaused: () => [{ type: 'company.paused', payload: {} }],
  CompanyResumed: () => [{ type: 'company.resumed', payload: {} }],
  CompanyBudgetChanged: ({ event: { data } }) => [
    { type: 'budget.changed', payload: { agentId: null, budget: data.budget } },
  ],
  CompanyBudgetWarned: ({ event: { data } }) => [
    { type: 'budget.warned', payload: budgetNotice(data, null) },
  ],
  CompanyBudgetExceeded: ({ event: { data } }) => [
    { type: 'budget.exceeded', payload: budgetNotice(data, null) },
  ],
  CompanyBudgetRestored: ({ event: { data } }) => [
    { type: 'budget.restored', payload: { agentId: null, reason: data.reason } },
  ],
  PriceTableChanged: ({ event: { data } }) => [
    { type: 'prices.changed', payload: { prices: data.prices.length } },
  ],
  LogRetentionChanged: ({ event: { data } }) => [
    { type: 'retention.changed', payload: { logRetentionDays: data.days } },
  ],
  ExternalKeyReserved: () => [],
  // These are no company's.
  LogMigrationStarted: () => [],
  LogMigrationPadded: () => [],
  LogMigrated: () => [],
  CheckpointHeadsRecorded: () => [],
  CheckpointSigned: () => [],
};

/** The messages that a recorded JSON event gives: always the same ones, wherever and whenever it is asked. */
export function liveMessages(recorded: Recorded): LiveMessage[] {
  // What a newer Reveille has written, one of its nodes can tell.
  if (recorded.unreadable !== undefined) return [];
  const teller = tellers[recorded.event.type as ToldEvent['type']] as
    ((recorded: Recorded) => LiveEvent[]) | undefined;
  return numbered(teller?.(recorded) ?? [], recorded);
}

/** The same of an event as the log has it, output included. */
export function messagesOf(stored: StoredEvent): LiveMessage[] {
  return stored.type === 'LogChunked' ? numbered([logEvent(stored)], stored) : liveMessages(decode(stored));
}

function logEvent({ data }: StoredEvent): LiveEvent {
  const { header, bytes } = decodeLogChunk(data as Uint8Array);
  const { runId, agentId, stream, offset: from, length } = header;
  const range = { from, to: from + length };
  const text = textOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return { type: 'heartbeat.run.log', payload: { runId, agentId, stream, ...text, ...range } };
}

function numbered(
  events: readonly LiveEvent[],
  { position, metadata: { companyId, at } }: Pick<Recorded, 'position' | 'metadata'>,
): LiveMessage[] {
  const origin = { position, companyId, at };
  return events.map((event, index) => new LiveMessage(event, origin, events.length > 1 ? index + 1 : null));
}

function agentStatus(
  agentId: string,
  status: AgentStatus,
  lastHeartbeatAt: string | null,
  outcome: 'running' | FinalRunStatus | null = null,
): LiveEvent {
  return { type: 'agent.status', payload: { agentId, status, lastHeartbeatAt, outcome } };
}

function budgetNotice({ month, limits, budget, spending }: BudgetNotice, agentId: string | null) {
  return { agentId, month, limits, budget, spending };
}

type Decided = Extract<LiveEvent, { type: 'wakeup.decided' }>['payload'];
type Finished = Extract<LiveEvent, { type: 'wakeup.finished' }>['payload'];

function wakeupDecided(
  { wakeupId, agentId }: { wakeupId: string; agentId: string },
  decision: Pick<Decided, 'status' | 'reason'> & Partial<Decided>,
): LiveEvent {
  const waiting = { runId: null, dueAt: null, deadlineAt: null };
  return { type: 'wakeup.decided', payload: { wakeupId, agentId, ...waiting, ...decision } };
}

function wakeupFinished(
  { wakeupId, agentId }: { wakeupId: string; agentId: string },
  end: Pick<Finished, 'status' | 'reason'> & Partial<Finished>,
): LiveEvent {
  return { type: 'wakeup.finished', payload: { wakeupId, agentId, runId: null, ...end } };
}

function runQueued(data: RunQueued['data']): LiveEvent[] {
  const { runId, agentId, wakeupId, invocationSource, triggerDetail, attempt } = data;
  const queued = { runId, agentId, invocationSource, triggerDetail, wakeupRequestId: wakeupId };
  // The wakeup of a run that is tried again stays claimed.
  const decided = attempt > 1 ? [] : [wakeupDecided(data, { runId, status: 'queued', reason: null })];
  return [{ type: 'heartbeat.run.queued', payload: queued }, ...decided];
}

const wakeupStatusOf = {
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  timed_out: 'timed_out',
} as const satisfies Record<FinalRunStatus, Finished['status']>;

function runFinished(data: RunFinished['data']): LiveEvent[] {
  const { runId, agentId, status, invocationSource, triggerDetail } = data;
  const { error, errorCode, startedAt, finishedAt, agentStatus: agentIs, willRetry } = data;
  const run = { runId, agentId, status, invocationSource, triggerDetail };
  const end = { runId, status: wakeupStatusOf[status], reason: error };
  return [
    { type: 'heartbeat.run.status', payload: { ...run, error, errorCode, startedAt, finishedAt } },
    ...(agentIs === null ? [] : [agentStatus(agentId, agentIs, finishedAt, status)]),
    ...(willRetry ? [] : [wakeupFinished(data, end)]),
  ];
}

function costBooked(event: LedgerEvent): LiveEvent[] {
  const entry = entryOf(event);
  if (entry === null) return [];
  const { companyId: _, ...payload } = entry;
  return [{ type: 'cost.booked', payload }];
}

function runEvent({ event, revision }: Recorded<RunEvent>): LiveEvent[] {
  const { companyId: _, runId, agentId, ...line } = event.data;
  return [{ type: 'heartbeat.run.event', payload: { runId, agentId, seq: revision + 1, ...line } }];
}
