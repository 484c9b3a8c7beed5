import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { appendSurely } from '../../src/event-log/append-surely';
import { untilAvailable } from '../../src/event-log/until-available';
import { AppendRefused, FollowInterrupted, LogUnavailable } from '../../src/event-log/event-log';
import { EventstoredbEventLog } from '../../src/event-log/eventstoredb/eventstoredb-event-log';
import type { Position } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { Feed } from '../../src/processing/feed';
import { eventually } from '../support/eventually';
import { someEvent, someEvents } from '../support/events';
import { ObservedLog } from '../support/observed-log';
import type { ProxiedNode } from '../support/eventstoredb/node';
import { startProxiedNode } from '../support/eventstoredb/node';
import { newAgentStream, newRunLogStream, readAll } from './event-log.fixture';

/*
 * What the facts about the client 6.2.1 lead to, one by one; docs/eventstoredb.md says which test is about which. Each
 * test has a proxy between the log and the node, and looks at the outcome past it.
 */

let node: ProxiedNode;
let log: EventstoredbEventLog;

beforeEach(async () => {
  node = await startProxiedNode();
  log = await EventstoredbEventLog.open(node.url);
});

afterEach(async () => {
  await log.close();
  await node.stop();
});

/** What stands on the node, past the proxy. Only after `log` was closed: one client a process. */
async function standing(streams: readonly string[]): Promise<string[][]> {
  await log.close();
  log = await EventstoredbEventLog.open(node.directUrl);
  const ids: string[][] = [];
  for (const stream of streams) ids.push((await readAll(log, stream)).map(({ id }) => id));
  return ids;
}

describe('appends', () => {
  test('a lost answer: the same bytes are sent again at the same revision, and stand once', async () => {
    const observed = new ObservedLog(log);
    const [stream, events] = [newAgentStream(), someEvents(3)];
    node.proxy.loseAnswers();
    const appending = appendSurely(observed, stream, events, NO_STREAM, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    node.proxy.reset();
    expect(await appending).toMatchObject({ revision: 2 });
    expect(observed.appends.length).toBeGreaterThan(1);
    for (const call of observed.appends) expect(call).toEqual({ stream, events, expected: NO_STREAM });
    expect(await standing([stream])).toEqual([events.map(({ id }) => id)]);
  });

  test('a frozen node: a deadline of 5 s, and the same client is back by itself', async () => {
    const [stream, events] = [newAgentStream(), someEvents(1)];
    node.proxy.freeze();
    const startedAt = Date.now();
    await expect(log.append(stream, events, NO_STREAM)).rejects.toThrow(LogUnavailable);
    const tookMs = Date.now() - startedAt;
    expect(tookMs).toBeGreaterThan(4_500);
    expect(tookMs).toBeLessThan(8_000);
    node.proxy.thaw();
    expect(await appendSurely(log, stream, events, NO_STREAM)).toMatchObject({ revision: 0 });
    expect(await standing([stream])).toEqual([events.map(({ id }) => id)]);
  });

  test('64 in flight, resets all the while: nothing acknowledged is lost, nothing stands twice', async () => {
    const streams = Array.from({ length: 64 }, newAgentStream);
    const writers = streams.map(async (stream) => {
      const ids: string[] = [];
      for (let expected = NO_STREAM; expected < 7; expected++) {
        const event = someEvent();
        await appendSurely(log, stream, [event], expected, 60_000);
        ids.push(event.id);
      }
      return ids;
    });
    const done = Promise.all(writers);
    let isDone = false;
    void done.finally(() => (isDone = true)).catch(() => undefined);
    for (let bytes = 300; !isDone; bytes += 700) {
      node.proxy.cutAfter(bytes);
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 150))]);
    }
    const acknowledged = await done;
    node.proxy.cutAfter(Infinity);
    expect(await standing(streams)).toEqual(acknowledged);
  });

  test('a node that is down: raw gRPC errors of code 14 are ambiguous failures, and reads and head say so', async () => {
    const [stream, events] = [newAgentStream(), someEvents(1)];
    await node.proxy.refuse();
    await expect(log.append(stream, events, NO_STREAM)).rejects.toThrow(LogUnavailable);
    await expect(readAll(log, stream)).rejects.toThrow(LogUnavailable);
    await expect(log.head()).rejects.toThrow(LogUnavailable);
    await expect(log.setMaxAge(newRunLogStream(), 60)).rejects.toThrow(LogUnavailable);
    await node.proxy.accept();
    expect(await appendSurely(log, stream, events, NO_STREAM)).toMatchObject({ revision: 0 });
    expect(await readAll(log, stream)).toHaveLength(1);
  });

  test('a node that cannot say what it can do, since it is stopping, takes appends again when it is back', async () => {
    node.double?.failQuestions();
    node.proxy.reset();
    expect(await appendSurely(log, newAgentStream(), someEvents(1), NO_STREAM)).toMatchObject({
      revision: 0,
    });
  });

  test('a lost answer to several events: the position told is still that of the last one', async () => {
    const [stream, events] = [newAgentStream(), someEvents(3)];
    node.proxy.loseAnswers();
    const appending = appendSurely(log, stream, events, NO_STREAM, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    node.proxy.reset();
    const { position } = await appending;
    expect((await readAll(log, stream)).at(-1)!.position).toBe(position);
  });

  test('readers whose turn does not come while a node is frozen are told so in time, too', async () => {
    const stream = newAgentStream();
    await log.append(stream, someEvents(1), NO_STREAM);
    node.proxy.freeze();
    const startedAt = Date.now();
    const readers = await Promise.allSettled(Array.from({ length: 200 }, () => readAll(log, stream)));
    expect(Date.now() - startedAt).toBeLessThan(14_000);
    for (const { status, ...rest } of readers) {
      expect(status).toBe('rejected');
      expect((rest as { reason: unknown }).reason).toBeInstanceOf(LogUnavailable);
    }
    node.proxy.thaw();
    expect(await readAll(log, stream)).toHaveLength(1);
  });

  test('above 1 MiB: refused at once with the stream and the limit, and not sent again', async () => {
    const observed = new ObservedLog(log);
    const stream = newAgentStream();
    const tooLarge = someEvents(3, { data: JSON.stringify('x'.repeat(400_000)) });
    const refused = appendSurely(observed, stream, tooLarge, NO_STREAM);
    await expect(refused).rejects.toThrow(AppendRefused);
    await expect(refused).rejects.toThrow(`${stream}: they are larger than 1048576 bytes together`);
    expect(observed.appends).toHaveLength(1);
    expect(await log.append(stream, tooLarge.slice(0, 2), NO_STREAM)).toMatchObject({ revision: 1 });
  });

  test('an id that is no UUID is refused before the client sees it', async () => {
    const append = log.append(newAgentStream(), [someEvent({ id: 'first' })], NO_STREAM);
    await expect(append).rejects.toThrow('not a UUID: first');
  });

  test('first appends on a fresh connection that nobody waits for are never in another order', async () => {
    const stream = newAgentStream();
    const events = someEvents(20);
    const appends = events.map((event, index) => appendSurely(log, stream, [event], index - 1));
    await Promise.allSettled(appends);
    const stored = (await readAll(log, stream)).map(({ id }) => id);
    expect(stored).toEqual(events.slice(0, stored.length).map(({ id }) => id));
  });

  test('the end of one client costs another one of the process no append, and the process not its life', async () => {
    const other = await EventstoredbEventLog.open(node.directUrl);
    await other.append(newAgentStream(), someEvents(1), NO_STREAM);
    const [stream, events] = [newAgentStream(), someEvents(1)];
    await log.append(newAgentStream(), someEvents(1), NO_STREAM);
    node.proxy.delay(200);
    const appending = appendSurely(log, stream, events, NO_STREAM);
    // Rejects the appends of all clients, and forgets them: the answer that comes then belongs to none.
    await other.close();
    expect(await appending).toMatchObject({ revision: 0 });
    node.proxy.delay(0);
    expect(await standing([stream])).toEqual([events.map(({ id }) => id)]);
  });
});

describe('followers', () => {
  let feed: Feed;
  let interruptions: unknown[];
  const stop = new AbortController();

  /** Follows, through a feed, what is written from now on; slow enough to have something waiting at each cut. */
  async function follow(streams: ReadonlySet<string>): Promise<{ ids: string[]; reached: () => Position }> {
    interruptions = [];
    feed = new Feed(log, (error) => interruptions.push(error));
    const after = await log.head();
    await feed.start();
    const ids: string[] = [];
    let reached = after;
    void (async () => {
      for await (const batch of feed.subscribe(after, stop.signal)) {
        expect(batch.reached > reached).toBe(true);
        ids.push(...batch.events.filter(({ stream }) => streams.has(stream)).map(({ id }) => id));
        reached = batch.reached;
      }
    })();
    return { ids, reached: () => reached };
  }

  afterEach(async () => {
    node.proxy.cutAfter(Infinity);
    await feed?.stop();
  });

  /** Writes and disturbs, then compares what the feed has brought with the log. */
  async function writeAndCompare(disturb: (round: number) => void): Promise<void> {
    const streams = Array.from({ length: 8 }, newAgentStream);
    const seen = await follow(new Set(streams));
    const written: { id: string; position: Position }[] = [];
    for (let round = 0; round < 12; round++) {
      disturb(round);
      await Promise.all(
        streams.map(async (stream) => {
          const events = someEvents(5);
          const appended = await appendSurely(log, stream, events, round * 5 - 1, 30_000);
          const positions = await untilAvailable(() => appended.positions(), stop.signal);
          written.push(...events.map(({ id }, index) => ({ id, position: positions[index]! })));
        }),
      );
    }
    node.proxy.cutAfter(Infinity);
    const inOrder = written.sort((a, b) => (a.position < b.position ? -1 : 1)).map(({ id }) => id);
    await eventually(() => expect(seen.ids.length).toBeGreaterThanOrEqual(inOrder.length), 20_000);
    expect(seen.ids).toEqual(inOrder);
    // The node's own events may have taken it further than that.
    await eventually(async () => expect(seen.reached() >= (await log.head())).toBe(true));
  }

  test('a subscription that ends with an error goes on where it was handled: no gap, no repeat', async () => {
    await writeAndCompare((round) => (round % 3 === 1 ? node.proxy.cutAfter(2_000 * round) : undefined));
    expect(interruptions.length).toBeGreaterThan(0);
    for (const error of interruptions) expect(error).toBeInstanceOf(FollowInterrupted);
  });

  test('a subscription that ends without a word does so, too', async () => {
    await writeAndCompare((round) => {
      if (round % 3 !== 1) return;
      if (node.double) node.double.endSubscriptions();
      else node.proxy.reset();
    });
    expect(interruptions.length).toBeGreaterThan(0);
  });

  test('caughtUp and checkpoints count only once the events before them have been handed over', async () => {
    const stream = newAgentStream();
    const after = await log.head();
    const positions = await (await log.append(stream, someEvents(1_000), NO_STREAM)).positions();
    await log.append(newRunLogStream(), someEvents(200), NO_STREAM);
    const delivered = new Set<Position>();
    const head = await log.head();
    const { signal } = stop;
    for await (const { events, reached } of log.follow({
      after,
      categories: { except: ['runlog'] },
      signal,
    })) {
      for (const { position } of events) delivered.add(position);
      expect(positions.filter((position) => position <= reached && !delivered.has(position))).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (reached >= head) break;
    }
    expect(delivered.size).toBe(1_000);
  });

  test('60 followers, 300 readers and 64 appends at once: none hangs for want of a stream', async () => {
    const stream = newAgentStream();
    await log.append(stream, someEvents(3), NO_STREAM);
    const ended = new AbortController();
    const after = await log.head();
    const followers = Array.from({ length: 60 }, () => log.follow({ after, signal: ended.signal }));
    const firsts = followers.map((follower) => follower.next());
    const work: Promise<unknown>[] = [
      ...Array.from({ length: 300 }, async () => expect(await readAll(log, stream)).toHaveLength(3)),
      ...Array.from({ length: 64 }, () => appendSurely(log, newAgentStream(), someEvents(1), NO_STREAM)),
    ];
    await Promise.all(work);
    expect((await Promise.all(firsts)).every(({ done }) => done === false)).toBe(true);
    const oneMore = log.follow({ after, signal: ended.signal }).next();
    await expect(oneMore).rejects.toThrow('more than 60 followers');
    ended.abort();
    await Promise.all(followers.map((follower) => follower.next()));
  });
});

describe('a process with a log', () => {
  const support = join(__dirname, '..', 'support');

  function startClient(count: number, bytes: number) {
    const script = join(support, 'eventstoredb', 'appending-client.ts');
    const hook = join(support, 'typescript-hook.cjs');
    const child = spawn(process.execPath, ['-r', hook, script, node.url, `${count}`, `${bytes}`]);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (part: Buffer) => (output.stdout += part.toString()));
    child.stderr.on('data', (part: Buffer) => (output.stderr += part.toString()));
    const exit = once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number, ...output }));
    return { output, exit, goOn: () => child.stdin.write('\n') };
  }

  test('ends by itself once the log is closed', async () => {
    const client = startClient(10, 100);
    client.goOn();
    expect(await client.exit).toEqual({ exitCode: 0, stdout: 'ready\nsent\nwritten 10\n', stderr: '' });
  });

  test('lives on when the connection breaks with megabytes of appends waiting', async () => {
    const client = startClient(600, 16_000);
    await eventually(() => expect(client.output.stdout).toBe('ready\n'), 20_000);
    node.proxy.freeze();
    client.goOn();
    await eventually(() => expect(client.output.stdout).toBe('ready\nsent\n'), 20_000);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    node.proxy.reset();
    expect(await client.exit).toEqual({ exitCode: 0, stdout: 'ready\nsent\nwritten 600\n', stderr: '' });
  }, 60_000);
});
