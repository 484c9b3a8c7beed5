import fc from 'fast-check';
import { eventually } from '../../test/support/eventually';
import { someEvent } from '../../test/support/events';
import { ObservedLog } from '../../test/support/observed-log';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { EmbeddedEventLog } from '../event-log/embedded/embedded-event-log';
import { FollowInterrupted, PositionGone } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { Principal } from '../auth/principal';
import { SERVER_ADMIN as ADMIN } from '../auth/principal';
import type { Position, StoredEvent } from '../kernel/event';
import { NO_STREAM } from '../kernel/event';
import { agentStream, companyStream, runLogStream, runStream } from '../kernel/streams';
import { Feed } from '../processing/feed';
import { encodeLogChunk } from '../runs/domain/run-log.events';
import { formatCursor } from './cursor';
import type { LiveMessage } from './live-message';
import type { LiveSink } from './live-sink';
import { LiveStreams } from './live-streams';

const KIB = 1024;
const MIB = 1024 * KIB;

let embedded: EmbeddedEventLog;
let log: ObservedLog;
let feed: Feed;
let live: LiveStreams;
let faults: unknown[];
let revisions: Map<string, number>;
let offsets: Map<string, number>;

beforeEach(async () => {
  embedded = await EmbeddedEventLog.open(temporaryFolder());
  log = new ObservedLog(embedded);
  feed = new Feed(log, () => undefined);
  await feed.start();
  faults = [];
  revisions = new Map();
  offsets = new Map();
  live = newLive();
});

afterEach(async () => {
  await live.stop();
  await feed.stop();
  await embedded.close();
});

/** Ids say what they belong to: run `c.a.r` is of agent `c.a` of company `c`. */
function newLive(): LiveStreams {
  const parent = (id: string) => id.slice(0, id.lastIndexOf('.'));
  const directory = {
    company: async (companyId: string) => {
      if (companyId === 'unknown') throw new DomainError('company_not_found');
    },
    agent: async (agentId: string) => ({ companyId: parent(agentId), agentId }),
    run: async (runId: string) => ({ companyId: parent(parent(runId)), agentId: parent(runId), runId }),
  };
  const logger = { warn: () => undefined, error: ({ err }: { err?: unknown }) => void faults.push(err) };
  return new LiveStreams({ log, feed, directory, logger });
}

async function append(
  stream: string,
  companyId: string,
  type: string,
  data: object | Uint8Array,
): Promise<Position> {
  const expected = revisions.get(stream) ?? NO_STREAM;
  revisions.set(stream, expected + 1);
  const encoded = data instanceof Uint8Array ? data : JSON.stringify(data);
  const { position } = await log.append(
    stream,
    [someEvent({ type, data: encoded, metadata: { companyId } })],
    expected,
  );
  return position;
}

/** One event, two messages. */
function pause(companyId: string, agentId: string, reason = 'x'): Promise<Position> {
  const data = { companyId, agentId, reason, lastHeartbeatAt: null };
  return append(agentStream(companyId, agentId), companyId, 'AgentPaused', data);
}

function ending(companyId: string, agentId: string, runId: string): Promise<Position> {
  const data = { companyId, agentId, runId, cause: 'cancel', requestedAt: 'now' };
  return append(agentStream(companyId, agentId), companyId, 'RunEndRequested', data);
}

function note(companyId: string, agentId: string, runId: string): Promise<Position> {
  const line = {
    eventType: 'note',
    stream: 'system',
    level: 'info',
    color: null,
    message: 'm',
    payload: null,
  };
  return append(runStream(companyId, runId), companyId, 'RunNoteRecorded', {
    companyId,
    agentId,
    runId,
    ...line,
  });
}

function write(companyId: string, agentId: string, runId: string, length = 5): Promise<Position> {
  const offset = offsets.get(runId) ?? 0;
  offsets.set(runId, offset + length);
  const place = { stream: 'stdout', offset, length, otherOffset: 0, logOffset: offset, enc: null } as const;
  const chunk = encodeLogChunk({ agentId, runId, ...place }, Buffer.alloc(length, 'x'));
  return append(runLogStream(companyId, runId), companyId, 'LogChunked', chunk);
}

interface Client {
  told: LiveMessage[];
  cursors(): string[];
  closed: { reason: string; details?: object } | null;
  sink: LiveSink;
  /** How the next messages are taken; at once where nothing is said. */
  take: (taken: () => void) => void;
}

function connect(): Client {
  const client: Client = {
    told: [],
    cursors: () => client.told.map(({ cursor }) => formatCursor(cursor)),
    closed: null,
    sink: null as never,
    take: (taken) => setImmediate(taken),
  };
  client.sink = live.openSink(
    {
      send(message, taken) {
        client.told.push(message);
        client.take(taken);
      },
      close(reason, details) {
        client.closed = details === undefined ? { reason } : { reason, details };
      },
    },
    ADMIN,
  );
  return client;
}

interface Wanted {
  companyId?: string;
  agentId?: string;
  runId?: string;
  logs?: boolean;
}

async function follow(wanted: Wanted, after?: string, client = connect()): Promise<Client> {
  const scope = await live.scopeOf(ADMIN, wanted);
  live.follow(scope, await live.begin(after), client.sink).start();
  return client;
}

/** All that there is, page by page. */
async function everything(wanted: Wanted, after = '0', limit = 7): Promise<string[]> {
  const scope = await live.scopeOf(ADMIN, wanted);
  const cursors: string[] = [];
  for (let next: string | null = after; next !== null;) {
    const page = await live.page(scope, await live.begin(next), limit);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    cursors.push(...page.items.map(({ cursor }) => formatCursor(cursor)));
    next = page.nextCursor;
  }
  return cursors;
}

async function untilTold(client: Client, cursors: readonly string[]): Promise<void> {
  await eventually(() => expect(client.told.length).toBeGreaterThanOrEqual(cursors.length));
  expect(client.cursors()).toEqual(cursors);
}

test('a follower is told what was there and what comes, of its company only', async () => {
  await pause('c', 'c.a');
  await pause('d', 'd.a');
  const client = await follow({ companyId: 'c' }, '0');
  await untilTold(client, ['1.1', '1.2']);
  await ending('c', 'c.a', 'c.a.r');
  await pause('d', 'd.a');
  await append(companyStream('c'), 'c', 'CompanyPaused', { companyId: 'c' });
  await untilTold(client, ['1.1', '1.2', '3', '5']);
});

test('without `after` a follower begins now', async () => {
  await pause('c', 'c.a');
  const client = await follow({ companyId: 'c' });
  await ending('c', 'c.a', 'c.a.r');
  await untilTold(client, ['2']);
});

test('one may go on in the middle of an event', async () => {
  await pause('c', 'c.a');
  await pause('c', 'c.b');
  await untilTold(await follow({ companyId: 'c' }, '1.1'), ['1.2', '2.1', '2.2']);
  await untilTold(await follow({ companyId: 'c' }, '1'), ['2.1', '2.2']);
  await untilTold(await follow({ companyId: 'c' }, '2.1'), ['2.2']);
  expect(await everything({ companyId: 'c' }, '1.1', 2)).toEqual(['1.2', '2.1', '2.2']);
});

test('an agent’s and a run’s followers are told what concerns these', async () => {
  await pause('c', 'c.a');
  await ending('c', 'c.a', 'c.a.r');
  await ending('c', 'c.a', 'c.a.q');
  await ending('c', 'c.b', 'c.b.r');
  await note('c', 'c.a', 'c.a.r');
  await write('c', 'c.a', 'c.a.r');
  const agent = await follow({ agentId: 'c.a' }, '0');
  const withLogs = await follow({ agentId: 'c.a', logs: true }, '0');
  const run = await follow({ runId: 'c.a.r' }, '0');
  const quiet = await follow({ runId: 'c.a.r', logs: false }, '0');
  await note('c', 'c.a', 'c.a.r');
  await write('c', 'c.a', 'c.a.r');
  await ending('c', 'c.b', 'c.b.r');
  await ending('c', 'c.a', 'c.a.r');
  await untilTold(agent, ['1.1', '1.2', '2', '3', '5', '7', '10']);
  await untilTold(withLogs, ['1.1', '1.2', '2', '3', '5', '6', '7', '8', '10']);
  await untilTold(run, ['2', '5', '6', '7', '8', '10']);
  await untilTold(quiet, ['2', '5', '7', '10']);
});

test('of a run only its own streams are read', async () => {
  for (let n = 0; n < 20; n += 1) await pause('c', 'c.other');
  await ending('c', 'c.a', 'c.a.r');
  await note('c', 'c.a', 'c.a.r');
  const before = log.follows.length;
  expect(await everything({ runId: 'c.a.r' }, '0')).toEqual(['21', '22']);
  expect(await everything({ runId: 'c.a.r' }, '21')).toEqual(['22']);
  // `begin` looks whether the position is still there.
  expect(log.follows.length - before).toBe(2);
  expect(new Set(log.reads)).toEqual(new Set(['agent-c.c.a', 'run-c.c.a.r', 'runlog-c.c.a.r']));
});

test('the log is read once for all who follow, and the bytes only while somebody wants them', async () => {
  const plain = [await follow({ companyId: 'c' }), await follow({ agentId: 'c.a' })];
  await pause('c', 'c.a');
  for (const client of plain) await untilTold(client, ['1.1', '1.2']);
  expect(log.follows).toHaveLength(1);
  const withLogs = [await follow({ runId: 'c.a.r' }), await follow({ companyId: 'c', logs: true })];
  await write('c', 'c.a', 'c.a.r');
  for (const client of withLogs) await untilTold(client, ['2']);
  expect(log.follows).toHaveLength(2);
  expect(withLogs[0]!.told[0]).toBe(withLogs[1]!.told[0]);
});

test('what does not exist, or does not belong together, is refused', async () => {
  const refused = (wanted: Wanted) => expect(live.scopeOf(ADMIN, wanted)).rejects;
  await refused({ companyId: 'unknown' }).toMatchObject({ code: 'company_not_found' });
  await refused({ companyId: 'c', agentId: 'd.a' }).toMatchObject({ code: 'agent_not_found' });
  await refused({ companyId: 'c', agentId: 'c.b', runId: 'c.a.r' }).toMatchObject({ code: 'run_not_found' });
  const nobody: Principal = { ...ADMIN, companyId: 'd', role: 'admin' };
  await expect(live.scopeOf(nobody, { companyId: 'c' })).rejects.toMatchObject({ code: 'company_not_found' });
});

test('a position that the log does not have yet, or no longer, is refused', async () => {
  const last = await pause('c', 'c.a');
  await expect(live.begin(`${last + 1n}`)).rejects.toMatchObject({
    code: 'position_past_head',
    details: { field: 'after', head: `${last}` },
  });
  await expect(live.begin(`${last}.1`)).resolves.toEqual({ position: last, part: 1 });
  await pause('c', 'c.a');
  log.onFollow = async function* () {
    throw new PositionGone(2n);
    yield* [];
  };
  await expect(live.begin('1')).rejects.toMatchObject({ code: 'position_gone', details: { head: '2' } });
});

test('a position that is gone while somebody follows ends that with the head', async () => {
  await pause('c', 'c.a');
  await pause('c', 'c.a');
  const client = connect();
  const scope = await live.scopeOf(ADMIN, { companyId: 'c' });
  const from = await live.begin('1');
  log.onFollow = async function* () {
    throw new PositionGone(2n);
    yield* [];
  };
  live.follow(scope, from, client.sink).start();
  await eventually(() => expect(client.closed).toEqual({ reason: 'position_gone', details: { head: '2' } }));
});

test('a log that breaks off is read on', async () => {
  for (let n = 0; n < 600; n += 1) await pause('c', 'c.a');
  const expected = await everything({ companyId: 'c' }, '0', 1_000);
  let cuts = 2;
  log.onFollow = async function* (followLog) {
    for await (const batch of followLog()) {
      yield batch;
      if (cuts-- > 0) throw new FollowInterrupted('cut', true);
    }
  };
  const client = await follow({ companyId: 'c', logs: true }, '0');
  await untilTold(client, expected);
  expect(cuts).toBeLessThan(2);
  log.onFollow = async function* () {
    throw new FollowInterrupted('cut', true);
    yield* [];
  };
  await expect(live.begin('1')).rejects.toMatchObject({ code: 'log_unavailable' });
});

describe('a client that takes nothing', () => {
  const never = () => undefined;

  test('is cut off when too much waits for it, and does not hold up the others', async () => {
    const slow = await follow({ companyId: 'c' });
    const quick = await follow({ companyId: 'c' });
    slow.take = never;
    const text = 'x'.repeat(200 * KIB);
    for (let n = 0; n < 30; n += 1) await pause('c', 'c.a', text);
    await eventually(() => expect(slow.closed).toEqual({ reason: 'slow_client' }));
    await untilTold(quick, await everything({ companyId: 'c' }));
    expect(quick.closed).toBeNull();
    await untilTold(
      await follow({ companyId: 'c' }, slow.cursors().at(-1)),
      quick.cursors().slice(slow.told.length),
    );
  });

  test('is told of gaps where it would have been told of output', async () => {
    const client = await follow({ runId: 'c.a.r' });
    const held: (() => void)[] = [];
    client.take = (taken) => void held.push(taken);
    for (let n = 0; n < 400; n += 1) await write('c', 'c.a', 'c.a.r', 64 * KIB);
    await note('c', 'c.a', 'c.a.r');
    expect(client.closed).toBeNull();
    client.take = (taken) => setImmediate(taken);
    for (const taken of held) taken();
    await eventually(() => expect(client.cursors().at(-1)).toBe('401'));
    expectWhole(client, 400 * 64 * KIB);
    expect(client.told.filter(({ type }) => type === 'log.gap')).not.toHaveLength(0);
  });

  test('is cut off after a while, however little waits', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
    try {
      const client = connect();
      client.take = never;
      await follow({ companyId: 'c' }, undefined, client);
      await pause('c', 'c.a');
      for (let turn = 0; client.told.length === 0 && turn < 1_000; turn += 1) await new Promise(setImmediate);
      jest.advanceTimersByTime(9_999);
      expect(client.closed).toBeNull();
      jest.advanceTimersByTime(1);
      expect(client.closed).toEqual({ reason: 'slow_client' });
    } finally {
      jest.useRealTimers();
    }
  });
});

test('who comes late is told of a gap in place of what lies more than 4 MiB back', async () => {
  for (let n = 0; n < 160; n += 1) {
    await write('c', 'c.a', 'c.a.r', 64 * KIB);
    if (n === 30) await note('c', 'c.a', 'c.a.r');
  }
  for (const wanted of [{ runId: 'c.a.r' }, { companyId: 'c', logs: true }]) {
    const client = await follow(wanted, '0');
    await eventually(() => expect(client.cursors().at(-1)).toBe('161'));
    expectWhole(client, 10 * MIB);
    const output = client.told.filter(({ type }) => type === 'heartbeat.run.log');
    expect(output).toHaveLength(64);
    // A gap never stands behind something that came after what it leaves out.
    const [first, second] = client.told;
    expect([first, second].map((each) => each!.type)).toEqual(['log.gap', 'heartbeat.run.event']);
    // Behind the first gap nothing is repeated and nothing is passed over.
    const resumed = await follow(wanted, formatCursor(second!.cursor));
    await eventually(() => expect(resumed.cursors().at(-1)).toBe('161'));
    expectWhole(resumed, 10 * MIB, 31 * 64 * KIB);
  }
});

/** Output and gaps, put together, leave nothing out and repeat nothing. */
function expectWhole({ told }: Client, bytes: number, from = 0): void {
  let reached = from;
  for (const { event } of told) {
    if (event.type !== 'heartbeat.run.log' && event.type !== 'log.gap') continue;
    expect(event.payload.from).toBe(reached);
    reached = event.payload.to;
  }
  expect(reached).toBe(bytes);
}

test('who falls behind while he reads reads on, and misses nothing', async () => {
  const text = 'x'.repeat(100 * KIB);
  for (let n = 0; n < 20; n += 1) await pause('c', 'c.a', text);
  const client = connect();
  const held: (() => void)[] = [];
  client.take = (taken) => void held.push(taken);
  await follow({ companyId: 'c' }, '0', client);
  await eventually(() => expect(held.length).toBeGreaterThan(0));
  for (let n = 0; n < 100; n += 1) await pause('c', 'c.a', text);
  expect(client.closed).toBeNull();
  client.take = (taken) => setImmediate(taken);
  for (const taken of held) taken();
  await untilTold(client, await everything({ companyId: 'c' }));
});

test('what has come while the log was read, and was read as well, is told once', async () => {
  await pause('c', 'c.a');
  const other = await follow({ companyId: 'c' }, '0');
  await untilTold(other, ['1.1', '1.2']);
  const client = connect();
  const scope = await live.scopeOf(ADMIN, { companyId: 'c' });
  const from = await live.begin('0');
  log.onFollow = async function* (followLog) {
    await pause('c', 'c.a');
    await untilTold(other, ['1.1', '1.2', '2.1', '2.2']);
    const events: StoredEvent[] = [];
    for await (const batch of followLog()) {
      events.push(...batch.events);
      if (batch.reached >= 2n) yield { events: events.splice(0), reached: batch.reached };
    }
  };
  live.follow(scope, from, client.sink).start();
  await eventually(() => expect(client.told.length).toBeGreaterThanOrEqual(4));
  await pause('c', 'c.a');
  await untilTold(client, ['1.1', '1.2', '2.1', '2.2', '3.1', '3.2']);
});

test('when the server stops its followers are told so', async () => {
  const clients = [await follow({ companyId: 'c' }), await follow({ runId: 'c.a.r' })];
  await live.stop();
  expect(clients.map(({ closed }) => closed)).toEqual([
    { reason: 'server_stopping' },
    { reason: 'server_stopping' },
  ]);
});

test('several followers of one client tell it each message once', async () => {
  await pause('c', 'c.a');
  await ending('c', 'c.a', 'c.a.r');
  const client = connect();
  const followers: ReturnType<LiveStreams['follow']>[] = [];
  const add = async (wanted: Wanted, after: string) => {
    const follower = live.follow(
      await live.scopeOf(ADMIN, wanted),
      await live.begin(after),
      client.sink,
      () => followers,
    );
    followers.push(follower);
    follower.start();
  };
  await add({ companyId: 'c' }, '1');
  await untilTold(client, ['2']);
  await add({ agentId: 'c.a' }, '0');
  await untilTold(client, ['2', '1.1', '1.2']);
  await add({ runId: 'c.a.r' }, '0');
  await note('c', 'c.a', 'c.a.r');
  await write('c', 'c.a', 'c.a.r');
  await pause('c', 'c.b');
  await eventually(() => expect(client.told).toHaveLength(7));
  expect([...client.cursors()].sort()).toEqual(['1.1', '1.2', '2', '3', '4', '5.1', '5.2']);
});

test('whoever is cut off whenever, and goes on behind his last cursor, is told everything once', async () => {
  const someWrite = fc.constantFrom(
    () => pause('c', 'c.a'),
    () => pause('c', 'c.b'),
    () => pause('d', 'd.a'),
    () => ending('c', 'c.a', 'c.a.r'),
    () => note('c', 'c.a', 'c.a.r'),
    () => note('c', 'c.b', 'c.b.r'),
    () => write('c', 'c.a', 'c.a.r'),
    () => write('c', 'c.b', 'c.b.r'),
  );
  const scopes: Wanted[] = [
    ...[{ companyId: 'c' }, { companyId: 'c', logs: true }, { agentId: 'c.a' }],
    ...[{ agentId: 'c.b', logs: true }, { runId: 'c.a.r' }, { runId: 'c.b.r', logs: false }],
  ];
  const step = fc.record({
    write: someWrite,
    cut: fc.integer({ min: 0, max: 9 }),
    turns: fc.integer({ min: 0, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const begun = formatCursor(await live.begin(undefined));
      const told = scopes.map(() => [] as string[]);
      const clients = await Promise.all(scopes.map((scope) => follow(scope, begun)));
      const cut = async (index: number) => {
        const client = clients[index]!;
        client.sink.end();
        told[index]!.push(...client.cursors());
        clients[index] = await follow(scopes[index]!, told[index]!.at(-1) ?? begun);
      };
      for (const { write: writeOne, cut: index, turns } of steps) {
        await writeOne();
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        if (index < scopes.length) await cut(index);
      }
      for (const [index, scope] of scopes.entries()) {
        const expected = await everything(scope, begun);
        await eventually(() => {
          expect(told[index]!.length + clients[index]!.told.length).toBeGreaterThanOrEqual(expected.length);
        });
        expect([...told[index]!, ...clients[index]!.cursors()]).toEqual(expected);
        clients[index]!.sink.end();
      }
    }),
    { seed: 11, numRuns: 12 },
  );
  expect(faults).toEqual([]);
}, 60_000);
