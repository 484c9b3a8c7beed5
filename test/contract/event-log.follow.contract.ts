import { randomBytes } from 'node:crypto';
import type { EventLog, FollowBatch, FollowOptions } from '../../src/event-log/event-log';
import type { StoredEvent } from '../../src/kernel/event';
import { someEvent, someEvents } from '../support/events';
import {
  byPosition,
  followUntil,
  lastPosition,
  newAgentStream,
  newRunLogStream,
  newRunStream,
  placesOf,
  readAll,
  write,
  writeOneByOne,
  writtenPlaces,
} from './event-log.fixture';
import type { Followed, Written } from './event-log.fixture';

/** What `follow` promises. */
export function followContract(current: () => EventLog): void {
  /** Follows up to the last of what was written, and leaves out what others wrote. */
  function followTo(written: readonly Written[], options: Omit<FollowOptions, 'signal'>): Promise<Followed> {
    const streams = new Set(written.map(({ stream }) => stream));
    return followUntil(current(), options, lastPosition(written), streams);
  }

  describe('follow', () => {
    it('brings the whole log from 0, the streams of all categories mixed', async () => {
      const streams = [newAgentStream(), newRunLogStream(), newRunStream(), newRunLogStream()];
      const written = (
        await Promise.all(streams.map((stream) => writeOneByOne(current(), stream, 50)))
      ).flat();

      const { events } = await followTo(written, { after: 0n });

      expect(placesOf(events)).toEqual(writtenPlaces(written));
      const { event, stream, position } = byPosition(written)[0]!;
      expect(events[0]).toEqual({ ...event, stream, revision: 0, position });
    });

    it('starts behind a position', async () => {
      const written = await write(current(), newAgentStream(), someEvents(30));
      const { events } = await followTo(written, { after: written[9]!.position });
      expect(placesOf(events)).toEqual(writtenPlaces(written.slice(10)));
    });

    it('starts with the event at a position, where it is asked for that', async () => {
      const written = await write(current(), newAgentStream(), someEvents(30));
      const { events } = await followTo(written, { after: written[9]!.position, inclusive: true });
      expect(placesOf(events)).toEqual(writtenPlaces(written.slice(9)));
    });

    it('starts at the very beginning, where it is asked for the first event', async () => {
      const written = await write(current(), newAgentStream(), someEvents(1));
      const first = await firstOf(current(), { after: 0n });
      expect(first.position).toBeLessThanOrEqual(written[0]!.position);
      expect(await firstOf(current(), { after: first.position, inclusive: true })).toEqual(first);
    });

    it('keeps the order where there are many small and many large events', async () => {
      const chunk = () => someEvent({ data: randomBytes(65_536) });
      const written: Written[] = [];
      for (let round = 0; round < 20; round++) {
        written.push(...(await write(current(), newAgentStream(), someEvents(round % 5 === 0 ? 400 : 1))));
        written.push(...(await write(current(), newRunLogStream(), Array.from({ length: 4 }, chunk))));
      }
      const { events } = await followTo(written, { after: written[0]!.position });
      expect(placesOf(events)).toEqual(writtenPlaces(written.slice(1)));
    });

    it('brings all events where raw bytes are not asked for, and all of their data but those', async () => {
      const [chunks, json] = [[someEvent({ data: randomBytes(65_536) }), ...someEvents(1)], someEvents(2)];
      const written = [
        ...(await write(current(), newRunLogStream(), chunks)),
        ...(await write(current(), newAgentStream(), json)),
      ];
      const { events } = await followTo(written, { after: 0n, withoutBytes: true });
      expect(placesOf(events)).toEqual(writtenPlaces(written));
      expect(events.map(({ metadata }) => metadata)).toEqual(written.map(({ event }) => event.metadata));
      const texts = (list: readonly { data: unknown }[]) => list.map(({ data }) => data).slice(1);
      expect(texts(events)).toEqual(texts([...chunks, ...json]));
      expect([0, 65_536]).toContain(events[0]!.data.length);
    });

    it('brings all events of many streams that were written at once, bytes or not', async () => {
      const streams = Array.from({ length: 8 }, (_, index) =>
        index % 2 ? newAgentStream() : newRunLogStream(),
      );
      const written = (
        await Promise.all(streams.map((stream) => writeOneByOne(current(), stream, 20)))
      ).flat();
      const { events } = await followTo(written, { after: 0n, withoutBytes: true });
      expect(placesOf(events)).toEqual(writtenPlaces(written));
      for (const stream of streams) expect(await readAll(current(), stream)).toHaveLength(20);
    });

    it.each([
      ['a fast follower', 0],
      ['a slow follower', 20],
    ])('has no gap and no repeat while 2,000 events are appended: %s', async (_case, pauseMs) => {
      const log = current();
      const after = await log.head();
      const streams = Array.from({ length: 40 }, (_, index) =>
        index % 4 === 0 ? newRunLogStream() : newAgentStream(),
      );
      const appending = Promise.all(streams.map((stream) => writeOneByOne(log, stream, 50)));
      const end = appending.then((written) => lastPosition(written.flat()));

      const followed = await followUntil(log, { after }, end, new Set(streams), pauseMs);

      expect(placesOf(followed.events)).toEqual(writtenPlaces((await appending).flat()));
      expectSteadyProgress(followed);
    });

    it('serves several followers at once', async () => {
      const log = current();
      const after = await log.head();
      const streams = Array.from({ length: 10 }, newAgentStream);
      const appending = Promise.all(streams.map((stream) => writeOneByOne(log, stream, 20)));
      const end = appending.then((written) => lastPosition(written.flat()));

      const followers = await Promise.all(
        [0, 5, 15].map((pauseMs) => followUntil(log, { after }, end, new Set(streams), pauseMs)),
      );

      const all = writtenPlaces((await appending).flat());
      for (const { events } of followers) expect(placesOf(events)).toEqual(all);
    });
  });

  describe('follow by category', () => {
    const filters: [string, FollowOptions['categories'], string[]][] = [
      ['none', undefined, ['agent', 'run', 'runlog']],
      ['only one', { only: ['run'] }, ['run']],
      ['only chunks', { only: ['runlog'] }, ['runlog']],
      ['only some', { only: ['agent', 'runlog'] }, ['agent', 'runlog']],
      ['only one that nobody has', { only: ['nobody'] }, []],
      ['only none', { only: [] }, []],
      ['except one', { except: ['run'] }, ['agent', 'runlog']],
      ['except chunks', { except: ['runlog'] }, ['agent', 'run']],
      ['except some', { except: ['agent', 'runlog'] }, ['run']],
      ['except none', { except: [] }, ['agent', 'run', 'runlog']],
    ];

    it.each(filters)('brings what passes, and reaches the end: %s', async (_case, categories, passing) => {
      const after = await current().head();
      const streams = [newAgentStream(), newRunStream(), newRunLogStream()];
      const written = (
        await Promise.all(streams.map((stream) => writeOneByOne(current(), stream, 20)))
      ).flat();

      const followed = await followTo(written, { after, categories });

      const wanted = written.filter(({ stream }) => passing.includes(stream.split('-')[0]!));
      expect(placesOf(followed.events)).toEqual(writtenPlaces(wanted));
      expectSteadyProgress(followed);
    });

    it('moves on, live, while only other categories are written', async () => {
      const log = current();
      const stop = new AbortController();
      const categories = { except: ['runlog'] };
      const batches = log.follow({ after: await log.head(), categories, signal: stop.signal });
      const iterator = batches[Symbol.asyncIterator]();
      const stream = newRunLogStream();
      for (let round = 0; round < 3; round++) {
        const progress = iterator.next();
        const [chunk] = await write(log, stream, someEvents(1), round - 1);
        let batch = await progress;
        while (!batch.done && batch.value.reached < chunk!.position) batch = await iterator.next();
        expect(batch).toMatchObject({ done: false, value: { events: [] } });
      }
      stop.abort();
    });
  });

  describe('follow ends without an error', () => {
    it('when it is aborted before it starts', async () => {
      await write(current(), newAgentStream());
      expect(await countOf(current().follow({ after: 0n, signal: AbortSignal.abort() }))).toBe(0);
    });

    it('when it is aborted while it waits for the next event', async () => {
      const stop = new AbortController();
      const [event] = await write(current(), newAgentStream());
      const following = current().follow({ after: event!.position, signal: stop.signal });
      const waiting = countOf(following);
      await write(current(), newAgentStream());
      stop.abort();
      await waiting;
    });

    it('when it is aborted with events left', async () => {
      const stop = new AbortController();
      await write(current(), newAgentStream(), someEvents(1_200));
      let batches = 0;
      for await (const _batch of current().follow({ after: 0n, signal: stop.signal })) {
        batches += 1;
        stop.abort();
      }
      expect(batches).toBe(1);
    });
  });
}

/** Each batch moves the position on, and never ahead of what was delivered. */
function expectSteadyProgress({ events, reached }: Followed): void {
  reached.slice(1).forEach((position, index) => expect(position > reached[index]!).toBe(true));
  const last = events.at(-1);
  if (last) expect(reached.at(-1)! >= last.position).toBe(true);
}

async function countOf(batches: AsyncIterable<FollowBatch>): Promise<number> {
  let count = 0;
  for await (const { events } of batches) count += events.length;
  return count;
}

async function firstOf(log: EventLog, options: Omit<FollowOptions, 'signal'>): Promise<StoredEvent> {
  const { signal } = new AbortController();
  for await (const { events } of log.follow({ ...options, signal })) if (events[0]) return events[0];
  throw new Error('the log has ended');
}
