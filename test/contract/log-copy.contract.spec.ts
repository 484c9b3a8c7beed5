import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { readMaxAges } from '../../src/event-log/embedded/max-ages';
import type { EventLog } from '../../src/event-log/event-log';
import { LogUnavailable, PositionGone } from '../../src/event-log/event-log';
import { EventstoredbEventLog } from '../../src/event-log/eventstoredb/eventstoredb-event-log';
import type { CopyOptions, CopyProgress } from '../../src/event-log/log-copy';
import { LogCopy } from '../../src/event-log/log-copy';
import { sinceMigration } from '../../src/event-log/migrated-event-log';
import { MigrationUnfinished, readMigration } from '../../src/event-log/migration';
import type { Position, StoredEvent } from '../../src/kernel/event';
import { canonicalJson, sha256Hex } from '../../src/kernel/canonical-json';
import { chainHash, CHAIN_START } from '../../src/kernel/chain';
import { NO_STREAM } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';
import { MIGRATION_STREAM } from '../../src/kernel/streams';
import { someEvents } from '../support/events';
import type { EventstoredbDouble } from '../support/eventstoredb/double';
import { startEventstoredbDouble } from '../support/eventstoredb/double';
import { fillMixedLog } from '../support/mixed-log';
import { ObservedLog } from '../support/observed-log';
import { temporaryFolder } from '../support/temporary-folder';
import { newAgentStream, newRunLogStream, readAll } from './event-log.fixture';

const REAL_NODE = process.env['EVENTSTOREDB_URL'];

let double: EventstoredbDouble | undefined;
let folder: string;
let source: EmbeddedEventLog;
let target: EventstoredbEventLog;

beforeEach(async () => {
  if (!REAL_NODE) double = await startEventstoredbDouble();
  folder = temporaryFolder();
  source = await EmbeddedEventLog.open(folder);
  target = await EventstoredbEventLog.open(REAL_NODE ?? double!.url, uuidv7());
});

afterEach(async () => {
  await source.close();
  await target.close();
  await double?.stop();
});

function copy(options: Partial<CopyOptions> = {}) {
  const nothing = () => undefined;
  const { signal: stop } = new AbortController();
  const now = () => new Date();
  const [checkpoints, maxAges] = [new Map<string, Position>(), new Map<string, number>()];
  return LogCopy.run({
    source,
    target,
    nodeId: 'n',
    now,
    checkpoints,
    maxAges,
    onProgress: nothing,
    stop,
    ...options,
  });
}

/** Everything on a log, in its order, without what the migration says of itself. */
async function everything(log: EventLog): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  const head = await log.head();
  const { signal } = new AbortController();
  for await (const batch of log.follow({ after: 0n, signal })) {
    events.push(...batch.events.filter(({ stream }) => stream !== MIGRATION_STREAM));
    if (batch.reached >= head) break;
  }
  return events;
}

/** All but the positions, one text an event. */
function places(events: readonly StoredEvent[]): string[] {
  return events.map(({ position: _position, data, ...event }) =>
    sha256Hex(canonicalJson({ event, kind: typeof data, bytes: Buffer.from(data).toString('base64') })),
  );
}

test('5,000 events, broken off again and again, are copied once each, in their order, byte for byte', async () => {
  await fillMixedLog(source, 5_000);
  const originals = await everything(source);
  let rounds = 0;
  let migrated: Awaited<ReturnType<typeof copy>> = null;
  for (; migrated === null; rounds++) {
    const stopping = new AbortController();
    const limit = 700 + 400 * rounds;
    // The first answers of each round are lost, after the events have been written.
    const unreliable = new ObservedLog(target);
    let lost = 0;
    unreliable.onAppend = async (append) => {
      const appended = await append();
      if (lost++ % 40 === 3) throw new LogUnavailable('the answer was lost');
      return appended;
    };
    const onProgress = ({ doing, events }: CopyProgress) => {
      if (doing === 'copying' && events >= limit) stopping.abort(new Error('broken off'));
    };
    migrated = await copy({ target: unreliable, stop: stopping.signal, onProgress }).catch((error: Error) => {
      expect(error.message).toBe('broken off');
      return null;
    });
  }
  expect(rounds).toBeGreaterThan(3);
  expect(migrated).toMatchObject({ events: originals.length, streams: 60 });
  const copies = await everything(target);
  const [found, wanted] = [places(copies), places(originals)];
  expect(found.length).toBe(wanted.length);
  expect(found.findIndex((place, index) => place !== wanted[index])).toBe(-1);
  const chains = new Map<string, string>();
  for (const { stream, type, id, data, metadata } of copies) {
    const hash = chainHash(chains.get(stream) ?? CHAIN_START, { type, id, at: metadata.at, data });
    expect(metadata.hash).toBe(hash);
    chains.set(stream, hash);
  }
}, 120_000);

test('all positions of the copy are above those of the original, which are gone', async () => {
  await fillMixedLog(source, 2_500);
  const oldHead = await source.head();
  await expect(copy()).resolves.not.toBeNull();
  const log = await sinceMigration(target);
  const { signal } = new AbortController();
  const copies = await everything(log);
  expect(copies[0]!.position > oldHead).toBe(true);
  for (const after of [1n, oldHead]) {
    const error: unknown = await log
      .follow({ after, signal })
      [Symbol.asyncIterator]()
      .next()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PositionGone);
    expect(error).toMatchObject({ head: await target.head(), resumable: false });
  }
  for await (const { events } of log.follow({ after: copies[9]!.position, signal })) {
    expect(events[0]!.id).toBe(copies[10]!.id);
    break;
  }
});

test('consumers go on behind the event that they had handled last', async () => {
  await fillMixedLog(source, 300);
  const [originals, oldHead] = [await everything(source), await source.head()];
  const checkpoints = new Map([
    ['saga:half', originals[100]!.position],
    ['saga:done', oldHead],
    ['saga:new', 0n],
  ]);
  await copy({ checkpoints });
  const [migration, copies] = [await readMigration(target), await everything(target)];
  expect(migration!.placeOf('saga:half', originals[100]!.position)).toBe(copies[100]!.position);
  expect(migration!.placeOf('saga:done', null)).toBe(copies.at(-1)!.position);
  expect(migration!.placeOf('saga:new', null)).toBe(0n);
  expect(migration!.placeOf('saga:half', copies[200]!.position)).toBe(copies[200]!.position);
});

test('streams age out in the copy as they would have', async () => {
  const [ageing, staying] = [newRunLogStream(), newRunLogStream()];
  for (const stream of [ageing, staying]) await source.append(stream, someEvents(2), NO_STREAM);
  await source.setMaxAge(ageing, 1);
  await source.close();
  const maxAges = readMaxAges(folder);
  expect([...maxAges]).toEqual([[ageing, 1]]);
  source = await EmbeddedEventLog.open(folder);
  await copy({ maxAges });
  await sleep(1_500);
  expect(await readAll(target, ageing)).toEqual([]);
  expect(await readAll(target, staying)).toHaveLength(2);
});

describe('refuses', () => {
  test('a log without events', async () => {
    await expect(copy()).rejects.toThrow('nothing to migrate');
  });

  test('a target that holds other events', async () => {
    await source.append(newAgentStream(), someEvents(1), NO_STREAM);
    await target.append(newAgentStream(), someEvents(1), NO_STREAM);
    await expect(copy()).rejects.toThrow('the target holds other events');
  });

  test('a target that another log has moved to', async () => {
    await source.append(newAgentStream(), someEvents(1), NO_STREAM);
    await copy();
    await source.close();
    source = await EmbeddedEventLog.open(temporaryFolder());
    await source.append(newAgentStream(), someEvents(1), NO_STREAM);
    await expect(copy()).rejects.toThrow('the events of another log');
  });

  test('a log that has grown since it was begun, and to be served from until it is done', async () => {
    const stream = newAgentStream();
    await source.append(stream, someEvents(1), NO_STREAM);
    const broken = new ObservedLog(target);
    broken.onAppend = (append, call) =>
      call.stream === stream ? Promise.reject(new Error('killed')) : append();
    await expect(copy({ target: broken })).rejects.toThrow('killed');
    await expect(sinceMigration(target)).rejects.toThrow(MigrationUnfinished);
    await source.append(stream, someEvents(1), 0);
    await expect(copy()).rejects.toThrow('has grown');
  });

  test('a copy that somebody else has written to', async () => {
    const stream = newAgentStream();
    await source.append(stream, someEvents(3), NO_STREAM);
    const intruder = new ObservedLog(target);
    intruder.onAppend = async (append, call) => {
      const appended = await append();
      if (call.stream === stream) await target.append(newAgentStream(), someEvents(1), NO_STREAM);
      return appended;
    };
    await expect(copy({ target: intruder })).rejects.toThrow('the logs differ: where one has nothing');
    await expect(readMigration(target)).rejects.toThrow(MigrationUnfinished);
  });

  test('nothing where all has been done before', async () => {
    await source.append(newAgentStream(), someEvents(3), NO_STREAM);
    expect(await copy()).toMatchObject({ events: 3, streams: 1 });
    await target.append(newAgentStream(), someEvents(1), NO_STREAM);
    expect(await copy()).toBeNull();
  });
});
