import { eventually } from '../../test/support/eventually';
import { Gate } from '../../test/support/gate';
import type { Numbered } from '../../test/support/numbered-log';
import { NumberedLog } from '../../test/support/numbered-log';
import { temporaryFolder } from '../../test/support/temporary-folder';
import type { DocumentStore, WriteBatch } from '../documents/document-store';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import type { DomainEvent } from '../kernel/event';
import { Feed } from './feed';
import { ProjectedCollection } from './projected-collection';
import type { Projection } from './projection';
import { collectionName } from './projection';
import { ProjectionRunner } from './projection-runner';

interface Tally {
  count: number;
  sum: number;
}

type Told = DomainEvent<'NumberTold' | 'NumberForgotten', Numbered>;

/** Counts the numbers of each thing; `nobody` concerns no document, and 13 of `unlucky` cannot be. */
function tallies(name = 'tallies'): Projection<Tally, Told> {
  return {
    name,
    version: 2,
    fields: { count: 'integer' },
    indexes: [['count']],
    handles: ['NumberTold', 'NumberForgotten'],
    id: ({ event }) => (event.data.of === 'nobody' ? null : event.data.of),
    evolve(document, { event }) {
      const { n, of } = event.data;
      if (event.type === 'NumberForgotten') return null;
      if (of === 'unlucky' && name === 'tallies') throw new RangeError(`not ${n}`);
      return { count: (document?.count ?? 0) + 1, sum: (document?.sum ?? 0) + n };
    },
  };
}

let numbered: NumberedLog;
let documents: EmbeddedDocumentStore;
let feed: Feed;
let stopping: AbortController;
let runs: Promise<void>[];
let faults: unknown[];

beforeEach(async () => {
  numbered = await NumberedLog.open();
  documents = await EmbeddedDocumentStore.open(temporaryFolder());
  feed = new Feed(numbered.log, () => undefined);
  [stopping, runs, faults] = [new AbortController(), [], []];
});

afterEach(async () => {
  await stop();
  await feed.stop();
  await documents.close();
  await numbered.close();
});

async function start(projection = tallies(), store: DocumentStore = documents): Promise<ProjectionRunner> {
  const runner = await ProjectionRunner.open(projection, store);
  runs.push(runner.run(feed, stopping.signal, (error) => faults.push(error)));
  return runner;
}

async function stop(): Promise<void> {
  stopping.abort();
  await Promise.all(runs);
  [stopping, runs] = [new AbortController(), []];
}

function tallyOf(of: string, projection = tallies()): Promise<Tally | null> {
  return documents.get<Tally>(collectionName(projection), of);
}

/** Writes are noted, wait at the gate, and fail where `fault` says so. */
function watched(fault: (batch: WriteBatch) => boolean = () => false, gate?: Gate) {
  const batches: WriteBatch[] = [];
  const writeBatch = async (batch: WriteBatch) => {
    if (fault(batch)) throw new Error('the disk is full');
    batches.push(batch);
    await gate?.pass();
    await documents.writeBatch(batch);
  };
  const store = new Proxy<DocumentStore>(documents, {
    get: (target, key) => {
      if (key === 'writeBatch') return writeBatch;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { store, batches };
}

test('events become documents, those from before and those that come', async () => {
  await numbered.write(3, { of: 'a' });
  await numbered.write(1, { of: 'b' });
  await feed.start();
  const { progress } = await start();
  const last = await numbered.write(1, { of: 'a' });
  await progress.waitFor(last, 5_000);
  expect(await tallyOf('a')).toEqual({ count: 4, sum: 0 + 1 + 2 + 4 });
  expect(await tallyOf('b')).toEqual({ count: 1, sum: 3 });
  expect(await documents.checkpoint('tallies_v2')).toBe(last);
});

test('documents can be removed and made anew', async () => {
  await feed.start();
  const { progress } = await start();
  await numbered.write(2, { of: 'a' });
  await progress.waitFor(await numbered.write(1, { of: 'a', type: 'NumberForgotten' }), 5_000);
  expect(await tallyOf('a')).toBeNull();
  await numbered.write(1, { of: 'a', type: 'NumberForgotten' });
  await progress.waitFor(await numbered.write(1, { of: 'a' }), 5_000);
  expect(await tallyOf('a')).toEqual({ count: 1, sum: 4 });
});

test('what is not handled, or concerns no document, still moves the projection on', async () => {
  await feed.start();
  const { store, batches } = watched();
  const { progress } = await start(tallies(), store);
  await progress.waitFor(await numbered.write(1, { type: 'OtherTold', of: 'a' }), 5_000);
  await progress.waitFor(await numbered.writeLogBytes(), 5_000);
  expect(batches).toEqual([]);
  const last = await numbered.write(1, { of: 'nobody' });
  await progress.waitFor(last, 5_000);
  expect(batches).toMatchObject([{ writes: [], checkpoint: { position: last } }]);
});

test('after a restart it goes on where it was, and counts nothing twice', async () => {
  await feed.start();
  const first = await start();
  await first.progress.waitFor(await numbered.write(5, { of: 'a' }), 5_000);
  await stop();
  await numbered.write(2, { of: 'a' });
  const second = await start();
  expect(second.progress.reached).toBe(numbered.positions[4]);
  await second.progress.waitFor(await numbered.write(1, { of: 'a' }), 5_000);
  expect(await tallyOf('a')).toEqual({ count: 8, sum: 28 });
});

test('a new version starts from the beginning, beside the old one', async () => {
  await feed.start();
  const old = await start();
  const last = await numbered.write(3, { of: 'a' });
  await old.progress.waitFor(last, 5_000);
  const next = { ...tallies(), version: 3 };
  const { progress } = await start(next);
  await progress.waitFor(last, 5_000);
  expect(await tallyOf('a', next)).toEqual({ count: 3, sum: 3 });
  expect(await documents.checkpoint('tallies_v2')).toBe(await documents.checkpoint('tallies_v3'));
});

test('a document that nothing changes is not written: one that is missing stays so', async () => {
  const last = await numbered.write(2, { of: 'a', type: 'NumberForgotten' });
  await feed.start();
  const { store, batches } = watched();
  const { progress } = await start(tallies(), store);
  await progress.waitFor(last, 5_000);
  expect(batches.flatMap(({ writes }) => writes)).toEqual([]);
});

test('what comes and goes in one batch is gone, also where another node has stored it in between', async () => {
  await numbered.write(1, { of: 'a' });
  const last = await numbered.write(1, { of: 'a', type: 'NumberForgotten' });
  await feed.start();
  const collection = collectionName(tallies());
  const position = numbered.positions[0]!;
  const theirs: WriteBatch = {
    collection,
    writes: [{ id: 'a', document: { count: 1, sum: 0 }, position }],
    checkpoint: { name: collection, position },
  };
  let stored: Promise<void> | undefined;
  const { store } = watched(() => {
    stored = documents.writeBatch(theirs);
    return false;
  });
  const { progress } = await start(tallies(), store);
  await progress.waitFor(last, 5_000);
  await stored;
  expect(await tallyOf('a')).toBeNull();
});

test('many events are folded in memory: a document is written once for each 1,000 of them', async () => {
  await feed.start();
  const gate = new Gate();
  const { store, batches } = watched(() => false, gate);
  const { progress } = await start(tallies(), store);
  const follower = await start(tallies('others'));
  await numbered.write(1, { of: 'a' });
  await gate.reached;
  for (let round = 0; round < 5; round += 1) await numbered.write(500, { of: round % 2 ? 'a' : 'b' });
  await follower.progress.waitFor(numbered.positions.at(-1)!, 10_000);
  gate.open();
  await progress.waitFor(numbered.positions.at(-1)!, 10_000);
  expect(await tallyOf('a')).toMatchObject({ count: 1_001 });
  expect(await tallyOf('b')).toMatchObject({ count: 1_500 });
  const written = batches.map(({ writes, checkpoint }) => [writes.length, checkpoint.position]);
  expect(written).toEqual([
    [1, numbered.positions[0]],
    [2, numbered.positions[1_000]],
    [2, numbered.positions[2_000]],
    [1, numbered.positions[2_500]],
  ]);
});

describe('an event that cannot be', () => {
  test('stops its projection alone, which says where', async () => {
    await feed.start();
    const sick = await start();
    const healthy = await start(tallies('others'));
    await sick.progress.waitFor(await numbered.write(2, { of: 'a' }), 5_000);
    const waiting = sick.progress.waitFor(1_000n, 60_000);
    const position = await numbered.write(1, { of: 'unlucky' });
    await expect(waiting).rejects.toMatchObject({
      code: 'not_caught_up',
      details: { projection: 'tallies' },
    });
    const last = await numbered.write(1, { of: 'a' });
    await healthy.progress.waitFor(last, 5_000);

    expect(faults).toHaveLength(1);
    const fault = faults[0] as Error;
    const where = `NumberTold at position ${position} (agent-c.unlucky, revision 0)`;
    expect(fault.message).toBe(`projection tallies stopped at ${where}`);
    expect(fault.cause).toEqual(new RangeError('not 2'));
    expect(sick.progress.stoppedBy).toBe(fault);
    expect(healthy.progress.stoppedBy).toBeNull();
    expect(await tallyOf('a', tallies('others'))).toMatchObject({ count: 3 });
    expect(await tallyOf('a')).toMatchObject({ count: 2 });
  });

  test('leaves what came before it in its batch, and nothing of what comes after it', async () => {
    await numbered.write(3, { of: 'a' });
    const unlucky = await numbered.write(1, { of: 'unlucky' });
    await numbered.write(3, { of: 'a' });
    await feed.start();
    const { progress } = await start();
    await eventually(() => expect(faults).toHaveLength(1));
    expect(progress.reached).toBe(unlucky - 1n);
    expect(await tallyOf('a')).toEqual({ count: 3, sum: 3 });
    expect(await documents.checkpoint('tallies_v2')).toBe(numbered.positions[2]);
    const at = { type: 'NumberTold', position: `${unlucky}`, stream: 'agent-c.unlucky', revision: 0 };
    expect(faults[0]).toMatchObject({ at });
  });

  test('is tried again when it is asked for, and then the projection goes on', async () => {
    const projection = tallies();
    let isMended = false;
    const fragile: typeof projection = {
      ...projection,
      id(recorded) {
        if (!isMended && recorded.event.data.of === 'b') throw new TypeError('not yet');
        return projection.id(recorded);
      },
    };
    await numbered.write(2, { of: 'a' });
    await numbered.write(1, { of: 'b' });
    const last = await numbered.write(1, { of: 'a' });
    await feed.start();
    const runner = await start(fragile);
    const again = () => {
      runner.progress.resume();
      runs.push(runner.run(feed, stopping.signal, (error) => faults.push(error)));
    };
    await eventually(() => expect(faults).toHaveLength(1));
    again();
    await eventually(() => expect(faults).toHaveLength(2));
    isMended = true;
    again();
    await runner.progress.waitFor(last, 5_000);
    expect(runner.progress.stoppedBy).toBeNull();
    expect(await tallyOf('a')).toEqual({ count: 3, sum: 0 + 1 + 3 });
    expect(await tallyOf('b')).toEqual({ count: 1, sum: 2 });
  });

  test('leaves nothing of itself behind, so that a mended projection goes on rightly', async () => {
    await numbered.write(3, { of: 'a' });
    const unlucky = await numbered.write(1, { of: 'unlucky' });
    const last = await numbered.write(3, { of: 'a' });
    await feed.start();
    await start();
    await eventually(() => expect(faults).toHaveLength(1));
    const checkpoint = (await documents.checkpoint('tallies_v2')) ?? 0n;
    expect(checkpoint).toBeLessThan(unlucky);
    await stop();

    const evolve = tallies('mended').evolve;
    const mended = await start({ ...tallies(), evolve });
    await mended.progress.waitFor(last, 5_000);
    expect(await tallyOf('a')).toEqual({ count: 6, sum: 0 + 1 + 2 + 4 + 5 + 6 });
    expect(await tallyOf('unlucky')).toEqual({ count: 1, sum: 3 });
  });
});

test('a write that fails is tried again, and meanwhile it says what ails it', async () => {
  await feed.start();
  let isFull = false;
  const { store } = watched(() => isFull);
  await numbered.write(2, { of: 'a' });
  const { progress } = await start(tallies(), store);
  isFull = true;
  await numbered.write(3, { of: 'a' });
  await eventually(() => expect(progress.ailment).toEqual(new Error('the disk is full')));
  expect(progress.stoppedBy).toBeNull();
  isFull = false;
  await progress.waitFor(numbered.positions.at(-1)!, 5_000);
  expect(progress.ailment).toBeNull();
  expect(faults).toEqual([]);
  expect(await tallyOf('a')).toEqual({ count: 5, sum: 10 });
});

test('while it is held its documents stand still, and then it goes on, in another collection if it is told to', async () => {
  await feed.start();
  const runner = await start();
  const follower = await start(tallies('others'));
  const before = await numbered.write(2, { of: 'a' });
  await runner.progress.waitFor(before, 5_000);
  const other = await ProjectedCollection.open(tallies(), documents, 'tallies_v2_g1');
  const work = new Gate();
  const held = runner.hold(async (position) => {
    await work.pass();
    runner.continueIn(other);
    return position;
  }, stopping.signal);
  await work.reached;
  const after = await numbered.write(1, { of: 'a' });
  await follower.progress.waitFor(after, 5_000);
  await new Promise(setImmediate);
  expect(runner.progress.reached).toBe(before);
  expect(await tallyOf('a')).toEqual({ count: 2, sum: 1 });

  work.open();
  expect(await held).toBe(before);
  await runner.progress.waitFor(after, 5_000);
  expect(await tallyOf('a')).toEqual({ count: 2, sum: 1 });
  expect(await documents.get('tallies_v2_g1', 'a')).toEqual({ count: 1, sum: 2 });
});
