import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  approved,
  budgetChanged,
  budgetExceeded,
  budgetOf,
  budgetRestored,
  budgetWarned,
  cancelledWakeup,
  deferred,
  endRequested,
  expired,
  finished,
  finishedUnstarted,
  joinedDeferred,
  joinedRun,
  paused,
  queued,
  registered,
  requested,
  resumed,
  retried,
  secondsLater,
  sessionReset,
  settlement,
  skipped,
  spent,
  started,
  terminated,
  timerScheduled,
  updated,
} from '../../test/support/agent-history';
import { someMetadata } from '../../test/support/events';
import type { DomainEvent, Recorded, StoredEvent } from '../kernel/event';
import { encodeLogChunk } from '../runs/domain/run-log.events';
import type { LivePayload } from './live-events';
import { liveMessageSchema, livePayloads } from './live-events';
import { liveMessages, messagesOf, tellers } from './live-messages';

const sources = join(__dirname, '..');
const ofRun = { companyId: 'c', agentId: 'a', runId: 'r' };
const line = { ...ofRun, stream: 'system', level: 'info', color: null, message: 'm', payload: null };
const usage = { ...settlement(5), invocationSource: 'on_demand', taskKey: null };
const budget = budgetOf({ monthlyMicros: 10 });
const notice = { month: '2025-11', limits: ['micros'], budget, spending: spent({ micros: 10 }) };
const digest = { bytes: 1, sha256: 's', storedSha256: null };

/** At least one event of each type. */
const examples: DomainEvent[] = [
  ...[registered(), registered({}, { requiresApproval: true }), updated({}), approved, paused, resumed],
  ...[terminated, timerScheduled(null), sessionReset, requested(1), queued(1), started(1)],
  ...[joinedRun(2, 1), joinedDeferred(2, 1), deferred(1), skipped(1, 'circuit.open'), expired(1)],
  ...[cancelledWakeup(1, 'x'), endRequested(1, 'cancel'), retried(2, 1, { notBefore: secondsLater(1) })],
  ...[finished(1, { settlement: settlement(5) }), finished(1, { willRetry: true })],
  finishedUnstarted(1, 'cancel'),
  { type: 'RunLifecycleRecorded', data: { ...line, eventType: 'lifecycle' } },
  { type: 'AdapterInvoked', data: { ...line, eventType: 'adapter.invoke' } },
  { type: 'ProcessRecorded', data: { ...line, eventType: 'process' } },
  { type: 'RunErrorRecorded', data: { ...line, eventType: 'error' } },
  { type: 'RunNoteRecorded', data: { ...line, eventType: 'note' } },
  { type: 'UsageBooked', data: { ...line, eventType: 'usage', payload: usage } },
  { type: 'LogGap', data: { ...ofRun, stream: 'stdout', from: 0, to: 9, otherOffset: 0, logOffset: 0 } },
  {
    type: 'LogFinalized',
    data: {
      ...ofRun,
      logs: { stdout: digest, stderr: digest },
      logBytes: 2,
      recordedBytes: 2,
      logSha256: 's',
    },
  },
  { type: 'CompanyRegistered', data: { companyId: 'c', name: 'n', externalKey: null } },
  { type: 'CompanyPaused', data: { companyId: 'c' } },
  { type: 'CompanyResumed', data: { companyId: 'c' } },
  ...[budgetChanged(null), budgetWarned(budget, spent()), budgetExceeded(budget, spent())],
  budgetRestored('month.began'),
  { type: 'CompanyBudgetChanged', data: { companyId: 'c', budget } },
  { type: 'CompanyBudgetWarned', data: { companyId: 'c', ...notice } },
  { type: 'CompanyBudgetExceeded', data: { companyId: 'c', ...notice } },
  { type: 'CompanyBudgetRestored', data: { companyId: 'c', reason: 'budget.changed' } },
  { type: 'PriceTableChanged', data: { companyId: 'c', prices: [] } },
  { type: 'LogRetentionChanged', data: { companyId: 'c', days: 30 } },
  {
    type: 'AccessTokenCreated',
    data: {
      companyId: 'c',
      tokenId: 't',
      name: 'n',
      role: 'viewer',
      agentId: null,
      hash: 'h',
      expiresAt: 'e',
    },
  },
  { type: 'AccessTokenRevoked', data: { companyId: 'c', tokenId: 't' } },
  { type: 'ExternalKeyReserved', data: { scope: 'c', externalKey: 'k', id: 'i' } },
  { type: 'LogMigrationStarted', data: { oldHead: '9', firstEventId: 'e' } },
  { type: 'LogMigrationPadded', data: { padding: '-' } },
  { type: 'LogMigrated', data: { events: 9, streams: 2, checkpoints: {} } },
  { type: 'CheckpointHeadsRecorded', data: { number: 1, root: 'r', heads: [] } },
  { type: 'CheckpointSigned', data: { statement: '{}', signature: 's' } },
];

function recorded(event: DomainEvent): Recorded {
  const metadata = someMetadata({ companyId: 'c' });
  return { event, id: 'e', stream: 'agent-c.a', revision: 6, position: 12n, metadata };
}

function told(event: DomainEvent) {
  return liveMessages(recorded(event)).map((message) => message.toJSON());
}

/** Every type of event that the program writes, as its sources name them. */
function eventTypes(): string[] {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' });
  const texts = files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.startsWith('live/'))
    .map((file) => readFileSync(join(sources, file), 'utf8'));
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\bDomainEvent<\s*'(\w+)'/g)].map(([, type]) => type!),
  );
  return [...new Set(named)];
}

test('no type of event is forgotten: each has its teller, and an example here', () => {
  const types = eventTypes();
  expect(types.length).toBeGreaterThan(25);
  const output = ['LogGap', 'LogFinalized'];
  expect([...new Set([...types, ...output])].sort()).toEqual(Object.keys(tellers).sort());
  expect([...new Set(examples.map(({ type }) => type))].sort()).toEqual(Object.keys(tellers).sort());
});

test('every event of the table is told by something', () => {
  const types = new Set(examples.flatMap((event) => told(event).map(({ type }) => type)));
  expect([...types, 'heartbeat.run.log'].sort()).toEqual(Object.keys(livePayloads).sort());
});

test.each(examples.map((event) => [event.type, event] as const))(
  '%s is told as the table says',
  (_type, event) => {
    for (const message of told(event)) {
      expect(liveMessageSchema.parse(message)).toEqual(message);
      // Nothing is told that the table doesn't name.
      expect(livePayloads[message.type].strict().parse(message.payload)).toEqual(message.payload);
    }
  },
);

test('the contract’s five events have exactly the fields of its table', () => {
  const fields = (type: keyof typeof livePayloads) => Object.keys(livePayloads[type].shape);
  expect(fields('heartbeat.run.queued').sort()).toEqual(
    ['runId', 'agentId', 'invocationSource', 'triggerDetail', 'wakeupRequestId'].sort(),
  );
  expect(fields('heartbeat.run.status').sort()).toEqual(
    [
      ...['runId', 'agentId', 'status', 'invocationSource', 'triggerDetail'],
      ...['error', 'errorCode', 'startedAt', 'finishedAt'],
    ].sort(),
  );
  expect(fields('heartbeat.run.event').sort()).toEqual(
    ['runId', 'agentId', 'seq', 'eventType', 'stream', 'level', 'color', 'message', 'payload'].sort(),
  );
  expect(fields('heartbeat.run.log').sort()).toEqual(
    ['runId', 'agentId', 'stream', 'chunk', 'truncated', 'from', 'to'].sort(),
  );
  expect(fields('agent.status').sort()).toEqual(['agentId', 'status', 'lastHeartbeatAt', 'outcome'].sort());
});

test('several messages of one event are numbered, a single one has the position', () => {
  expect(told(finished(1, { settlement: settlement(5) })).map(({ cursor, type }) => [cursor, type])).toEqual([
    ['12.1', 'heartbeat.run.status'],
    ['12.2', 'agent.status'],
    ['12.3', 'wakeup.finished'],
    ['12.4', 'cost.booked'],
  ]);
  expect(told(paused).map(({ position }) => position)).toEqual(['12', '12']);
  expect(told(endRequested(1, 'cancel')).map(({ cursor }) => cursor)).toEqual(['12']);
});

test('an agent’s status is what the event says that it is', () => {
  const statusAfter = (event: DomainEvent) =>
    told(event).find(({ type }) => type === 'agent.status')?.payload;
  const at = secondsLater(7);
  const of = { agentId: 'agent-1' };
  expect(statusAfter(started(1, { lastHeartbeatAt: at }))).toEqual({
    ...{ ...of, status: 'running', lastHeartbeatAt: at, outcome: 'running' },
  });
  expect(statusAfter(finished(1, { status: 'failed', finishedAt: at }))).toEqual({
    ...{ ...of, status: 'error', lastHeartbeatAt: at, outcome: 'failed' },
  });
  expect(statusAfter(finished(1, { agentStatus: 'paused', status: 'cancelled', finishedAt: at }))).toEqual({
    ...{ ...of, status: 'paused', lastHeartbeatAt: at, outcome: 'cancelled' },
  });
  expect(statusAfter(finishedUnstarted(1, 'cancel'))).toBeUndefined();
});

test('a run that is only reserved is not named', () => {
  expect(told(joinedDeferred(2, 1))[0]!.payload).toMatchObject({ status: 'coalesced', runId: null });
  expect(told(deferred(1))[0]!.payload).toMatchObject({ status: 'deferred', runId: null });
  expect(told(joinedRun(2, 1))[0]!.payload).toMatchObject({ status: 'coalesced', runId: 'r1' });
});

test('the wakeup of a run that is tried again is not decided again, and not over', () => {
  expect(told(retried(2, 1, { notBefore: secondsLater(1) })).map(({ type }) => type)).toEqual([
    'heartbeat.run.queued',
  ]);
  expect(told(finished(1, { willRetry: true })).map(({ type }) => type)).not.toContain('wakeup.finished');
});

describe('output', () => {
  function logOf(bytes: Buffer, offset = 100) {
    const place = { otherOffset: 0, logOffset: offset, enc: null };
    const header = {
      agentId: 'a',
      runId: 'r',
      stream: 'stdout',
      offset,
      length: bytes.length,
      ...place,
    } as const;
    const data = encodeLogChunk(header, bytes);
    const { metadata } = recorded(paused);
    const stored: StoredEvent = {
      ...{ id: 'e', type: 'LogChunked', data, metadata, stream: 'runlog-c.r', revision: 0, position: 3n },
    };
    const [message, ...others] = messagesOf(stored);
    expect(others).toEqual([]);
    return message!.toJSON().payload;
  }

  test('is told as text, with its place', () => {
    expect(logOf(Buffer.from('häh\n'))).toEqual({
      ...{ runId: 'r', agentId: 'a', stream: 'stdout', chunk: 'häh\n', truncated: false, from: 100, to: 105 },
    });
  });

  test('of more than 8 KiB only the end is told, at whole characters', () => {
    // 3 bytes a character: 8,192 bytes begin and end within one.
    const bytes = Buffer.from('€'.repeat(5_000)).subarray(0, 14_999);
    const { chunk, truncated, from, to } = logOf(bytes) as LivePayload<'heartbeat.run.log'>;
    expect({ truncated, from, to }).toEqual({ truncated: true, from: 100, to: 15_099 });
    expect(chunk).toBe('€'.repeat(2_730));
  });

  test.each([
    ['is no text', Buffer.from([0x68, 0xff, 0xfe, 0x69])],
    ['begins within a character', Buffer.from('äb').subarray(1)],
    ['ends within a character', Buffer.from('bä').subarray(0, 2)],
  ])('that %s is not told exactly, and says so', (_what, bytes) => {
    expect(logOf(bytes)).toMatchObject({ truncated: true, from: 100, to: 100 + bytes.length });
  });
});
