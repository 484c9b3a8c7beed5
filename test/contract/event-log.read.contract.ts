import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, ReadOptions } from '../../src/event-log/event-log';
import { NO_STREAM } from '../../src/kernel/event';
import type { EventToAppend, Revision } from '../../src/kernel/event';
import { someEvent, someEvents, someMetadata } from '../support/events';
import { newAgentStream, newRunLogStream, newRunStream, readAll, revisionsOf } from './event-log.fixture';

/** What `read` promises, and `setMaxAge`. */
export function readContract(current: () => EventLog): void {
  describe('read', () => {
    it('gives back every field of an event as it was appended', async () => {
      const stream = newRunStream();
      const event = someEvent({
        type: 'WakeupRequested',
        metadata: someMetadata({
          schemaVersion: 7,
          at: '2024-02-29T23:59:59.999Z',
          causationId: '0190c5c6-0000-7000-8000-000000000001',
          actor: { type: 'agent', id: 'Zoë "the ✓" 🛰️' },
        }),
      });
      const { position } = await current().append(stream, [event], NO_STREAM);
      expect(await readAll(current(), stream)).toEqual([{ ...event, stream, revision: 0, position }]);
    });

    it.each([
      ['unicode', JSON.stringify({ text: 'Ünïcödé 日本語 👩‍👩‍👧 \u2028 \u0000 \ud800 "\\' })],
      ['spaces and the order of keys', '{ "b" : 1 ,\n\t"a":[ 1.0, 1e3 , 12345678901234567890 ] }'],
      ['a large one', JSON.stringify('é'.repeat(300_000))],
      ['the smallest', '0'],
    ])('gives back JSON text to the letter: %s', async (_case, data) => {
      const stream = newAgentStream();
      await current().append(stream, [someEvent({ data })], NO_STREAM);
      const [stored] = await readAll(current(), stream);
      expect(stored!.data).toBe(data);
    });

    it.each([
      ['every byte', Buffer.from(Array.from({ length: 256 }, (_, index) => index))],
      ['64 KiB', randomBytes(65_536)],
      ['a part of a larger buffer', randomBytes(1_000).subarray(100, 300)],
      ['no byte', new Uint8Array(0)],
      ['what looks like text', Buffer.from('{"a":1}\n')],
    ])('gives back bytes: %s', async (_case, data) => {
      const stream = newRunLogStream();
      await current().append(stream, [someEvent({ data })], NO_STREAM);
      const [stored] = await readAll(current(), stream);
      expect(stored!.data).toBeInstanceOf(Uint8Array);
      expect(sha256(stored!.data)).toBe(sha256(data));
    });

    const ranges: [string, ReadOptions, Revision[]][] = [
      ['everything', {}, [0, 1, 2, 3, 4, 5]],
      ['from a revision', { from: 2 }, [2, 3, 4, 5]],
      ['up to a limit', { limit: 2 }, [0, 1]],
      ['from a revision up to a limit', { from: 3, limit: 2 }, [3, 4]],
      ['from behind the end', { from: 6 }, []],
      ['nothing', { limit: 0 }, []],
      ['everything backwards', { direction: 'backwards' }, [5, 4, 3, 2, 1, 0]],
      ['backwards from a revision', { direction: 'backwards', from: 2 }, [2, 1, 0]],
      ['backwards from behind the end', { direction: 'backwards', from: 99 }, [5, 4, 3, 2, 1, 0]],
      ['the last event', { direction: 'backwards', limit: 1 }, [5]],
      ['backwards from a revision up to a limit', { direction: 'backwards', from: 4, limit: 2 }, [4, 3]],
    ];

    it.each(ranges)('takes a range: %s', async (_case, options, revisions) => {
      const stream = newAgentStream();
      await current().append(newAgentStream(), someEvents(3), NO_STREAM);
      await current().append(stream, someEvents(6), NO_STREAM);
      expect(await revisionsOf(current(), stream, options)).toEqual(revisions);
    });

    it('takes ranges of a long stream', async () => {
      const stream = newAgentStream();
      await current().append(stream, someEvents(1_500), NO_STREAM);
      const all = Array.from({ length: 1_500 }, (_, index) => index);

      expect(await revisionsOf(current(), stream)).toEqual(all);
      expect(await revisionsOf(current(), stream, { from: 200, limit: 700 })).toEqual(all.slice(200, 900));
      expect(await revisionsOf(current(), stream, { direction: 'backwards' })).toEqual(all.toReversed());
      const backwards = { direction: 'backwards', from: 999, limit: 600 } as const;
      expect(await revisionsOf(current(), stream, backwards)).toEqual(all.slice(400, 1_000).toReversed());
    });

    it('takes ranges of a stream of large events', async () => {
      const stream = newRunLogStream();
      const events: EventToAppend[] = someEvents(50).map((event) => ({
        ...event,
        data: randomBytes(65_536),
      }));
      for (const [index, event] of events.entries()) await current().append(stream, [event], index - 1);

      const stored = await readAll(current(), stream);
      expect(stored.map(({ data }) => sha256(data))).toEqual(events.map(({ data }) => sha256(data)));
      const backwards = await readAll(current(), stream, { direction: 'backwards' });
      expect(backwards.map(({ id }) => id)).toEqual(events.map(({ id }) => id).toReversed());
    });

    it('gives nothing for a stream that does not exist', async () => {
      expect(await readAll(current(), newAgentStream())).toEqual([]);
      expect(await readAll(current(), newAgentStream(), { direction: 'backwards', limit: 1 })).toEqual([]);
    });

    it('can be left early', async () => {
      const stream = newAgentStream();
      await current().append(stream, someEvents(600), NO_STREAM);
      for await (const { revision } of current().read(stream)) if (revision === 300) break;
      expect(await current().append(stream, someEvents(1), 599)).toMatchObject({ revision: 600 });
    });
  });

  describe('setMaxAge', () => {
    it('lets the events of its stream age out, and of no other', async () => {
      const [stream, other] = [newRunLogStream(), newRunLogStream()];
      await current().append(stream, someEvents(3), NO_STREAM);
      await current().append(other, someEvents(3), NO_STREAM);
      await current().setMaxAge(stream, 1);

      while ((await readAll(current(), stream)).length > 0) await sleep(50);
      expect(await readAll(current(), other)).toHaveLength(3);
      expect(await current().append(stream, someEvents(1), 2)).toMatchObject({ revision: 3 });
    });

    it('is changed and taken back, and may be set again', async () => {
      const stream = newRunLogStream();
      await current().append(stream, someEvents(3), NO_STREAM);
      await current().setMaxAge(stream, 1);
      await current().setMaxAge(stream, 1);
      while ((await readAll(current(), stream)).length > 0) await sleep(50);
      await current().setMaxAge(stream, 3_600);
      expect((await revisionsOf(current(), stream)).at(-1)).toBe(2);
      await current().setMaxAge(stream, null);
      await current().setMaxAge(stream, null);
      expect((await revisionsOf(current(), stream)).at(-1)).toBe(2);
    });

    it('leaves events alone that are not old enough', async () => {
      const stream = newRunLogStream();
      await current().setMaxAge(stream, 3_600);
      await current().append(stream, someEvents(3), NO_STREAM);
      expect(await revisionsOf(current(), stream)).toEqual([0, 1, 2]);
    });
  });
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
