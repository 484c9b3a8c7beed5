import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { LogUnavailable, RevisionConflict } from '../../src/event-log/event-log';
import type { FollowBatch } from '../../src/event-log/event-log';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvent, someEvents } from '../support/events';
import { temporaryFolder } from '../support/temporary-folder';
import { eventLogContract } from './event-log.contract';
import {
  newAgentStream,
  newRunLogStream,
  newRunStream,
  placesOf,
  readAll,
  revisionsOf,
  write,
  writtenPlaces,
} from './event-log.fixture';

eventLogContract('EmbeddedEventLog', async () => {
  const folder = temporaryFolder();
  let log = await EmbeddedEventLog.open(folder);
  const close = () => log.close();
  const reopen = async () => {
    await close();
    return (log = await EmbeddedEventLog.open(folder));
  };
  return { log, reopen, close };
});

describe('EmbeddedEventLog', () => {
  let folder: string;
  let log: EmbeddedEventLog;

  beforeEach(async () => {
    folder = join(temporaryFolder(), 'made', 'on', 'demand');
    log = await EmbeddedEventLog.open(folder);
  });

  afterEach(() => log.close());

  async function reopen(): Promise<void> {
    await log.close();
    log = await EmbeddedEventLog.open(folder);
  }

  /** The batches up to the head. */
  async function batchesAfter(after: bigint, only?: string[]): Promise<FollowBatch[]> {
    const enough = new AbortController();
    const batches: FollowBatch[] = [];
    const head = await log.head();
    const categories = only && { only };
    for await (const batch of log.follow({ after, categories, signal: enough.signal })) {
      batches.push(batch);
      if (batch.reached >= head) enough.abort();
    }
    return batches;
  }

  it('keeps chunk streams in a file of their own', async () => {
    await write(log, newAgentStream());
    await log.close();
    const files = (await readdir(folder)).filter((name) => name.endsWith('.db'));
    expect(files.sort()).toEqual(['log.db', 'runlog.db']);

    log = await EmbeddedEventLog.open(folder);
    const [chunk] = await write(log, newRunLogStream());
    await log.close();
    log = await EmbeddedEventLog.open(folder);
    expect(placesOf((await batchesAfter(0n, ['runlog'])).flatMap(({ events }) => events))).toEqual(
      writtenPlaces([chunk!]),
    );
  });

  it('counts positions from 1, over both files, and goes on behind the last when opened again', async () => {
    expect(await log.head()).toBe(0n);
    const positions = [];
    for (const newStream of [newAgentStream, newRunLogStream, newRunStream, newRunLogStream]) {
      positions.push(...(await write(log, newStream())).map(({ position }) => position));
    }
    expect(positions).toEqual([1n, 2n, 3n, 4n]);

    await reopen();
    expect(await log.head()).toBe(4n);
    expect((await write(log, newAgentStream()))[0]!.position).toBe(5n);
    await reopen();
    expect(await log.head()).toBe(5n);
  });

  describe('a group of appends of the same moment', () => {
    it('refuses only what conflicts', async () => {
      const [one, other, chunks] = [newAgentStream(), newAgentStream(), newRunLogStream()];
      await log.append(other, someEvents(1), NO_STREAM);

      const results = await Promise.allSettled([
        log.append(one, someEvents(2), NO_STREAM),
        log.append(other, someEvents(2), NO_STREAM),
        log.append(other, someEvents(2), 0),
        log.append(chunks, someEvents(2), 5),
        log.append(chunks, someEvents(2), NO_STREAM),
      ]);

      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(results[1]).toMatchObject({ reason: { expected: NO_STREAM, actual: 0 } });
      expect(results[3]).toMatchObject({ reason: { expected: 5, actual: NO_STREAM } });
      expect(await revisionsOf(log, one)).toEqual([0, 1]);
      expect(await revisionsOf(log, other)).toEqual([0, 1, 2]);
      expect(await revisionsOf(log, chunks)).toEqual([0, 1]);
    });

    it('checks each after those before it', async () => {
      const stream = newAgentStream();
      const [first, second, third] = await Promise.allSettled([
        log.append(stream, someEvents(2), NO_STREAM),
        log.append(stream, someEvents(2), 1),
        log.append(stream, someEvents(2), 1),
      ]);
      expect(first).toMatchObject({ status: 'fulfilled', value: { revision: 1 } });
      expect(second).toMatchObject({ status: 'fulfilled', value: { revision: 3 } });
      expect(third).toMatchObject({ status: 'rejected', reason: { actual: 3 } });
    });

    it('may be larger than one transaction takes', async () => {
      const stream = newAgentStream();
      const events = someEvents(2_500);
      const appends = events.map((event, index) => log.append(stream, [event], index - 1));
      expect((await Promise.all(appends)).map(({ revision }) => revision)).toEqual([...events.keys()]);
    });

    it('is not failed by an append that is wrong in itself', async () => {
      const stream = newAgentStream();
      const results = await Promise.allSettled([
        log.append(stream, [], NO_STREAM),
        log.append('nocategory', someEvents(1), NO_STREAM),
        log.append(stream, [someEvent({ data: '"a\0b"' })], NO_STREAM),
        log.append(stream, [someEvent({ metadata: { at: 'yesterday' } })], NO_STREAM),
        log.append(stream, someEvents(1), NO_STREAM),
      ]);
      const reasons = results
        .slice(0, 4)
        .map((result) => (result as PromiseRejectedResult).reason as unknown);
      for (const reason of reasons) {
        expect(reason).toBeInstanceOf(Error);
        expect(reason).not.toBeInstanceOf(LogUnavailable);
        expect(reason).not.toBeInstanceOf(RevisionConflict);
      }
      expect(results[4]).toMatchObject({ status: 'fulfilled' });
    });
  });

  describe('close', () => {
    it('waits for the appends that were sent before it', async () => {
      const streams = Array.from({ length: 50 }, newAgentStream);
      const appends = streams.map((stream) => log.append(stream, someEvents(1), NO_STREAM));
      await log.close();
      await Promise.all(appends);

      log = await EmbeddedEventLog.open(folder);
      for (const stream of streams) expect(await readAll(log, stream)).toHaveLength(1);
    });

    it('leaves nothing to read', async () => {
      const stream = newAgentStream();
      await write(log, stream, someEvents(600));
      const half = async () => {
        for await (const { revision } of log.read(stream)) if (revision === 10) await log.close();
      };
      await expect(half()).rejects.toThrow(LogUnavailable);
      await expect(readAll(log, stream)).rejects.toThrow(LogUnavailable);
      await expect(log.head()).rejects.toThrow(LogUnavailable);
      await expect(log.setMaxAge(stream, 1)).rejects.toThrow(LogUnavailable);
    });
  });

  describe('follow', () => {
    it('brings at most 500 small events, or about 1 MiB, at once', async () => {
      const small = await write(log, newAgentStream(), someEvents(1_200));
      const chunks = await write(log, newRunLogStream(), someEvents(100, { data: Buffer.alloc(65_536) }));

      const batches = await batchesAfter(0n);

      const events = batches.flatMap((batch) => batch.events);
      expect(placesOf(events)).toEqual(writtenPlaces([...small, ...chunks]));
      expect(Math.max(...batches.map((batch) => batch.events.length))).toBe(500);
      expect(Math.max(...batches.map(sizeOf))).toBeLessThan(1.2 * 1024 * 1024);
    });

    it('looks through a long stretch of other events in steps, and finds what lies behind it', async () => {
      const others = newAgentStream();
      for (let round = 0; round < 25; round++) {
        await write(log, others, someEvents(1_000, { data: '0' }), round * 1_000 - 1);
      }
      const wanted = await write(log, newRunStream());

      const batches = await batchesAfter(0n, ['run']);

      expect(batches.map(({ reached }) => reached)).toEqual([20_000n, 25_001n]);
      expect(placesOf(batches.flatMap(({ events }) => events))).toEqual(writtenPlaces(wanted));
    });

    it('lets the event loop turn while it catches up', async () => {
      await write(log, newAgentStream(), someEvents(5_000));
      let turns = 0;
      const turning = setInterval(() => (turns += 1), 0);
      await batchesAfter(0n);
      clearInterval(turning);
      expect(turns).toBeGreaterThan(1);
    });
  });

  it('measures the age of events by their own time, and remembers the maximum', async () => {
    const now = new Date('2030-01-01T12:00:00.000Z');
    const agedSec = (ageSec: number) => new Date(now.getTime() - ageSec * 1000).toISOString();
    const stream = newRunLogStream();
    const events = [100, 61, 60, 5].map((ageSec) => someEvent({ metadata: { at: agedSec(ageSec) } }));
    await log.append(stream, events, NO_STREAM);
    await log.setMaxAge(stream, 60);
    await log.close();

    log = await EmbeddedEventLog.open(folder, { clock: { now: () => now } });
    expect(await revisionsOf(log, stream)).toEqual([2, 3]);
    expect(await revisionsOf(log, stream, { direction: 'backwards' })).toEqual([3, 2]);
    await log.setMaxAge(stream, 1_000);
    expect(await revisionsOf(log, stream)).toEqual([0, 1, 2, 3]);
  });

  describe('scavenge', () => {
    const now = new Date('2030-01-01T12:00:00.000Z');
    const agedSec = (ageSec: number) => ({
      metadata: { at: new Date(now.getTime() - ageSec * 1000).toISOString() },
    });
    const chunk = (ageSec: number) => someEvent({ ...agedSec(ageSec), data: Buffer.alloc(65_536, 1) });
    const chunks = (count: number, ageSec: number) => Array.from({ length: count }, () => chunk(ageSec));

    beforeEach(async () => {
      await log.close();
      log = await EmbeddedEventLog.open(folder, { clock: { now: () => now } });
    });

    async function scavengeAll(maxBytes: number): Promise<{ steps: number; events: number }> {
      const total = { steps: 0, events: 0 };
      for (; log.needsScavenging; total.steps += 1) total.events += (await log.scavenge(maxBytes)).events;
      return total;
    }

    const eventsOf = async (stream: string) =>
      (await batchesAfter(0n)).flatMap(({ events }) => events).filter((event) => event.stream === stream);

    it('removes streams that have aged out but for their last events, in small steps; all others stay', async () => {
      const [aged, ageing, kept] = [newRunLogStream(), newRunLogStream(), newRunLogStream()];
      const lasting = await write(log, newAgentStream(), someEvents(3, agedSec(500)));
      for (const stream of [aged, ageing, kept]) await write(log, stream, chunks(40, 100));
      await log.append(ageing, [chunk(50)], 39);
      const before = await batchesAfter(0n);
      expect(log.needsScavenging).toBe(false);
      await log.setMaxAge(aged, 60);
      await log.setMaxAge(ageing, 60);

      const { steps, events } = await scavengeAll(256 * 1024);

      expect(events).toBe(39);
      expect(steps).toBeGreaterThanOrEqual(10);
      expect((await eventsOf(aged)).map(({ revision }) => revision)).toEqual([39]);
      expect(await eventsOf(ageing)).toHaveLength(41);
      expect(await eventsOf(kept)).toHaveLength(40);
      const there = new Set(before.flatMap((batch) => placesOf(batch.events)));
      for (const place of placesOf((await batchesAfter(0n)).flatMap((batch) => batch.events))) {
        expect(there).toContain(place);
      }
      expect(placesOf(await eventsOf(lasting[0]!.stream))).toEqual(writtenPlaces(lasting));
      expect(log.needsScavenging).toBe(false);
    });

    it('gives the room back, and nothing that is written afterwards takes a place that was taken', async () => {
      const stream = newRunLogStream();
      const written = await write(log, stream, chunks(64, 100));
      await log.setMaxAge(stream, 60);
      await write(log, newAgentStream());
      const file = join(folder, 'runlog.db');
      await scavengeAll(1024 * 1024);
      const head = await log.head();
      for (const { position } of written) expect(log.has(position)).toBe(true);
      await reopen();
      expect(statSync(file).size).toBeLessThan(512 * 1024);
      expect(await log.head()).toBe(head);
      await expect(log.append(stream, someEvents(1), NO_STREAM)).rejects.toThrow(RevisionConflict);
      expect(await log.append(stream, someEvents(1), 63)).toMatchObject({
        revision: 64,
        position: head + 1n,
      });
    });

    it('lets appends of the same time pass', async () => {
      const [aged, stream] = [newRunLogStream(), newAgentStream()];
      await write(log, aged, chunks(100, 100));
      await log.setMaxAge(aged, 60);
      const appends = Array.from({ length: 50 }, (_, index) => log.append(stream, someEvents(1), index - 1));
      const steps = Array.from({ length: 50 }, () => log.scavenge(128 * 1024));
      await Promise.all([...appends, ...steps]);
      expect(await revisionsOf(log, stream)).toHaveLength(50);
      expect((await eventsOf(aged)).map(({ revision }) => revision)).toEqual([99]);
    });
  });
});

function sizeOf({ events }: FollowBatch): number {
  return events.reduce((sum, { data, metadata }) => sum + data.length + JSON.stringify(metadata).length, 0);
}
