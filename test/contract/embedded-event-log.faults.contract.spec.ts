import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { EventWriter } from '../../src/event-log/embedded/event-writer';
import { FollowInterrupted, LogUnavailable, RevisionConflict } from '../../src/event-log/event-log';
import { NO_STREAM } from '../../src/kernel/event';
import type { Database } from '../../src/sqlite/sqlite';
import { openDatabase } from '../../src/sqlite/sqlite';
import { WriterDown } from '../../src/sqlite/writer';
import type { Acknowledged } from '../support/appending-process';
import { someEvents } from '../support/events';
import { temporaryFolder } from '../support/temporary-folder';
import {
  followUntil,
  newAgentStream,
  newRunLogStream,
  placesOf,
  readAll,
  revisionsOf,
  write,
  writtenPlaces,
} from './event-log.fixture';

describe('EmbeddedEventLog when its disk is full', () => {
  let events: Database;
  let log: EmbeddedEventLog;

  beforeEach(async () => {
    const folder = temporaryFolder();
    events = openDatabase(join(folder, 'log.db'), 'FULL');
    // How many pages a file may have is up to the connection that writes it, so it has to be within reach.
    const writer = new EventWriter(events, openDatabase(join(folder, 'runlog.db'), 'FULL'));
    log = await EmbeddedEventLog.open(folder, { writer });
  });

  afterEach(() => log.close());

  const limitPages = (count: number) => events.exec(`PRAGMA max_page_count = ${count}`);
  const largeEvents = () => someEvents(50, { data: JSON.stringify('x'.repeat(10_000)) });

  it('refuses what does not fit, and takes the same events again when there is room', async () => {
    const [full, fresh, chunks] = [newAgentStream(), newAgentStream(), newRunLogStream()];
    const before = await write(log, full, someEvents(3));
    const head = await log.head();
    limitPages(20);

    const [large, small] = [largeEvents(), someEvents(2)];
    const results = await Promise.allSettled([
      log.append(fresh, small, NO_STREAM),
      log.append(full, large, 2),
    ]);

    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(LogUnavailable) as unknown });
    }
    await expect(log.append(full, someEvents(1), 0)).rejects.toThrow(RevisionConflict);
    expect(await log.head()).toBe(head);
    expect(await revisionsOf(log, full)).toEqual([0, 1, 2]);
    expect(await readAll(log, fresh)).toEqual([]);

    const meanwhile = await write(log, chunks, someEvents(1));
    limitPages(100_000);
    const after = [...(await write(log, fresh, small)), ...(await write(log, full, large, 2))];

    expect(await revisionsOf(log, full)).toEqual(Array.from({ length: 53 }, (_, index) => index));
    const written = [...before, ...meanwhile, ...after];
    const streams = new Set([full, fresh, chunks]);
    const followed = await followUntil(log, { after: 0n }, await log.head(), streams);
    expect(placesOf(followed.events)).toEqual(writtenPlaces(written));
  });

  it('goes on taking what fits', async () => {
    const stream = newAgentStream();
    limitPages(20);
    await expect(log.append(stream, largeEvents(), NO_STREAM)).rejects.toThrow(LogUnavailable);
    expect(await log.append(stream, someEvents(2), NO_STREAM)).toMatchObject({ revision: 1 });
    expect(await log.append(stream, someEvents(2), 1)).toMatchObject({ revision: 3 });
  });
});

describe('EmbeddedEventLog without its writer', () => {
  it('does not know what became of an append, and reads what it can', async () => {
    const folder = temporaryFolder();
    const real = EventWriter.open(folder);
    let isDown = false;
    const writer = {
      get state() {
        return real.state;
      },
      write: (requests: Parameters<EventWriter['write']>[0]) => {
        if (isDown) throw new WriterDown();
        return real.write(requests);
      },
      close: () => real.close(),
    };
    const log = await EmbeddedEventLog.open(folder, { writer });
    const stream = newAgentStream();
    await write(log, stream, someEvents(2));

    isDown = true;
    await expect(log.append(stream, someEvents(1), 1)).rejects.toThrow(LogUnavailable);
    await expect(log.setMaxAge(stream, 1)).rejects.toThrow(LogUnavailable);
    expect(await revisionsOf(log, stream)).toEqual([0, 1]);

    isDown = false;
    await write(log, stream, someEvents(1), 1);
    expect(await revisionsOf(log, stream)).toEqual([0, 1, 2]);
    await log.close();
  });

  it('shows nothing that is not acknowledged yet', async () => {
    const folder = temporaryFolder();
    const real = EventWriter.open(folder);
    const writer = {
      state: 0,
      write: (requests: Parameters<EventWriter['write']>[0]) => real.write(requests),
      close: () => real.close(),
    };
    const log = await EmbeddedEventLog.open(folder, { writer });
    const stream = newAgentStream();
    const [event] = await write(log, stream);
    expect(await readAll(log, stream)).toEqual([]);
    writer.state = Number(event!.position);
    await write(log, newAgentStream());
    expect(await readAll(log, stream)).toHaveLength(1);
    await log.close();
  });
});

describe('EmbeddedEventLog when a statement fails', () => {
  let log: EmbeddedEventLog;
  let outside: Database;

  let folder: string;

  beforeEach(async () => {
    folder = temporaryFolder();
    log = await EmbeddedEventLog.open(folder);
    outside = openDatabase(join(folder, 'log.db'), 'FULL');
  });

  afterEach(async () => {
    outside.close();
    await log.close();
  });

  /** A violated deferred constraint is found by the COMMIT. */
  const failCommits = () =>
    outside.exec(`
      CREATE TABLE allowed (id INTEGER PRIMARY KEY);
      CREATE TABLE violation (id REFERENCES allowed DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER violate AFTER INSERT ON events BEGIN INSERT INTO violation VALUES (1); END;`);

  it('rejects the whole group of a file on a failed commit, and stays correct', async () => {
    const [known, fresh, chunks] = [newAgentStream(), newAgentStream(), newRunLogStream()];
    const before = await write(log, known, someEvents(1));
    failCommits();

    const [one, other, chunk] = [someEvents(2), someEvents(2, { type: 'NeverSeenBefore' }), someEvents(1)];
    const results = await Promise.allSettled([
      log.append(known, one, 0),
      log.append(fresh, other, NO_STREAM),
      log.append(chunks, chunk, NO_STREAM),
    ]);

    expect(results[0]).toMatchObject({ reason: expect.any(LogUnavailable) as unknown });
    expect(results[1]).toMatchObject({ reason: expect.any(LogUnavailable) as unknown });
    expect(results[2]).toMatchObject({ status: 'fulfilled' });
    expect(await revisionsOf(log, known)).toEqual([0]);
    expect(await readAll(log, fresh)).toEqual([]);

    outside.exec('DROP TRIGGER violate');
    const again = [...(await write(log, known, one, 0)), ...(await write(log, fresh, other))];
    const stored = [...(await readAll(log, known)), ...(await readAll(log, fresh))];
    expect(placesOf(stored)).toEqual(writtenPlaces([...before, ...again]));
    expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2, 0, 1]);
    expect(stored.at(-1)!.type).toBe('NeverSeenBefore');
  });

  it('interrupts followers and readers of what cannot be read, who may come back', async () => {
    const stream = newAgentStream();
    const [event] = await write(log, stream);
    // What was written in this life is known without the file.
    await log.close();
    log = await EmbeddedEventLog.open(folder);
    const next = () => log.follow({ after: 0n, signal: new AbortController().signal }).next();

    outside.exec('ALTER TABLE types RENAME TO away');
    const error: unknown = await next().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FollowInterrupted);
    expect(error).toMatchObject({ resumable: true });
    await expect(readAll(log, stream)).rejects.toThrow(LogUnavailable);

    outside.exec('ALTER TABLE away RENAME TO types');
    expect(await next()).toMatchObject({ value: { reached: event!.position } });
    expect(await readAll(log, stream)).toHaveLength(1);
  });
});

describe('EmbeddedEventLog after kill -9', () => {
  it('has all that was acknowledged, and no gap', async () => {
    const folder = temporaryFolder();
    const acknowledged: Acknowledged[] = [];
    for (const count of [1, 60, 137, 251, 400]) {
      const seen = await killAfter(count, folder);
      expect(seen.length).toBeGreaterThanOrEqual(count);
      acknowledged.push(...seen);
      await expectAllThere(folder, acknowledged);
    }
  });

  /** Runs a process that appends, and kills it once it has acknowledged `count` appends. Answers all that it did. */
  async function killAfter(count: number, folder: string): Promise<Acknowledged[]> {
    const support = join(__dirname, '..', 'support');
    const script = join(support, 'appending-process.ts');
    const child = spawn(process.execPath, ['-r', join(support, 'typescript-hook.cjs'), script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const seen: Acknowledged[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      // The last line may have been cut off in the middle: then nobody was told.
      if (!line.endsWith('}')) continue;
      seen.push(JSON.parse(line) as Acknowledged);
      if (seen.length === count) child.kill('SIGKILL');
    }
    expect(await exited).toEqual([null, 'SIGKILL']);
    return seen;
  }

  async function expectAllThere(folder: string, acknowledged: readonly Acknowledged[]): Promise<void> {
    const log = await EmbeddedEventLog.open(folder);
    try {
      const stored = new Set<string>();
      const positions: bigint[] = [];
      for (const stream of new Set(acknowledged.map((append) => append.stream))) {
        const events = await readAll(log, stream);
        expect(events.map(({ revision }) => revision)).toEqual([...events.keys()]);
        for (const { id, revision, position } of events) {
          stored.add(`${stream} ${revision} ${id} ${position}`);
          positions.push(position);
        }
      }
      expect(new Set(positions).size).toBe(positions.length);
      const missing = acknowledged.flatMap(placesAcknowledged).filter((place) => !stored.has(place));
      expect(missing).toEqual([]);
    } finally {
      await log.close();
    }
  }
});

function placesAcknowledged({ stream, ids, positions, revision }: Acknowledged): string[] {
  const first = revision - ids.length + 1;
  return ids.map((id, index) => `${stream} ${first + index} ${id} ${positions[index]}`);
}
