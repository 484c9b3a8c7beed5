import fc from 'fast-check';
import { eventually } from '../../test/support/eventually';
import { Gate } from '../../test/support/gate';
import { NumberedLog, numberOf } from '../../test/support/numbered-log';
import { FollowInterrupted } from '../event-log/event-log';
import type { Position } from '../kernel/event';
import type { Batch, Subscription } from './feed';
import { Feed } from './feed';

let numbered: NumberedLog;
let feed: Feed;
let interruptions: unknown[];
let stopping: AbortController;
let consumers: Promise<void>[];

beforeEach(async () => {
  numbered = await NumberedLog.open();
  interruptions = [];
  feed = new Feed(numbered.log, (error) => interruptions.push(error));
  stopping = new AbortController();
  consumers = [];
});

afterEach(async () => {
  stopping.abort();
  await Promise.all(consumers);
  await feed.stop();
  await numbered.close();
});

interface Consumer {
  numbers: number[];
  batches: Batch[];
  reached: Position;
  failure: unknown;
  done: Promise<void>;
}

/** Collects what the feed brings, and holds every batch up for as long as `handle` takes. */
function consume(
  after: Position,
  handle: (batch: Batch) => Promise<void> | void = () => undefined,
  signal: AbortSignal = stopping.signal,
  wanted: Subscription = {},
): Consumer {
  const consumer: Consumer = {
    ...{ numbers: [], batches: [], reached: after, failure: null, done: Promise.resolve() },
  };
  const run = async () => {
    for await (const batch of feed.subscribe(after, signal, wanted)) {
      expect(batch.reached).toBeGreaterThan(consumer.reached);
      for (const { position } of batch.events) expect(position).toBeLessThanOrEqual(batch.reached);
      consumer.numbers.push(...batch.events.map(numberOf));
      consumer.batches.push(batch);
      consumer.reached = batch.reached;
      await handle(batch);
    }
  };
  consumer.done = run().catch((error: unknown) => {
    consumer.failure = error;
  });
  consumers.push(consumer.done);
  return consumer;
}

async function untilReached(consumer: Consumer, position: Position): Promise<void> {
  await eventually(() => {
    expect(consumer.failure).toBeNull();
    expect(consumer.reached).toBeGreaterThanOrEqual(position);
  });
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count - from }, (_, index) => from + index);
}

test('a consumer gets what was there before and what comes', async () => {
  await numbered.write(3);
  await feed.start();
  const consumer = consume(0n);
  await untilReached(consumer, await numbered.write(2));
  expect(consumer.numbers).toEqual(upTo(5));
});

test('a consumer gets only what comes after its position', async () => {
  await numbered.write(5);
  await feed.start();
  const middle = consume(numbered.positions[2]!);
  const end = consume(numbered.positions[4]!);
  const last = await numbered.write();
  await Promise.all([untilReached(middle, last), untilReached(end, last)]);
  expect(middle.numbers).toEqual([3, 4, 5]);
  expect(end.numbers).toEqual([5]);
});

test('log bytes are not delivered, and still move the consumer on', async () => {
  await numbered.writeLogBytes();
  await numbered.write();
  const before = await numbered.writeLogBytes();
  await feed.start();
  const consumer = consume(0n);
  await untilReached(consumer, before);
  await untilReached(consumer, await numbered.writeLogBytes());
  expect(consumer.numbers).toEqual([0]);
});

test('the log is read once for all who have caught up', async () => {
  await numbered.write(2);
  await feed.start();
  const head = numbered.positions[1]!;
  const consumersAtHead = [consume(head), consume(head), consume(head)];
  const last = await numbered.write();
  await Promise.all(consumersAtHead.map((consumer) => untilReached(consumer, last)));
  expect(numbered.log.follows).toEqual([head]);
});

test('a consumer that comes before the feed has started is a bug: it would miss what lies between', async () => {
  const consumer = consume(0n);
  await consumer.done;
  expect(String(consumer.failure)).toContain('the feed has not been started');
});

test('a consumer that is slow gets what waited in one batch', async () => {
  await feed.start();
  const gate = new Gate();
  const consumer = consume(0n, () => gate.pass());
  const follower = consume(0n);
  await numbered.write();
  await gate.reached;
  for (let n = 0; n < 5; n += 1) await untilReached(follower, await numbered.write());
  gate.open();
  await untilReached(consumer, numbered.positions.at(-1)!);
  expect(consumer.batches.map(({ events }) => events.length)).toEqual([1, 5]);
  expect(consumer.numbers).toEqual(upTo(6));
});

test('a consumer that gathers does so before every batch, also where more has come while it handled the last one', async () => {
  await feed.start();
  const handling = new Gate();
  let gathering = new Gate();
  const gather = () => gathering.pass();
  const consumer = consume(0n, () => handling.pass(), stopping.signal, { gather });
  const follower = consume(0n);
  await numbered.write();
  await gathering.reached;
  gathering.open();
  gathering = new Gate();
  await handling.reached;
  await untilReached(follower, await numbered.write());
  handling.open();
  await gathering.reached;
  await untilReached(follower, await numbered.write());
  gathering.open();
  await untilReached(consumer, numbered.positions.at(-1)!);
  expect(consumer.batches.map(({ events }) => events.length)).toEqual([1, 2]);
});

describe('a consumer that handles some types', () => {
  const handles = ['ThingCounted'];
  const counted = { type: 'ThingCounted' };

  test('is not woken by others: how far they have brought the log it is told after a rest, once', async () => {
    await feed.start();
    const gate = new Gate();
    const rest = () => gate.pass();
    const consumer = consume(0n, undefined, stopping.signal, { handles, rest });
    const follower = consume(0n);
    for (let n = 0; n < 5; n += 1) await untilReached(follower, await numbered.write());
    await untilReached(follower, await numbered.writeLogBytes());
    await gate.reached;
    expect(consumer.batches).toEqual([]);
    gate.open();
    await untilReached(consumer, follower.reached);
    expect(consumer.batches).toEqual([{ events: [], reached: follower.reached }]);
  });

  test('does not wait for that with what it handles, and gets each once, among whatever else', async () => {
    await feed.start();
    const never = new Promise<void>(() => undefined);
    const wanted = { handles, rest: () => never };
    const consumer = consume(0n, () => turns(2), stopping.signal, wanted);
    const expected: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      if (round % 3 === 0) expected.push(numbered.positions.length);
      await numbered.write(1, round % 3 === 0 ? counted : {});
      await turns(round % 4);
    }
    const last = await numbered.write(1, counted);
    await untilReached(consumer, last);
    const isWanted = (n: number) => n % 3 === 0 || n === 40;
    expect(consumer.numbers.filter(isWanted)).toEqual([...expected, 40]);
    expect(new Set(consumer.numbers).size).toBe(consumer.numbers.length);
  });

  test('never falls behind by what it does not handle', async () => {
    await feed.start();
    const gate = new Gate();
    const consumer = consume(0n, () => gate.pass(), stopping.signal, { handles });
    const follower = consume(0n);
    await numbered.write(1, counted);
    await gate.reached;
    for (let round = 0; round < 25; round += 1) await numbered.write(1_000);
    const last = await numbered.write(1, counted);
    await untilReached(follower, last);
    gate.open();
    await untilReached(consumer, last);
    expect(numbered.log.follows).toHaveLength(1);
    expect(consumer.batches.map(({ reached }) => reached)).toEqual([1n, last]);
  });
});

test('what a consumer has read for itself is not brought again', async () => {
  await numbered.write(2);
  await feed.start();
  const [follow, handling] = [new Gate(), new Gate()];
  numbered.log.onFollow = async function* (next) {
    await follow.pass();
    yield* next();
  };
  const consumer = consume(0n, () => handling.pass());
  await follow.reached;
  const follower = consume(numbered.positions[1]!);
  await untilReached(follower, await numbered.write(2));
  follow.open();
  await handling.reached;
  await untilReached(follower, await numbered.write());
  handling.open();
  await untilReached(consumer, await numbered.write());
  expect(consumer.numbers).toEqual(upTo(6));
  expect(consumer.batches[0]!.events).toHaveLength(4);
});

test('a consumer that has fallen far behind reads the log for itself, and misses nothing', async () => {
  await feed.start();
  const gate = new Gate();
  const slow = consume(0n, () => gate.pass());
  const quick = consume(0n);
  await numbered.write();
  await gate.reached;
  for (let round = 0; round < 25; round += 1) await numbered.write(1_000);
  await untilReached(quick, numbered.positions.at(-1)!);
  expect(numbered.log.follows).toHaveLength(1);
  gate.open();
  await untilReached(slow, numbered.positions.at(-1)!);
  await untilReached(slow, await numbered.write());
  expect(numbered.log.follows).toHaveLength(2);
  expect(slow.numbers).toEqual(upTo(25_002));
  expect(quick.numbers).toEqual(upTo(25_002));
});

test('a range of the log ends exactly where it was to end', async () => {
  await numbered.write(1_200);
  await feed.start();
  const [from, to] = [numbered.positions[9]!, numbered.positions[1_049]!];
  const numbers: number[] = [];
  let reached = from;
  for await (const batch of feed.range(from, to, stopping.signal)) {
    numbers.push(...batch.events.map(numberOf));
    reached = batch.reached;
  }
  expect(numbers).toEqual(upTo(1_050, 10));
  expect(reached).toBe(to);
  for await (const batch of feed.range(to, to, stopping.signal))
    throw new Error(`nothing is left: ${batch.reached}`);
});

test('one that stops does not stop the others, and the feed stops all', async () => {
  await feed.start();
  const leaving = new AbortController();
  const leaver = consume(0n, undefined, leaving.signal);
  const stayer = consume(0n);
  await untilReached(leaver, await numbered.write());
  leaving.abort();
  await leaver.done;
  await untilReached(stayer, await numbered.write());
  expect(leaver.numbers).toEqual([0]);
  await feed.stop();
  await stayer.done;
  expect(stayer).toMatchObject({ numbers: [0, 1], failure: null });
});

test('a consumer can be stopped while it waits and while it catches up', async () => {
  await numbered.write(10);
  await feed.start();
  const leaving = new AbortController();
  const catchingUp = consume(0n, () => leaving.abort(), leaving.signal);
  await catchingUp.done;
  const waiting = consume(numbered.positions.at(-1)!);
  await new Promise(setImmediate);
  stopping.abort();
  await waiting.done;
  expect(waiting).toMatchObject({ numbers: [], failure: null });
});

describe('where following is interrupted', () => {
  /** Ends each of the next follows with a fault after so many batches. */
  function interruptAfter(...counts: number[]): void {
    numbered.log.onFollow = async function* (follow) {
      const left = counts.shift() ?? Infinity;
      let delivered = 0;
      if (left === 0) throw new FollowInterrupted('cut', true);
      for await (const batch of follow()) {
        yield batch;
        if (++delivered >= left) throw new FollowInterrupted('cut', true);
      }
    };
  }

  test('it goes on after the last batch, and says so', async () => {
    interruptAfter(1, 0, 2);
    await feed.start();
    const consumer = consume(0n);
    for (let n = 0; n < 6; n += 1) await untilReached(consumer, await numbered.write());
    expect(consumer.numbers).toEqual(upTo(6));
    expect(interruptions).toHaveLength(3);
  });

  test('the same goes for a consumer that catches up', async () => {
    await numbered.write(3_000);
    await feed.start();
    interruptAfter(0, 1, 0, 1);
    const consumer = consume(0n);
    await untilReached(consumer, numbered.positions.at(-1)!);
    expect(consumer.numbers).toEqual(upTo(3_000));
    expect(interruptions).toHaveLength(4);
  });

  test('for good, a consumer that has not caught up fails and is not given what comes later', async () => {
    await numbered.write(3);
    await feed.start();
    numbered.log.onFollow = async function* () {
      throw new FollowInterrupted('the position is gone', false);
      yield* [];
    };
    const consumer = consume(0n);
    await numbered.write();
    await eventually(() => expect(consumer.failure).not.toBeNull());
    expect(consumer.numbers).toEqual([]);
    expect(String(consumer.failure)).toContain('could not be followed');
    expect(interruptions).toEqual([new FollowInterrupted('the position is gone', false)]);
  });
});

test('nobody misses or repeats anything, whoever comes and writes when', async () => {
  await feed.start();
  const pauses = fc.integer({ min: 0, max: 3 });
  const someWrite = fc.record({ count: fc.integer({ min: 1, max: 5 }), bytes: fc.boolean(), turns: pauses });
  const someConsumer = fc.record({ joinsAt: fc.nat(12), behind: fc.nat(20), slowness: pauses });
  const follows = fc.record({ lag: pauses, batchesUntilCut: fc.option(fc.nat(12), { nil: Infinity }) });
  const story = fc.tuple(
    fc.array(someWrite, { minLength: 5, maxLength: 12 }),
    fc.array(someConsumer, { minLength: 1, maxLength: 5 }),
    follows,
  );
  await fc.assert(
    fc.asyncProperty(story, async ([writes, planned, { lag, batchesUntilCut }]) => {
      let batchesLeft = batchesUntilCut;
      numbered.log.onFollow = async function* (follow) {
        await turns(lag);
        for await (const batch of follow()) {
          yield batch;
          if (batchesLeft-- === 0) throw new FollowInterrupted('cut', true);
        }
      };
      const joined: { consumer: Consumer; first: number }[] = [];
      for (const [index, { count, bytes, turns: between }] of writes.entries()) {
        for (const { joinsAt, behind, slowness } of planned) {
          if (joinsAt !== index) continue;
          const first = Math.max(0, numbered.positions.length - behind);
          const after = first === 0 ? 0n : numbered.positions[first - 1]!;
          joined.push({ first, consumer: consume(after, () => turns(slowness)) });
        }
        if (bytes) await numbered.writeLogBytes();
        await numbered.write(count);
        await turns(between);
      }
      const last = numbered.positions.at(-1)!;
      await Promise.all(joined.map(({ consumer }) => untilReached(consumer, last)));
      for (const { consumer, first } of joined) {
        expect(consumer.numbers).toEqual(upTo(numbered.positions.length, first));
      }
      stopping.abort();
      await Promise.all(consumers);
      stopping = new AbortController();
    }),
    { seed: 7, numRuns: 60 },
  );
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}
