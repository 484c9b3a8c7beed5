import type { EventLog } from '../../src/event-log/event-log';
import { RevisionConflict } from '../../src/event-log/event-log';
import type { EventToAppend, Revision } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvent, someEvents } from '../support/events';
import { newAgentStream, newRunLogStream, readAll, revisionsOf, writeOneByOne } from './event-log.fixture';

/** What `append` promises. */
export function appendContract(current: () => EventLog, reopen: () => Promise<EventLog>): void {
  describe('append', () => {
    it('numbers the events of a stream from 0, at growing positions', async () => {
      const stream = newAgentStream();
      const first = await current().append(stream, someEvents(2), NO_STREAM);
      const second = await current().append(stream, someEvents(3), 1);

      expect(first.revision).toBe(1);
      expect(second.revision).toBe(4);
      const positions = [...(await first.positions()), ...(await second.positions())];
      expect([first.position, second.position]).toEqual([positions[1], positions[4]]);
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)));
      expect(positions[0]! > 0n).toBe(true);

      const stored = await readAll(current(), stream);
      expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
      expect(stored.map(({ position }) => position)).toEqual(positions);
    });

    it('writes a thousand events as one', async () => {
      const stream = newAgentStream();
      const events = someEvents(1_000);
      const { revision, positions } = await current().append(stream, events, NO_STREAM);

      expect(revision).toBe(999);
      expect(await positions()).toHaveLength(1_000);
      expect((await readAll(current(), stream)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    });
  });

  describe('append at another revision', () => {
    const cases: [string, number, Revision, Revision][] = [
      ['a new stream, where there is one', 1, NO_STREAM, 0],
      ['before the last event', 3, 0, 2],
      ['behind the last event', 3, 3, 2],
      ['behind the end of a stream that does not exist', 0, 0, NO_STREAM],
    ];

    it.each(cases)('conflicts: %s', async (_case, stored, expected, actual) => {
      const stream = newAgentStream();
      if (stored > 0) await current().append(stream, someEvents(stored), NO_STREAM);

      const error = await conflictOf(current().append(stream, someEvents(200), expected));

      expect(error).toMatchObject({ stream, expected, actual });
      expect(await readAll(current(), stream)).toHaveLength(stored);
    });

    it('can be put right by taking the actual revision', async () => {
      const stream = newAgentStream();
      await current().append(stream, someEvents(3), NO_STREAM);
      const { actual } = await conflictOf(current().append(stream, someEvents(1), 0));
      expect(await current().append(stream, someEvents(1), actual)).toMatchObject({ revision: 3 });
    });
  });

  describe('append of what was appended before', () => {
    let stream: string;
    let events: EventToAppend[];

    beforeEach(() => {
      stream = newAgentStream();
      events = someEvents(3);
    });

    const answerTo = async (...append: Parameters<EventLog['append']>) => {
      const { revision, position, positions } = await current().append(...append);
      return { revision, position, positions: await positions() };
    };

    it('gives the same answer and writes nothing', async () => {
      const first = await answerTo(stream, events, NO_STREAM);
      expect(await answerTo(stream, events, NO_STREAM)).toEqual(first);
      expect(await revisionsOf(current(), stream)).toEqual([0, 1, 2]);
    });

    it('does so after newer events, in the middle of the stream, and once opened again', async () => {
      await current().append(stream, someEvents(2), NO_STREAM);
      const first = await answerTo(stream, events, 1);
      await current().append(stream, someEvents(4), 4);
      expect(await answerTo(stream, events, 1)).toEqual(first);

      await reopen();
      expect(await answerTo(stream, events, 1)).toEqual(first);
      expect(await readAll(current(), stream)).toHaveLength(9);
    });

    it('does so for binary events', async () => {
      const chunks = newRunLogStream();
      const bytes = someEvents(2, { data: Buffer.from([1, 2, 3]) });
      const first = await answerTo(chunks, bytes, NO_STREAM);
      expect(await answerTo(chunks, bytes, NO_STREAM)).toEqual(first);
    });

    it('does so for both when they are sent at the same moment', async () => {
      const [one, other] = await Promise.all([
        answerTo(stream, events, NO_STREAM),
        answerTo(stream, events, NO_STREAM),
      ]);
      expect(one).toEqual(other);
      expect(await readAll(current(), stream)).toHaveLength(3);
    });

    it('conflicts where only a part is the same', async () => {
      await current().append(stream, events, NO_STREAM);
      const attempts: [EventToAppend[], Revision][] = [
        [[...events, someEvent()], NO_STREAM],
        [[...events.slice(0, 2), someEvent()], NO_STREAM],
        [[someEvent(), ...events.slice(1)], NO_STREAM],
        [[events[1]!, events[0]!], NO_STREAM],
        [[events[1]!], 1],
        [[events[1]!, someEvent()], 0],
      ];
      for (const [attempt, expected] of attempts) {
        const error = await conflictOf(current().append(stream, attempt, expected));
        expect(error).toMatchObject({ expected, actual: 2 });
      }
      expect((await readAll(current(), stream)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    });
  });

  describe('appends at the same moment', () => {
    it('are won by one of 200 for the same revision', async () => {
      const stream = newAgentStream();
      const attempts = Array.from({ length: 200 }, () => someEvent());
      const results = await Promise.allSettled(
        attempts.map((event) => current().append(stream, [event], NO_STREAM)),
      );

      const winners = attempts.filter((_event, index) => results[index]!.status === 'fulfilled');
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect(winners).toHaveLength(1);
      expect(
        reasons.filter((reason) => reason instanceof RevisionConflict && reason.actual === 0),
      ).toHaveLength(199);
      expect((await readAll(current(), stream)).map(({ id }) => id)).toEqual([winners[0]!.id]);
    });

    it('all get their place in one stream when conflicts are met by trying again', async () => {
      const stream = newAgentStream();
      const writers = Array.from({ length: 10 }, () => someEvents(20));
      const revisions = await Promise.all(
        writers.map(async (events) => {
          const taken: Revision[] = [];
          for (const event of events) taken.push(await appendSomewhere(current(), stream, event));
          return taken;
        }),
      );

      const stored = await readAll(current(), stream);
      expect(stored.map(({ revision }) => revision)).toEqual(
        Array.from({ length: 200 }, (_, index) => index),
      );
      writers.forEach((events, writer) =>
        events.forEach(({ id }, index) => expect(stored[revisions[writer]![index]!]!.id).toBe(id)),
      );
    });

    it('to 200 streams all succeed, each at a position of its own', async () => {
      const streams = Array.from({ length: 200 }, (_, index) =>
        index % 4 === 0 ? newRunLogStream() : newAgentStream(),
      );
      const written = (
        await Promise.all(streams.map((stream) => writeOneByOne(current(), stream, 5)))
      ).flat();

      expect(new Set(written.map(({ position }) => position)).size).toBe(1_000);
      for (const stream of streams) expect(await revisionsOf(current(), stream)).toEqual([0, 1, 2, 3, 4]);
    });
  });
}

async function conflictOf(append: Promise<unknown>): Promise<RevisionConflict> {
  const error = await append.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RevisionConflict) return error;
  throw new Error('there was no conflict', { cause: error });
}

async function appendSomewhere(log: EventLog, stream: string, event: EventToAppend): Promise<Revision> {
  for (let expected = NO_STREAM; ;) {
    try {
      return (await log.append(stream, [event], expected)).revision;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      expected = error.actual;
    }
  }
}
