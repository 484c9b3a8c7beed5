import { VesselBench, at } from '../../test/support/vessel-bench';
import { CHAIN_START, chainHash } from '../kernel/chain';
import type { DomainError } from '../kernel/errors';
import { isUuid } from '../kernel/ids';

let bench: VesselBench;

beforeEach(async () => {
  bench = await VesselBench.open();
});

afterEach(() => bench.close());

describe('a command', () => {
  test('is decided on the state of its stream and answered from the state after it', async () => {
    const { add, tell } = bench.newStore();
    expect(await add(5)).toMatchObject({ count: 1, total: 5 });
    expect(await add(7, { times: 2 })).toMatchObject({ count: 2, total: 19 });
    expect(await tell({ type: 'Empty' })).toMatchObject({ count: 1, total: 0 });
    expect(await tell({ type: 'Empty' })).toEqual({ count: 0, position: null, total: 0 });
    expect((await bench.onLog()).map(({ type }) => type)).toEqual(['Added', 'Added', 'Added', 'Emptied']);
  });

  test.each([
    ['that has waited is of no earlier time than the one before it', [7, 3, 8], [7, 7, 8]],
    ['by another clock keeps its time', [3_600_000, 3, 8], [3_600_000, 3, 8]],
  ])('%s', async (_what, told, recorded) => {
    for (const ms of told) {
      // Each by a store of its own: what counts is on the log.
      const time = new Date(Date.parse(at) + ms).toISOString();
      await bench.newStore().execute({ type: 'Add', amount: 1, at: time });
    }
    const times = (await bench.onLog()).map(({ metadata }) => Date.parse(metadata.at) - Date.parse(at));
    expect(times).toEqual(recorded);
  });

  test('is answered with its events as the log has them, at the position of the last one', async () => {
    const { execute } = bench.newStore();
    const { events, position } = await execute({ type: 'Add', amount: 1, times: 2 });
    const stored = await bench.onLog();
    expect(position).toBe(stored.at(-1)!.position);
    expect(events.map(({ event, ...place }) => ({ ...place, ...event }))).toEqual(
      stored.map(({ data, ...rest }) => ({ ...rest, position, data: JSON.parse(data as string) as unknown })),
    );
  });

  test('leaves its origin in the metadata', async () => {
    const { execute } = bench.newStore('node-7');
    const origin = { commandId: 'cmd', actor: { type: 'agent', id: 'a' } } as const;
    const cause = { correlationId: 'corr', causationId: 'cause' };
    await execute({ type: 'Add', amount: 1, times: 2 }, { ...origin, ...cause });
    await execute({ type: 'Empty' }, origin);
    const [first, second, third] = await bench.onLog();
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
    const { add, tell } = bench.newStore();
    await expect(add(101)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 0 } });
    await tell({ type: 'Empty' });
    expect(bench.log.appends).toEqual([]);
  });

  test('of one stream does not wait for those of another', async () => {
    const { add, total } = bench.newStore();
    const gate = bench.holdNextAppend();
    const held = add(1);
    await gate.reached;
    await add(2, {}, 'agent-c.2');
    expect(await total('agent-c.2')).toBe(2);
    gate.open();
    expect(await held).toMatchObject({ total: 1 });
  });

  test('does not read again what is known', async () => {
    const { add } = bench.newStore();
    await add(1);
    await add(2);
    expect(bench.log.reads).toHaveLength(1);
  });
});

test('the events of a stream are one hash chain, whoever appended them', async () => {
  const [one, other] = [bench.newStore('node-1'), bench.newStore('node-2')];
  await one.add(1, { times: 3 });
  await other.add(2);
  await Promise.all([one.add(3), one.add(4), other.add(5)]);
  await bench.newStore().add(6);
  let previous = CHAIN_START;
  for (const { type, id, data, metadata } of await bench.onLog()) {
    previous = chainHash(previous, { type, id, at: metadata.at, data });
    expect(metadata.hash).toBe(previous);
  }
  expect(await bench.amountsOnLog()).toHaveLength(8);
});

describe('commands that wait together', () => {
  test('are folded into one append, each answered for itself', async () => {
    const { add } = bench.newStore();
    const gate = bench.holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [add(2), add(3, { times: 2 }), add(4)];
    gate.open();
    await first;
    const answers = await Promise.all(others);
    expect(bench.log.appends.map(({ events, expected }) => [events.length, expected])).toEqual([
      [1, -1],
      [4, 0],
    ]);
    expect(answers.map(({ count, total }) => [count, total])).toEqual([
      [1, 3],
      [2, 9],
      [1, 13],
    ]);
    const positions = (await bench.onLog()).map(({ position }) => position);
    expect(answers.map(({ position }) => position)).toEqual([positions[1], positions[3], positions[4]]);
  });

  test('are decided one after the other: who comes too late is refused', async () => {
    const { add } = bench.newStore();
    const outcomes = await Promise.allSettled([add(60), add(60), add(40), add(1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(await bench.amountsOnLog()).toEqual([60, 40]);
  });

  test('are not disturbed by one that is refused or does nothing', async () => {
    const { add, tell } = bench.newStore();
    const gate = bench.holdNextAppend();
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
    expect(bench.log.appends).toHaveLength(2);
  });

  test('share the fate of a bug, and those after them do not', async () => {
    const { add, tell, total } = bench.newStore();
    const gate = bench.holdNextAppend();
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
    expect(await bench.amountsOnLog()).toEqual([1, 4]);
  });

  test('are at most 64 at a time', async () => {
    const { add } = bench.newStore();
    const gate = bench.holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = Array.from({ length: 70 }, () => add(1));
    gate.open();
    await Promise.all([first, ...others]);
    expect(bench.log.appends.map(({ events }) => events.length)).toEqual([1, 64, 6]);
  });

  test.each([
    ['letters', 'x'.repeat(200 * 1024)],
    ['signs of three bytes', '€'.repeat(70 * 1024)],
  ])('are cut where an append would become too large: %s', async (_name, text) => {
    const { add } = bench.newStore();
    const gate = bench.holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [2, 3, 4, 5, 6].map((amount) => add(amount, { text }));
    const last = add(7);
    gate.open();
    await Promise.all([first, ...others, last]);
    expect(await bench.amountsOnLog()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const sizes = bench.log.appends.map(({ events }) =>
      events.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(512 * 1024);
    expect(sizes.length).toBeLessThan(7);
  });

  test('are cut before one that is too large by itself, which goes alone', async () => {
    const { add } = bench.newStore();
    const gate = bench.holdNextAppend();
    const first = add(1);
    await gate.reached;
    const others = [add(2), add(3, { text: 'x'.repeat(600 * 1024) }), add(4)];
    gate.open();
    await Promise.all([first, ...others]);
    expect(bench.log.appends.map(({ events }) => events.length)).toEqual([1, 1, 1, 1]);
    expect(await bench.amountsOnLog()).toEqual([1, 2, 3, 4]);
  });
});
