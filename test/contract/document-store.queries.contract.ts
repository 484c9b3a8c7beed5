import fc from 'fast-check';
import { InvalidCursor } from '../../src/documents/document-store';
import type { DocumentStore, Identified, Query } from '../../src/documents/document-store';
import { LARGEST_POSITION, allPages, idsOf, pageOf, put, tasks, writeAt } from './document-store.fixture';
import type { PartialQuery, Task } from './document-store.fixture';

/** Part of `document-store.contract.ts`. */
export function queryContract(store: () => DocumentStore): void {
  describe('querying', () => {
    it('filters by equality and orders both ways, ties by id', async () => {
      await put(store(), [
        { id: 'd', status: 'open', rank: 2 },
        { id: 'b', status: 'open', rank: 2 },
        { id: 'c', status: 'open', rank: -1 },
        { id: 'a', status: 'open', rank: 10 },
        { id: 'e', status: 'done', rank: 0 },
      ]);
      const query = { where: { status: 'open' }, orderBy: 'rank' };
      expect(await idsOf(store(), query)).toEqual(['c', 'b', 'd', 'a']);
      expect(await idsOf(store(), { ...query, direction: 'desc' })).toEqual(['a', 'd', 'b', 'c']);
    });

    it('takes the filters in any order, and equality on the last field of an index', async () => {
      await put(store(), [
        { id: 'a', status: 'open', rank: 1, at: '5' },
        { id: 'b', status: 'open', rank: 2, at: '4' },
      ]);
      expect(await idsOf(store(), { where: { rank: 1, status: 'open' }, orderBy: 'at' })).toEqual(['a']);
      expect(await idsOf(store(), { where: { status: 'open', rank: 2 }, orderBy: 'rank' })).toEqual(['b']);
    });

    it('takes null for an absent field, in filters and first in the order', async () => {
      await put(store(), [
        { id: 'a', status: 'open', rank: 1 },
        { id: 'b', status: 'open', rank: null },
        { id: 'c', status: 'open' },
        { id: 'd', status: null, rank: 3 },
        { id: 'e', rank: 2 },
      ]);
      expect(await idsOf(store(), { where: { status: 'open' }, orderBy: 'rank' })).toEqual(['b', 'c', 'a']);
      expect(await idsOf(store(), { where: { status: 'open' }, orderBy: 'rank', direction: 'desc' })).toEqual(
        ['a', 'c', 'b'],
      );
      expect(await idsOf(store(), { where: { status: null }, orderBy: 'rank' })).toEqual(['e', 'd']);
      expect(
        await idsOf(store(), { where: { status: 'open', rank: null }, orderBy: 'rank', limit: 1 }),
      ).toEqual(['b', 'c']);
    });

    it('orders positions as numbers, exactly', async () => {
      const ordered = [
        '0',
        '9',
        '10',
        `${2n ** 53n}`,
        `${2n ** 53n + 1n}`,
        `${LARGEST_POSITION - 1n}`,
        `${LARGEST_POSITION}`,
      ];
      await put(
        store(),
        [...ordered].reverse().map((at) => ({ id: at, at, status: 'open', rank: 1 })),
      );
      expect(await idsOf(store(), { where: {}, orderBy: 'at', limit: 1 })).toEqual(ordered);
      const where = { status: 'open', rank: 1, at: `${2n ** 53n + 1n}` };
      expect(await idsOf(store(), { where, orderBy: 'at' })).toEqual([`${2n ** 53n + 1n}`]);
    });

    it('orders text by code point, and tells cases and accents apart', async () => {
      const ordered = [null, '', 'A', 'Z', 'a', 'a ', 'aa', 'é', '\uffee', '😀'];
      await put(
        store(),
        [...ordered].reverse().map((status, n) => ({ id: `${n}`, status, rank: 1 })),
      );
      const found = await allPages<Task>(store(), { where: {}, orderBy: 'status', limit: 1 });
      expect(found.map((task) => task.status)).toEqual(ordered);
      expect(await idsOf(store(), { where: { status: 'a' }, orderBy: 'rank' })).toHaveLength(1);
    });

    it('takes filter values as values, whatever they look like', async () => {
      const status = `' OR 1=1 --`;
      await put(store(), [
        { id: 'a', status: 'open', rank: 1 },
        { id: 'b', status, rank: 1 },
      ]);
      expect(await idsOf(store(), { where: { status }, orderBy: 'rank' })).toEqual(['b']);
    });

    it('refuses a query that no declared index serves', async () => {
      const refused: Pick<Query, 'where' | 'orderBy'>[] = [
        { where: { rank: 1 }, orderBy: 'status' },
        { where: { status: 'open' }, orderBy: 'at' },
        { where: { rank: 1 }, orderBy: 'at' },
        { where: { colour: 'red' }, orderBy: 'rank' },
        { where: {}, orderBy: 'id' },
        { where: {}, orderBy: 'constructor' },
      ];
      for (const query of refused) await expect(pageOf(store(), query)).rejects.toThrow(/index/);
    });

    it('refuses a limit that is not 1 to 1000', async () => {
      for (const limit of [0, -1, 1001, 1.5, NaN]) {
        await expect(pageOf(store(), { where: {}, orderBy: 'rank', limit })).rejects.toThrow(RangeError);
      }
      await expect(pageOf(store(), { where: {}, orderBy: 'rank', limit: 1000 })).resolves.toBeDefined();
    });
  });
}

/** Part of `document-store.contract.ts`. */
export function cursorContract(store: () => DocumentStore): void {
  describe('paging', () => {
    const open: PartialQuery = { where: { status: 'open' }, orderBy: 'rank', limit: 2 };
    const putOpen = (...ranks: (number | null)[]) =>
      put(
        store(),
        ranks.map((rank) => ({ id: `r${rank}`, status: 'open', rank })),
      );

    it('go on in another generation of the collection, and in no other collection', async () => {
      await store().ensure({ ...tasks, name: 'tasks-v1-g1', generationOf: 'tasks-v1' });
      await store().ensure({ ...tasks, name: 'tasks-v2' });
      const all: Task[] = ['a', 'b', 'c', 'd'].map((id, rank) => ({ id, rank }));
      const byRank: PartialQuery = { where: {}, orderBy: 'rank', limit: 2 };
      await put(store(), all);
      const { nextCursor } = await pageOf(store(), byRank);
      for (const name of ['tasks-v1-g1', 'tasks-v2']) {
        await writeAt(
          store(),
          1n,
          all.map((task) => [task.id, task]),
          name,
        );
      }
      const rest = await pageOf(store(), { ...byRank, cursor: nextCursor }, 'tasks-v1-g1');
      expect(rest.items.map(({ id }) => id)).toEqual(['c', 'd']);
      const elsewhere = pageOf(store(), { ...byRank, cursor: nextCursor }, 'tasks-v2');
      await expect(elsewhere).rejects.toThrow(InvalidCursor);
    });

    it('ends with a null cursor, also where the last page is full', async () => {
      await putOpen(1, 2, 3, 4);
      const first = await pageOf(store(), open);
      const second = await pageOf(store(), { ...open, cursor: first.nextCursor });
      expect(first.items.map(({ rank }) => rank)).toEqual([1, 2]);
      expect(first.nextCursor).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(second.items.map(({ rank }) => rank)).toEqual([3, 4]);
      expect(second.nextCursor).toBeNull();
      expect(await pageOf(store(), { ...open, where: { status: 'none' } })).toEqual({
        items: [],
        nextCursor: null,
      });
    });

    it('neither repeats nor skips when documents come and go meanwhile', async () => {
      await putOpen(10, 20, 30, 40);
      const first = await pageOf(store(), open);
      await putOpen(5, 15, 25);
      await writeAt(store(), 2n, [['r20', null]]);
      const rest = await allPages<Task>(store(), { ...open, cursor: first.nextCursor });
      expect(first.items.map(({ rank }) => rank)).toEqual([10, 20]);
      expect(rest.map(({ rank }) => rank)).toEqual([25, 30, 40]);
    });

    it('goes on with a page of another size', async () => {
      await putOpen(1, 2, 3, 4, 5);
      const { nextCursor } = await pageOf(store(), open);
      const { items } = await pageOf(store(), { ...open, limit: 3, cursor: nextCursor });
      expect(items.map(({ rank }) => rank)).toEqual([3, 4, 5]);
    });

    it('takes a cursor of null or undefined for the first page', async () => {
      await putOpen(1);
      for (const cursor of [null, undefined])
        expect((await pageOf(store(), { ...open, cursor })).items).toHaveLength(1);
    });

    it('refuses the cursor of another query', async () => {
      await putOpen(1, 2, 3);
      await store().ensure({ ...tasks, name: 'tasks-v2' });
      const { nextCursor: cursor } = await pageOf(store(), open);
      const others: PartialQuery[] = [
        { ...open, where: { status: 'done' } },
        { ...open, where: { status: null } },
        { ...open, direction: 'desc' },
        { ...open, where: { status: 'open', rank: 1 } },
        { ...open, where: {} },
      ];
      for (const query of others)
        await expect(pageOf(store(), { ...query, cursor })).rejects.toThrow(InvalidCursor);
      await expect(pageOf(store(), { ...open, cursor }, 'tasks-v2')).rejects.toThrow(InvalidCursor);
    });

    it('refuses garbage', async () => {
      await putOpen(1, 2, 3);
      const { nextCursor } = await pageOf(store(), open);
      const real = nextCursor!;
      const [mark] = JSON.parse(Buffer.from(real, 'base64url').toString()) as string[];
      const forged = [
        [mark],
        [mark, 'text', 'r1'],
        [mark, 1],
        [mark, 1, 2],
        [mark, 1.5, 'r1'],
        null,
        {},
        1,
      ].map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'));
      for (const cursor of [
        '',
        'x',
        '%%%',
        `${real}!`,
        real.slice(0, -4),
        `${real}${real}`,
        '🙂',
        ...forged,
      ]) {
        await expect(pageOf(store(), { ...open, cursor })).rejects.toThrow(InvalidCursor);
      }
    });

    it('gives every document once and in order, for any documents, page size and direction', async () => {
      const task = fc.record({
        status: fc.constantFrom('open', 'done', null),
        rank: fc.option(fc.integer({ min: -2, max: 2 })),
      });
      let run = 0;
      const property = async (drawn: Omit<Task, 'id'>[], limit: number, direction: Query['direction']) => {
        const collection = { ...tasks, name: `drawn-${++run}` };
        await store().ensure(collection);
        const documents = drawn.map((fields, n) => ({ id: `t${String(n).padStart(2, '0')}`, ...fields }));
        await writeAt(
          store(),
          1n,
          documents.map((document) => [document.id, document]),
          collection.name,
        );

        const found = await idsOf(
          store(),
          { where: { status: 'open' }, orderBy: 'rank', limit, direction },
          collection.name,
        );

        const rankOf = ({ rank }: Task) => rank ?? -Infinity;
        const expected = documents
          .filter(({ status }) => status === 'open')
          .sort((a, b) => (rankOf(a) === rankOf(b) ? (a.id < b.id ? -1 : 1) : rankOf(a) - rankOf(b)))
          .map(({ id }) => id);
        expect(found).toEqual(direction === 'asc' ? expected : expected.reverse());
        await store().drop(collection.name);
      };
      const drawnTasks = fc.array(task, { maxLength: 20 });
      const limits = fc.integer({ min: 1, max: 5 });
      const directions = fc.constantFrom<Query['direction']>('asc', 'desc');
      await fc.assert(fc.asyncProperty(drawnTasks, limits, directions, property), { numRuns: 50 });
    });
  });
}

/** Part of `document-store.contract.ts`. */
export function scanContract(store: () => DocumentStore): void {
  describe('scanning', () => {
    const scanned = async (limit: number) => {
      const ids: string[] = [];
      for (let after: string | null = null; ;) {
        const page: Identified<Task>[] = await store().scan<Task>('tasks-v1', after, limit);
        ids.push(...page.map(({ id }) => id));
        for (const { id, document } of page) expect(document.id).toBe(id);
        if (page.length < limit) return ids;
        after = page.at(-1)!.id;
      }
    };

    it('gives every document once, those that no index has as well, in the order of the bytes of the ids', async () => {
      const ordered = ['', 'A', 'Z', 'a', 'a ', 'aa', 'é', '\uffee', '😀'];
      await put(
        store(),
        [...ordered].reverse().map((id, n) => (n % 2 ? { id } : { id, rank: n })),
      );
      for (const limit of [1, 2, 9, 10, 1_000]) expect(await scanned(limit)).toEqual(ordered);
    });

    it('ends at once where there is nothing', async () => {
      expect(await store().scan('tasks-v1', null, 10)).toEqual([]);
      expect(await store().scan('tasks-v1', 'a', 10)).toEqual([]);
    });

    it('refuses a limit that is not 1 to 1000', async () => {
      for (const limit of [0, -1, 1001, 1.5, NaN]) {
        await expect(store().scan('tasks-v1', null, limit)).rejects.toThrow(RangeError);
      }
    });
  });
}
