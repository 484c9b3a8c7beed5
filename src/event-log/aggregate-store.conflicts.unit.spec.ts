import { LIMIT, VesselBench } from '../../test/support/vessel-bench';
import { LogUnavailable } from './event-log';

let bench: VesselBench;

beforeEach(async () => {
  bench = await VesselBench.open();
});

afterEach(() => bench.close());

describe('where another node has written meanwhile', () => {
  test('commands are decided again, on what it wrote', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(10);
    await theirs.add(20);
    const answers = await Promise.all([mine.add(30), mine.add(5)]);
    expect(answers.map(({ total }) => total)).toEqual([60, 65]);
    expect(await bench.amountsOnLog()).toEqual([10, 20, 30, 5]);
  });

  test('what was taken on the old state may be refused', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(10);
    await theirs.add(80);
    await expect(mine.add(20)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 90 } });
    expect(await bench.amountsOnLog()).toEqual([10, 80]);
  });

  test('a refusal on the old state is checked on the new one', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(90);
    await theirs.tell({ type: 'Empty' });
    expect(await mine.add(20)).toMatchObject({ count: 1, total: 20 });
  });

  test('a refusal stays one where the new state refuses, too, with what is true now', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(90);
    await theirs.add(5);
    await expect(mine.add(20)).rejects.toMatchObject({ details: { total: 95 } });
  });

  test('a command that seemed to have nothing to do is checked on the new state', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.tell({ type: 'Empty' });
    await theirs.add(5);
    expect(await mine.tell({ type: 'Empty' })).toMatchObject({ count: 1, total: 0 });
  });

  test('a look sees it', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(1);
    await theirs.add(2);
    expect(await mine.total()).toBe(3);
  });

  test('many nodes at once lose nothing and exceed nothing', async () => {
    const stores = Array.from({ length: 4 }, (_, node) => bench.newStore(`node-${node}`));
    const outcomes = await Promise.allSettled(
      stores.flatMap(({ add }) => Array.from({ length: 40 }, () => add(1))),
    );
    const taken = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(taken).toHaveLength(LIMIT);
    expect(await bench.amountsOnLog()).toEqual(Array.from({ length: LIMIT }, () => 1));
    const totals = taken.map((outcome) => (outcome as PromiseFulfilledResult<{ total: number }>).value.total);
    expect(totals.sort((a, b) => a - b)).toEqual(Array.from({ length: LIMIT }, (_, index) => index + 1));
  });
});

describe('where the log does not answer', () => {
  function failNextRead(): void {
    bench.log.onRead = async function* () {
      bench.log.onRead = (next) => next();
      throw new LogUnavailable('no answer');
      yield* [];
    };
  }

  function failOnce(when: 'before' | 'after'): void {
    bench.log.onAppend = async (append) => {
      bench.log.onAppend = (next) => next();
      if (when === 'after') await append();
      throw new LogUnavailable('no answer');
    };
  }

  test.each(['before', 'after'] as const)(
    '%s writing, the same bytes are sent again, once on the log',
    async (when) => {
      const { add } = bench.newStore();
      await add(1);
      failOnce(when);
      expect(await add(2)).toMatchObject({ count: 1, total: 3 });
      const [, sent, again] = bench.log.appends;
      expect(again).toEqual(sent);
      expect(await bench.amountsOnLog()).toEqual([1, 2]);
      expect(await add(3)).toMatchObject({ total: 6 });
    },
  );

  test('and another node has written in the place, the command is decided again', async () => {
    const [mine, theirs] = [bench.newStore('node-1'), bench.newStore('node-2')];
    await mine.add(10);
    bench.log.onAppend = async () => {
      bench.log.onAppend = (next) => next();
      await theirs.add(85);
      throw new LogUnavailable('no answer');
    };
    await expect(mine.add(20)).rejects.toMatchObject({ code: 'agent_busy', details: { total: 95 } });
    expect(await bench.amountsOnLog()).toEqual([10, 85]);
  });

  test.each(['before', 'after'] as const)(
    'for long, the fate is unknown, and is found out later: %s writing',
    async (when) => {
      const { add } = bench.newStore();
      await add(1);
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
      try {
        bench.log.onAppend = async (append) => {
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
      bench.log.onAppend = (append) => append();
      expect(await add(4)).toMatchObject({ total: when === 'after' ? 1 + 2 + 3 + 4 : 1 + 4 });
    },
  );

  test('to a read, commands and looks are refused as unavailable, and later ones are not', async () => {
    const { add, total } = bench.newStore();
    await bench.newStore('node-2').add(1);
    failNextRead();
    await expect(add(2)).rejects.toMatchObject({ name: 'DomainError', code: 'log_unavailable' });
    expect(await add(2)).toMatchObject({ total: 3 });
    failNextRead();
    await expect(total()).rejects.toMatchObject({ name: 'DomainError', code: 'log_unavailable' });
    expect(await total()).toBe(3);
  });

  test('in the middle of a read, what was read of it does not count', async () => {
    await bench.newStore('node-2').add(1, { times: 5 });
    bench.log.onRead = async function* (read) {
      bench.log.onRead = (next) => next();
      for await (const event of read()) {
        yield event;
        if (event.revision === 2) throw new LogUnavailable('no answer');
      }
    };
    const { add } = bench.newStore();
    await expect(add(2)).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await add(2)).toMatchObject({ total: 7 });
  });
});
