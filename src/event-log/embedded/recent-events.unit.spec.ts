import fc from 'fast-check';
import { someEvents } from '../../../test/support/events';
import type { StoredEvent } from '../../kernel/event';
import { categoryOf } from '../../kernel/streams';
import { RecentEvents } from './recent-events';
import type { LogFilter, StreamQuery } from './store-messages';
import { admits } from './store-messages';

const KIB = 1024;
const NOT_LOGS: LogFilter = { categories: { except: ['runlog'] } };
const LAST = Number.MAX_SAFE_INTEGER;

/** The ring beside all that is on disk: what it answers has to be what the file would. */
class World {
  readonly recent = new RecentEvents();
  readonly disk: StoredEvent[] = [];
  head = 0;

  constructor(readonly start = 0) {
    this.head = start;
    this.recent.restartAt(start);
  }

  /** Appends to a stream; `isKnown` false: the head does not tell of it yet. */
  append(stream: string, count = 1, { dataBytes = 10, ages = false, isKnown = true } = {}): StoredEvent[] {
    const revision = this.ofStream(stream).length;
    const first = (Number(this.disk.at(-1)?.position ?? this.start) || this.start) + 1;
    const events = someEvents(count, { data: JSON.stringify('x'.repeat(dataBytes)) });
    const positions = events.map((_, index) => first + index);
    this.recent.add(stream, events, { kind: 'appended', revision: revision + count - 1, positions, ages });
    const stored = events.map((event, index) => {
      return { ...event, stream, revision: revision + index, position: BigInt(first + index) };
    });
    this.disk.push(...stored);
    if (isKnown) this.head = positions.at(-1)!;
    return stored;
  }

  /** Of log bytes, which the ring is told of as well. */
  appendChunk(): void {
    this.append('runlog-c.r', 1);
  }

  after(position: number, filter = NOT_LOGS) {
    return this.recent.after(position, this.head, filter);
  }

  /** Everything behind a position, page by page; null where the ring cannot tell. */
  followed(position: number, filter = NOT_LOGS): string[] | null {
    const ids: string[] = [];
    for (let reached = position; reached < this.head;) {
      const page = this.after(reached, filter);
      if (!page) return null;
      expect(Number(page.reached)).toBeGreaterThan(reached);
      ids.push(...page.events.map(({ id }) => id));
      reached = Number(page.reached);
    }
    return ids;
  }

  onDisk(position: number, { categories } = NOT_LOGS): string[] {
    return this.disk
      .filter((event) => event.position > position && event.position <= this.head)
      .filter(({ stream }) => admits(categories, categoryOf(stream)))
      .map(({ id }) => id);
  }

  inStream(stream: string, query: Partial<StreamQuery> = {}) {
    const { head } = this;
    return this.recent.inStream({
      ...{ stream, from: 0, direction: 'forwards', maxRows: 256, head, nowMs: 0 },
      ...query,
    });
  }

  ofStream(stream: string): StoredEvent[] {
    return this.disk.filter((event) => event.stream === stream);
  }
}

describe('whoever follows', () => {
  test('gets what was appended, and is told of the head where nothing of it concerns him', () => {
    const world = new World();
    const [first] = world.append('agent-c.a');
    world.appendChunk();
    expect(world.after(0)).toEqual({ events: [first], reached: 2n });
    expect(world.after(1)).toEqual({ events: [], reached: 2n });
    expect(world.after(0, { categories: { only: ['run'] } })).toEqual({ events: [], reached: 2n });
  });

  test('has the file asked for log bytes, and for what was there before', () => {
    const world = new World(10);
    world.append('agent-c.a');
    expect(world.recent.after(10, world.head, {})).toBeNull();
    expect(world.after(10, { categories: { only: ['agent', 'runlog'] } })).toBeNull();
    expect(world.after(9)).toBeNull();
    expect(world.after(10)?.events).toHaveLength(1);
  });

  test('gets everything where he does not look at raw bytes: of those only where they stand', () => {
    const world = new World();
    const [event] = world.append('agent-c.a');
    const bytes = Buffer.from('output');
    const [chunk] = someEvents(1, { data: bytes });
    world.recent.add('runlog-c.r', [chunk!], { kind: 'appended', revision: 0, positions: [2], ages: false });
    const bare = { ...chunk, data: new Uint8Array(0), stream: 'runlog-c.r', revision: 0, position: 2n };
    world.head = 2;
    expect(world.after(0, { withoutBytes: true })).toEqual({ events: [event, bare], reached: 2n });
    expect(world.after(0, {})).toBeNull();
    expect(world.inStream('runlog-c.r')).toBeNull();
  });

  test('gets pages of at most 1,000 events', () => {
    const world = new World();
    world.append('agent-c.a', 1_500);
    expect(world.after(0)).toMatchObject({ reached: 1_000n });
    expect(world.followed(0)).toEqual(world.onDisk(0));
  });

  test('gets pages of about 1 MiB', () => {
    const world = new World();
    for (let count = 0; count < 30; count += 1) world.append('agent-c.a', 1, { dataBytes: 100 * KIB });
    const page = world.after(0)!;
    const bytes = page.events.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes).toBeLessThan(1_200 * KIB);
    expect(page.reached).toBe(page.events.at(-1)!.position);
    expect(world.followed(0)).toEqual(world.onDisk(0));
  });

  test('is told of nothing that is not acknowledged', () => {
    const world = new World();
    world.append('agent-c.a');
    world.append('agent-c.a', 1, { isKnown: false });
    expect(world.after(0)).toBeNull();
    world.head = 2;
    expect(world.followed(0)).toEqual(world.onDisk(0));
  });
});

describe('the oldest events', () => {
  test('are forgotten beyond 16 MiB, and whoever needs them has the file asked', () => {
    const world = new World();
    const streams = ['agent-c.a', 'agent-c.b'];
    for (let count = 0; count < 200; count += 1) {
      world.append(streams[count % 2]!, 1, { dataBytes: 100 * KIB });
      const known = world.disk.filter(({ position }) => world.after(Number(position) - 1) !== null);
      const bytes = known.reduce((sum, { data }) => sum + data.length, 0);
      expect(bytes).toBeLessThanOrEqual(16 * KIB * KIB);
      if (count >= 160) expect(bytes).toBeGreaterThan(7 * KIB * KIB);
    }
    expect(world.after(0)).toBeNull();
    const from = world.disk.findIndex(({ position }) => world.after(Number(position) - 1) !== null);
    expect(world.followed(from)).toEqual(world.onDisk(from));
    for (const stream of streams) {
      expect(world.inStream(stream)).toBeNull();
      const [last] = world.ofStream(stream).slice(-1);
      expect(world.inStream(stream, { from: LAST, direction: 'backwards', maxRows: 1 })?.events).toEqual([
        last,
      ]);
    }
  });

  test('are all forgotten for one that is too large itself, and what follows is kept', () => {
    const world = new World();
    world.append('agent-c.a');
    world.append('agent-c.a', 1, { dataBytes: 17 * KIB * KIB });
    expect([world.after(0), world.after(1)]).toEqual([null, null]);
    expect(world.after(2)).toEqual({ events: [], reached: 2n });
    world.append('agent-c.a');
    expect(world.followed(2)).toEqual(world.onDisk(2));
    expect(world.inStream('agent-c.a', { from: 2 })).toMatchObject({ complete: true });
    expect(world.inStream('agent-c.a', { from: 1 })).toBeNull();
  });
});

describe('a stream that ages', () => {
  test.each([
    ['before it is written', { hideFirst: true, ages: false }],
    ['as its writer says', { hideFirst: false, ages: true }],
  ])('is read from the file, and followed all the same: known %s', (_, { hideFirst, ages }) => {
    const world = new World();
    if (hideFirst) world.recent.hide('agent-c.a');
    world.append('agent-c.a', 2, { ages });
    world.append('agent-c.b');
    expect(world.inStream('agent-c.a')).toBeNull();
    expect(world.inStream('agent-c.b')?.events).toHaveLength(1);
    expect(world.followed(0)).toEqual(world.onDisk(0));
  });

  test('is read from the file from then on, also by another thread of the writer', () => {
    const world = new World();
    world.append('agent-c.a', 2);
    expect(world.inStream('agent-c.a')).not.toBeNull();
    world.recent.hide('agent-c.a');
    expect(world.inStream('agent-c.a')).toBeNull();
    world.recent.restartAt(world.head);
    world.append('agent-c.a');
    expect(world.inStream('agent-c.a', { from: 2 })).toBeNull();
  });

  test('costs nothing where it is one of log bytes, of which every run has one', () => {
    const { recent } = new World();
    for (let run = 0; run < 100; run += 1) recent.hide(`runlog-c.${run}`);
    expect((recent as unknown as { ageing: Set<string> }).ageing.size).toBe(0);
  });
});

describe('another thread of the writer', () => {
  test('may have found more on disk than was answered: all of that is for the file', () => {
    const world = new World();
    world.append('agent-c.a', 2);
    world.recent.restartAt((world.head = 4));
    expect(world.after(2)).toBeNull();
    expect(world.inStream('agent-c.a')).toBeNull();
    expect(world.after(4)).toEqual({ events: [], reached: 4n });
  });

  test('answers the same append again with its place: it is not kept a second time', () => {
    const world = new World();
    const appended = world.append('agent-c.a', 2);
    const again = { kind: 'appended', revision: 1, positions: [1, 2], ages: false } as const;
    world.recent.add('agent-c.a', appended, again);
    expect(world.followed(0)).toEqual(world.onDisk(0));
    world.recent.restartAt(world.head);
    world.recent.add('agent-c.a', appended, again);
    expect(world.after(0)).toBeNull();
    expect(world.inStream('agent-c.a')).toBeNull();
    world.append('agent-c.b');
    world.recent.add('agent-c.a', appended, again);
    expect(world.followed(2)).toEqual(world.onDisk(2));
    expect(world.inStream('agent-c.a')).toBeNull();
  });
});

test('an event that was told of too late is for the file, with all that was known', () => {
  const { recent } = new World();
  const [early, late] = someEvents(2);
  const outcome = { kind: 'appended', revision: 0, ages: false } as const;
  recent.add('agent-c.a', [late!], { ...outcome, positions: [2] });
  recent.add('agent-c.b', [early!], { ...outcome, positions: [1] });
  expect(recent.after(0, 2, NOT_LOGS)).toBeNull();
  expect(recent.after(2, 2, NOT_LOGS)).toEqual({ events: [], reached: 2n });
});

test('whatever happens, what it answers is what is on disk', () => {
  const streams = ['agent-c.a', 'run-c.r', 'runlog-c.r', 'company-c'];
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        stream: fc.constantFrom(...streams),
        count: fc.integer({ min: 1, max: 4 }),
        kib: fc.constantFrom(0, 300, 900),
        isKnown: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 1, arbitrary: fc.constant('hide' as const) },
  );
  const filters: LogFilter[] = [
    NOT_LOGS,
    { withoutBytes: true },
    ...[['agent'], ['run', 'company']].map((only) => ({ categories: { only } })),
  ];
  const told = { pages: 0, streams: 0 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const world = new World();
      for (const one of steps) {
        if (one === 'restart')
          world.recent.restartAt((world.head = Number(world.disk.at(-1)?.position ?? 0)));
        else if (one === 'hide') world.recent.hide(streams[3]!);
        else world.append(one.stream, one.count, { dataBytes: one.kib * KIB, isKnown: one.isKnown });
        for (const filter of filters) {
          for (let after = 0; after <= world.head; after += 1) {
            const ids = world.followed(after, filter);
            if (ids === null) continue;
            expect(ids).toEqual(world.onDisk(after, filter));
            told.pages += 1;
          }
        }
        for (const stream of streams) {
          const known = world.ofStream(stream).filter(({ position }) => position <= world.head);
          for (let from = 0; from <= known.length; from += 1) {
            const forwards = world.inStream(stream, { from, maxRows: 3 });
            if (forwards) {
              expect(forwards.events.map(({ id }) => id)).toEqual(
                known.slice(from, from + 3).map(({ id }) => id),
              );
              expect(forwards.complete).toBe(from + forwards.events.length >= known.length);
            }
            const backwards = world.inStream(stream, { from, direction: 'backwards', maxRows: 3 });
            if (!backwards) continue;
            const before = known.slice(0, from + 1).reverse();
            const ids = backwards.events.map(({ id }) => id);
            expect(ids).toEqual(before.slice(0, ids.length).map(({ id }) => id));
            expect(backwards.complete).toBe(ids.length === before.length);
            told.streams += 1;
          }
        }
      }
    }),
    { seed: 7, numRuns: 80 },
  );
  expect(Math.min(told.pages, told.streams)).toBeGreaterThan(500);
});
