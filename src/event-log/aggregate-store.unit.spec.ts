import { ObservedLog } from '../../test/support/observed-log';
import { Gate } from '../../test/support/gate';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { CHAIN_START, chainHash } from '../kernel/chain';
import type { Decider } from '../kernel/decider';
import { DomainError } from '../kernel/errors';
import type { DomainEvent, StoredEvent } from '../kernel/event';
import { isUuid, uuidv7 } from '../kernel/ids';
import { AggregateStore } from './aggregate-store';
import { EmbeddedEventLog } from './embedded/embedded-event-log';
import { LogUnavailable } from './event-log';

type Added = DomainEvent<'Added', { amount: number; text: string }>;
type Emptied = DomainEvent<'Emptied', { total: number }>;
type Command = { at: string } & (
  { type: 'Add'; amount: number; times?: number; text?: string } | { type: 'Empty' } | { type: 'Break' }
);
type State = { revision: number; total: number };

const LIMIT = 100;
const at = '2025-11-23T10:00:00.000Z';

/** A vessel that refuses what doesn't fit, and that is emptied with nothing new where it is empty. */
const vessel: Decider<State, Command, Added | Emptied> = {
  initial: () => ({ revision: -1, total: 0 }),
  decide(command, { total }) {
    switch (command.type) {
      case 'Add': {
        const { amount, times = 1, text = '' } = command;
        if (total + amount * times > LIMIT) throw new DomainError('agent_busy', 'too much', { total });
        return Array.from({ length: times }, () => ({ type: 'Added', data: { amount, text } }));
      }
      case 'Empty':
        return total === 0 ? [] : [{ type: 'Emptied', data: { total } }];
      case 'Break':
        throw new TypeError('a bug');
    }
  },
  evolve(state, event) {
    state.revision += 1;
    state.total = event.type === 'Added' ? state.total + event.data.amount : 0;
    return state;
  },
};

const stream = 'agent-c.1';
let embedded: EmbeddedEventLog;
let log: ObservedLog;

beforeEach(async () => {
  embedded = await EmbeddedEventLog.open(temporaryFolder());
  log = new ObservedLog(embedded);
});

afterEach(() => embedded.close());

function newStore(nodeId = 'node-1') {
  const store = new AggregateStore(log, vessel, { schemaVersion: 3, nodeId });
  const context = () => ({ commandId: uuidv7(), companyId: 'c', actor: { type: 'user', id: 'u' } as const });
  const tell = async (command: Omit<Command, 'at'> & object, to = stream) => {
    const told = { ...command, at } as Command;
    const { events, position, answer } = await store.execute(to, told, context(), ({ total }) => total);
    return { count: events.length, position, total: answer };
  };
  const add = (amount: number, more: { times?: number; text?: string } = {}, to = stream) =>
    tell({ type: 'Add', amount, ...more } as Command, to);
  return { store, tell, add, total: (of = stream) => store.inspect(of, ({ total }) => total) };
}

async function onLog(of = stream): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of embedded.read(of)) events.push(event);
  return events;
}

async function amountsOnLog(): Promise<number[]> {
  return (await onLog()).map(({ data }) => (JSON.parse(data as string) as Added['data']).amount);
}

/** Lets the next append wait, so that what comes meanwhile waits together. */
function holdNextAppend(): Gate {
  const gate = new Gate();
  log.onAppend = async (append) => {
    log.onAppend = (next) => next();
    await gate.pass();
    return append();
  };
  return gate;
}

describe('a command', () => {
  test('is decided on the state of its stream and answered from the state after it', async () => {
    const { add, tell } = newStore();
    expect(await add(5)).toMatchObject({ count: 1, total: 5 });
    expect(await add(7, { times: 2 })).toMatchObject({ count: 2, total: 19 });
    expect(await tell({ type: 'Empty' })).toMatchObject({ count: 1, total: 0 });
    expect(await tell({ type: 'Empty' })).toEqual({ count: 0, position: null, total: 0 });
    expect((await onLog()).map(({ type }) => type)).toEqual(['Added', 'Added', 'Added', 'Emptied']);
  });

  test('is answered with its events as the log has them', async () => {
    const { store } = newStore();
    const context = { commandId: uuidv7(), companyId: 'c', actor: { type: 'user', id: 'u' } as const };
    const command = { type: 'Add', amount: 1, times: 2, at } as const;
    const { events, position } = await store.execute(stream, command, context, () => null);
    const stored = await onLog();
    expect(events.map(({ event, ...place }) => ({ ...place, ...event }))).toEqual(
      stored.map(({ data, ...rest }) => ({ ...rest, data: JSON.parse(data as string) as unknown })),
    );
    expect(position).toBe(stored.at(-1)!.position);
  });

  test('leaves its origin in the metadata', async () => {
    const { store } = newStore('node-7');
    const context = { commandId: 'cmd', companyId: 'c', actor: { type: 'agent', id: 'a' } as const };
    const command = { type: 'Add', amount: 1, times: 2, at } as const;
    await store.execute(
      stream,
      command,
      { ...context, correlationId: 'corr', causationId: 'cause' },
      () => 0,
    );
    await store.execute(stream, { type: 'Empty', at }, context, () => 0);
    const [first, second, third] = await onLog();
    const { hash: _hash, ...metadata } = first!.metadata;
    expect(metadata).toEqual({
      ...{ schemaVersion: 3, at, companyId: 'c', correlationId: 'corr', causationId: 'cause' },
      ...{ commandId: 'cmd', actor: { type: 'agent', id: 'a' }, nodeId: 'node-7' },
    });
    expect(second!.metadata).toMatchObject({ correlationId: 'corr', causationId: first!.id });
    expect(third!.metadata).toMatchObject({ correlationId: 'cmd', causationId: null });
    expect(isUuid(first!.id)).toBe(true);
  });

  test('that is refused, or does nothing, writes nothing', async () => {
    const { add, tell } = newStore();
    await expect(add(101)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 0 } });
    await tell({ type: 'Empty' });
    expect(log.appends).toEqual([]);
  });

  test('of one stream does not wait for those of another', async () => {
    const { add, total } = newStore();
    const gate = holdNextAppend();
    const held = add(1);
    await gate.reached;
    await add(2, {}, 'agent-c.2');
    expect(await total('agent-c.2')).toBe(2);
    gate.open();
    expect(await held).toMatchObject({ total: 1 });
  });

  test('does not read again what is known', async () => {
    const { add } = newStore();
    await add(1);
    await add(2);
    expect(log.reads).toHaveLength(1);
  });
});

test('the events of a stream are one hash chain, whoever appended them', async () => {
  const [one, other] = [newStore('node-1'), newStore('node-2')];
  await one.add(1, { times: 3 });
  await other.add(2);
  await Promise.all([one.add(3), one.add(4), other.add(5)]);
  await newStore().add(6);
  let previous = CHAIN_START;
  for (const { type, id, data, metadata } of await onLog()) {
    previous = chainHash(previous, { type, id, at: metadata.at, data });
    expect(metadata.hash).toBe(previous);
  }
  expect(await amountsOnLog()).toHaveLength(8);
});

describe('commands that wait together', () => {
  test('are folded into one append, each answered for itself', async () => {
    const { add } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [add(2), add(3, { times: 2 }), add(4)];
    gate.open();
    await first;
    const answers = await Promise.all(others);
    expect(log.appends.map(({ events, expected }) => [events.length, expected])).toEqual([
      [1, -1],
      [4, 0],
    ]);
    expect(answers.map(({ count, total }) => [count, total])).toEqual([
      [1, 3],
      [2, 9],
      [1, 13],
    ]);
    const positions = (await onLog()).map(({ position }) => position);
    expect(answers.map(({ position }) => position)).toEqual([positions[1], positions[3], positions[4]]);
  });

  test('are decided one after the other: who comes too late is refused', async () => {
    const { add } = newStore();
    const outcomes = await Promise.allSettled([add(60), add(60), add(40), add(1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(await amountsOnLog()).toEqual([60, 40]);
  });

  test('are not disturbed by one that is refused or does nothing', async () => {
    const { add, tell } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = Promise.allSettled([
      add(2),
      add(1_000),
      tell({ type: 'Empty' }),
      tell({ type: 'Empty' }),
      add(3),
    ]);
    gate.open();
    await first;
    const outcomes = (await others).map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value.total : (outcome.reason as DomainError).details,
    );
    expect(outcomes).toEqual([3, { total: 3 }, 0, 0, 3]);
    expect(log.appends).toHaveLength(2);
  });

  test('share the fate of a bug, and those after them do not', async () => {
    const { add, tell, total } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = Promise.allSettled([add(2), tell({ type: 'Break' }), add(3)]);
    gate.open();
    await first;
    for (const outcome of await others) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: new TypeError('a bug') });
    }
    expect(await total()).toBe(1);
    expect(await add(4)).toMatchObject({ total: 5 });
    expect(await amountsOnLog()).toEqual([1, 4]);
  });

  test('are at most 64 at a time', async () => {
    const { add } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = Array.from({ length: 70 }, () => add(1));
    gate.open();
    await Promise.all([first, ...others]);
    expect(log.appends.map(({ events }) => events.length)).toEqual([1, 64, 6]);
  });

  test.each([
    ['letters', 'x'.repeat(200 * 1024)],
    ['signs of three bytes', '€'.repeat(70 * 1024)],
  ])('are cut where an append would become too large: %s', async (_name, text) => {
    const { add } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [2, 3, 4, 5, 6].map((amount) => add(amount, { text }));
    const last = add(7);
    gate.open();
    await Promise.all([first, ...others, last]);
    expect(await amountsOnLog()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const sizes = log.appends.map(({ events }) =>
      events.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(512 * 1024);
    expect(sizes.length).toBeLessThan(7);
  });

  test('are cut before one that is too large by itself, which goes alone', async () => {
    const { add } = newStore();
    const gate = holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [add(2), add(3, { text: 'x'.repeat(600 * 1024) }), add(4)];
    gate.open();
    await Promise.all([first, ...others]);
    expect(log.appends.map(({ events }) => events.length)).toEqual([1, 1, 1, 1]);
    expect(await amountsOnLog()).toEqual([1, 2, 3, 4]);
  });
});

describe('where another node has written meanwhile', () => {
  test('commands are decided again, on what it wrote', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(10);
    await theirs.add(20);
    const answers = await Promise.all([mine.add(30), mine.add(5)]);
    expect(answers.map(({ total }) => total)).toEqual([60, 65]);
    expect(await amountsOnLog()).toEqual([10, 20, 30, 5]);
  });

  test('what was taken on the old state may be refused', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(10);
    await theirs.add(80);
    await expect(mine.add(20)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 90 } });
    expect(await amountsOnLog()).toEqual([10, 80]);
  });

  test('a refusal on the old state is checked on the new one', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(90);
    await theirs.tell({ type: 'Empty' });
    expect(await mine.add(20)).toMatchObject({ count: 1, total: 20 });
  });

  test('a refusal stays one where the new state refuses, too, with what is true now', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(90);
    await theirs.add(5);
    await expect(mine.add(20)).rejects.toMatchObject({ details: { total: 95 } });
  });

  test('a command that seemed to have nothing to do is checked on the new state', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.tell({ type: 'Empty' });
    await theirs.add(5);
    expect(await mine.tell({ type: 'Empty' })).toMatchObject({ count: 1, total: 0 });
  });

  test('a look sees it', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(1);
    await theirs.add(2);
    expect(await mine.total()).toBe(3);
  });

  test('many nodes at once lose nothing and exceed nothing', async () => {
    const stores = Array.from({ length: 4 }, (_, node) => newStore(`node-${node}`));
    const outcomes = await Promise.allSettled(
      stores.flatMap(({ add }) => Array.from({ length: 40 }, () => add(1))),
    );
    const taken = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(taken).toHaveLength(LIMIT);
    expect(await amountsOnLog()).toEqual(Array.from({ length: LIMIT }, () => 1));
    const totals = taken.map((outcome) => (outcome as PromiseFulfilledResult<{ total: number }>).value.total);
    expect(totals.sort((a, b) => a - b)).toEqual(Array.from({ length: LIMIT }, (_, index) => index + 1));
  });
});

describe('where the log does not answer', () => {
  function failNextRead(): void {
    log.onRead = async function* () {
      log.onRead = (next) => next();
      throw new LogUnavailable('no answer');
      yield* [];
    };
  }

  function failOnce(when: 'before' | 'after'): void {
    log.onAppend = async (append) => {
      log.onAppend = (next) => next();
      if (when === 'after') await append();
      throw new LogUnavailable('no answer');
    };
  }

  test.each(['before', 'after'] as const)(
    '%s writing, the same bytes are sent again, once on the log',
    async (when) => {
      const { add } = newStore();
      await add(1);
      failOnce(when);
      expect(await add(2)).toMatchObject({ count: 1, total: 3 });
      const [, sent, again] = log.appends;
      expect(again).toEqual(sent);
      expect(await amountsOnLog()).toEqual([1, 2]);
      expect(await add(3)).toMatchObject({ total: 6 });
    },
  );

  test('and another node has written in the place, the command is decided again', async () => {
    const [mine, theirs] = [newStore('node-1'), newStore('node-2')];
    await mine.add(10);
    log.onAppend = async () => {
      log.onAppend = (next) => next();
      await theirs.add(85);
      throw new LogUnavailable('no answer');
    };
    await expect(mine.add(20)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 95 } });
    expect(await amountsOnLog()).toEqual([10, 85]);
  });

  test.each(['before', 'after'] as const)(
    'for long, the fate is unknown, and is found out later: %s writing',
    async (when) => {
      const { add } = newStore();
      await add(1);
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
      try {
        log.onAppend = async (append) => {
          if (when === 'after') await append();
          throw new LogUnavailable('no answer');
        };
        const outcomes = Promise.allSettled([add(2), add(3)]);
        let settled = false;
        void outcomes.then(() => (settled = true));
        while (!settled) {
          await jest.advanceTimersByTimeAsync(1_000);
          await new Promise(setImmediate);
        }
        for (const outcome of await outcomes) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'log_unavailable' } });
        }
      } finally {
        jest.useRealTimers();
      }
      log.onAppend = (append) => append();
      expect(await add(4)).toMatchObject({ total: when === 'after' ? 1 + 2 + 3 + 4 : 1 + 4 });
    },
  );

  test('to a read, commands and looks are refused as unavailable, and later ones are not', async () => {
    const { add, total } = newStore();
    await newStore('node-2').add(1);
    failNextRead();
    await expect(add(2)).rejects.toMatchObject({ name: 'DomainError', code: 'log_unavailable' });
    expect(await add(2)).toMatchObject({ total: 3 });
    failNextRead();
    await expect(total()).rejects.toMatchObject({ name: 'DomainError', code: 'log_unavailable' });
    expect(await total()).toBe(3);
  });

  test('in the middle of a read, what was read of it does not count', async () => {
    await newStore('node-2').add(1, { times: 5 });
    log.onRead = async function* (read) {
      log.onRead = (next) => next();
      for await (const event of read()) {
        yield event;
        if (event.revision === 2) throw new LogUnavailable('no answer');
      }
    };
    const { add } = newStore();
    await expect(add(2)).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await add(2)).toMatchObject({ total: 7 });
  });
});
