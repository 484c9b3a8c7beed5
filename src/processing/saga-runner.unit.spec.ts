import { eventually } from '../../test/support/eventually';
import { Gate } from '../../test/support/gate';
import type { Numbered } from '../../test/support/numbered-log';
import { NumberedLog, numberOf } from '../../test/support/numbered-log';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import { LogUnavailable } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { DomainEvent, Recorded } from '../kernel/event';
import { Feed } from './feed';
import type { Saga, SagaCommand } from './saga';
import { SagaRunner } from './saga-runner';

interface Say extends SagaCommand {
  type: 'Say';
  n: number;
}

/** Says every number that is told, and the number of `twins` twice; one thing's numbers come in order. */
const echo: Saga<DomainEvent<'NumberTold', Numbered>, Say> = {
  name: 'echo',
  handles: ['NumberTold'],
  react({ event }) {
    const { n, of } = event.data;
    const say: Say = { type: 'Say', key: of, n };
    return of === 'twins' ? [say, say] : [say];
  },
};

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

async function start(execute: (command: Say, cause: Recorded) => Promise<void>): Promise<SagaRunner<Say>> {
  const runner = await SagaRunner.open<Say>(echo, documents, execute);
  runs.push(runner.run(feed, stopping.signal, (error) => faults.push(error)));
  return runner;
}

async function stop(): Promise<void> {
  stopping.abort();
  await Promise.all(runs);
  [stopping, runs] = [new AbortController(), []];
}

const checkpoint = () => documents.checkpoint('saga:echo');

/** Says a number by noting it. */
function speaker() {
  const said: number[] = [];
  return { said, say: async ({ n }: Say) => void said.push(n) };
}

test('every event that concerns it makes its commands, with their cause', async () => {
  await numbered.write(2);
  await feed.start();
  const said: [number, number][] = [];
  const { progress } = await start(async ({ n }, cause) => void said.push([n, numberOf(cause)]));
  await numbered.write(1, { type: 'OtherTold' });
  await progress.waitFor(await numbered.write(1, { of: 'twins' }), 5_000);
  expect(said).toEqual([
    [0, 0],
    [1, 1],
    [3, 3],
    [3, 3],
  ]);
});

test('what does not concern it moves it on, too', async () => {
  await feed.start();
  const { progress } = await start(speaker().say);
  await progress.waitFor(await numbered.write(1, { type: 'OtherTold' }), 5_000);
  await progress.waitFor(await numbered.writeLogBytes(), 5_000);
  expect(await checkpoint()).toBeNull();
});

test('commands of one key come in order, and of different keys side by side', async () => {
  for (const key of ['a', 'b', 'a', 'b']) await numbered.write(1, { of: key });
  await feed.start();
  const gates = new Map([
    ['a', new Gate()],
    ['b', new Gate()],
  ]);
  const events: string[] = [];
  const { progress } = await start(async ({ n, key }) => {
    events.push(`${key}${n} begins`);
    await gates.get(key)!.pass();
    events.push(`${key}${n} ends`);
  });
  await Promise.all([...gates.values()].map(({ reached }) => reached));
  expect(events).toEqual(['a0 begins', 'b1 begins']);
  gates.get('b')!.open();
  await eventually(() => expect(events).toContain('b3 ends'));
  expect(events).not.toContain('a2 begins');
  gates.get('a')!.open();
  await progress.waitFor(numbered.positions[3]!, 5_000);
  expect(events.filter((event) => event.startsWith('a'))).toEqual([
    ...['a0 begins', 'a0 ends', 'a2 begins', 'a2 ends'],
  ]);
});

test('the checkpoint moves when all commands of a batch are done, not before', async () => {
  await numbered.write(3, { of: 'a' });
  await numbered.write(1, { of: 'b' });
  await feed.start();
  const gate = new Gate();
  const { said, say } = speaker();
  const { progress } = await start(async (command) => {
    if (command.key === 'b') await gate.pass();
    await say(command);
  });
  await gate.reached;
  await eventually(() => expect(said).toEqual([0, 1, 2]));
  expect(await checkpoint()).toBeNull();
  expect(progress.reached).toBe(0n);
  gate.open();
  await progress.waitFor(numbered.positions[3]!, 5_000);
  expect(await checkpoint()).toBe(numbered.positions[3]);
});

test('after a stop in the middle of a batch all its commands come again', async () => {
  await numbered.write(2, { of: 'a' });
  await numbered.write(1, { of: 'b' });
  await feed.start();
  const gate = new Gate();
  const { said, say } = speaker();
  await start(async (command) => {
    if (command.key === 'b') await gate.pass();
    else await say(command);
  });
  await gate.reached;
  await eventually(() => expect(said).toEqual([0, 1]));
  stopping.abort();
  gate.open();
  await stop();
  expect(await checkpoint()).toBeNull();

  const again = speaker();
  const { progress } = await start(again.say);
  await progress.waitFor(numbered.positions[2]!, 5_000);
  expect(again.said.sort()).toEqual([0, 1, 2]);
});

test('after a restart it goes on after its checkpoint', async () => {
  await feed.start();
  const before = await start(speaker().say);
  const last = await numbered.write(3);
  await before.progress.waitFor(last, 5_000);
  await stop();
  const { said, say } = speaker();
  const { progress } = await start(say);
  expect(progress.reached).toBe(last);
  await progress.waitFor(await numbered.write(1), 5_000);
  expect(said).toEqual([3]);
});

describe('a command', () => {
  test.each([
    ['refusal', () => new DomainError('log_unavailable')],
    ['log itself', () => new LogUnavailable('no answer')],
    ['read model that is behind', () => new DomainError('not_caught_up')],
  ])(
    'that finds what it needs away is tried again until it is done: told by the %s',
    async (_name, failure) => {
      await feed.start();
      const attempts: number[] = [];
      const { progress } = await start(async ({ n }) => {
        attempts.push(n);
        if (attempts.filter((other) => other === 0).length < 3) throw failure();
      });
      await progress.waitFor(await numbered.write(2, { of: 'a' }), 5_000);
      expect(attempts).toEqual([0, 0, 0, 1]);
      expect(faults).toEqual([]);
    },
  );

  test('that is refused is over, and the next one follows', async () => {
    await feed.start();
    const attempts: number[] = [];
    const { progress } = await start(async ({ n }) => {
      attempts.push(n);
      if (n === 0) throw new DomainError('agent_not_found');
    });
    const last = await numbered.write(2, { of: 'a' });
    await progress.waitFor(last, 5_000);
    expect(attempts).toEqual([0, 1]);
    expect(await checkpoint()).toBe(last);
  });

  test('that fails in any other way stops the saga, which says where', async () => {
    await feed.start();
    const cause = new TypeError('a bug');
    const { progress } = await start(async () => {
      throw cause;
    });
    const position = await numbered.write();
    await expect(progress.waitFor(position, 60_000)).rejects.toMatchObject({ code: 'not_caught_up' });
    const where = `NumberTold at position ${position} (agent-c.x, revision 0)`;
    expect((faults[0] as Error).message).toBe(`saga echo (Say) stopped at ${where}`);
    expect((faults[0] as Error).cause).toBe(cause);
    expect(progress.stoppedBy).toBe(faults[0]);
    expect(await checkpoint()).toBeNull();
  });

  test('that has stopped the saga comes again when the saga is tried again', async () => {
    await feed.start();
    const { said, say } = speaker();
    let isMended = false;
    const runner = await start(async (command) => {
      if (!isMended && command.n === 1) throw new TypeError('a bug');
      await say(command);
    });
    await numbered.write(2);
    await eventually(() => expect(faults).toHaveLength(1));
    isMended = true;
    runner.progress.resume();
    runs.push(runner.run(feed, stopping.signal, (error) => faults.push(error)));
    const last = await numbered.write();
    await runner.progress.waitFor(last, 5_000);
    expect(new Set(said)).toEqual(new Set([0, 1, 2]));
    await eventually(async () => expect(await checkpoint()).toBe(last));
  });

  test('that waits for the log does not hold up the stop, and is no fault', async () => {
    await feed.start();
    const tried = new Gate();
    await start(async () => {
      void tried.pass();
      throw new DomainError('log_unavailable');
    });
    await numbered.write();
    await tried.reached;
    await stop();
    expect(faults).toEqual([]);
    expect(await checkpoint()).toBeNull();
  });

  test('that breaks off because everything stops is no fault', async () => {
    await feed.start();
    const begun = new Gate();
    await start(async () => {
      await begun.pass();
      throw new DOMException('This operation was aborted', 'AbortError');
    });
    await numbered.write();
    await begun.reached;
    stopping.abort();
    begun.open();
    await stop();
    expect(faults).toEqual([]);
    expect(await checkpoint()).toBeNull();
  });
});
