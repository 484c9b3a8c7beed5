import type { Collection, DocumentStore, Query } from '../../src/documents/document-store';
import {
  LARGEST_POSITION,
  checkpointAlone,
  idsOf,
  leases,
  pageOf,
  put,
  tasks,
  writeAt,
} from './document-store.fixture';
import type { PartialQuery, Task } from './document-store.fixture';
import { cursorContract, queryContract, scanContract } from './document-store.queries.contract';
import { batchContract, compareAndSetContract } from './document-store.writes.contract';

/** A place of its own for the data of one test. */
export interface DocumentStorePlace {
  /** Opens the same data again after `close`. */
  open(): Promise<DocumentStore>;
  /** Removes the data. The store is closed by then. */
  remove(): Promise<void>;
}

/** Everything the port promises, for any backend. */
export function documentStoreContract(name: string, freshPlace: () => Promise<DocumentStorePlace>): void {
  describe(`${name} as a document store`, () => {
    let place: DocumentStorePlace;
    let store: DocumentStore;
    const current = () => store;

    beforeEach(async () => {
      place = await freshPlace();
      store = await place.open();
      await store.ensure(tasks);
      await store.ensure(leases);
    });

    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    readingContract(current);
    batchContract(current);
    queryContract(current);
    cursorContract(current);
    scanContract(current);
    compareAndSetContract(current);
    collectionContract(current);

    describe('closing', () => {
      const reopen = async () => {
        await store.close();
        store = await place.open();
        await store.ensure(tasks);
        await store.ensure(leases);
      };

      it('keeps documents, versions and checkpoints of both kinds for the next opening', async () => {
        await put(store, [{ id: 'a', status: 'open', rank: 1 }]);
        await store.compareAndSet('leases', 'lease', null, { node: 'n1' });
        await store.compareAndSet('leases', 'lease', 1, { node: 'n2' });
        await checkpointAlone(store, 'a-projection', 7n);
        await checkpointAlone(store, 'a-saga', LARGEST_POSITION, 'leases');

        await reopen();

        expect(await idsOf(store, { where: { status: 'open' }, orderBy: 'rank' })).toEqual(['a']);
        expect(await store.getVersioned('leases', 'lease')).toEqual({ version: 2, document: { node: 'n2' } });
        expect(await store.checkpoint('a-projection')).toBe(7n);
        expect(await store.checkpoint('a-saga')).toBe(LARGEST_POSITION);
        const all = (await store.checkpoints()).map(String).sort();
        expect(all).toEqual(['1', '7', `${LARGEST_POSITION}`]);
      });

      it('keeps the guards', async () => {
        await put(store, [{ id: 'a', rank: 1 }], 10n);
        await reopen();
        await put(store, [{ id: 'a', rank: 2 }], 10n);
        expect(await store.get('tasks-v1', 'a')).toEqual({ id: 'a', rank: 1 });
      });

      it('may be asked for twice, and ends every other call', async () => {
        await store.close();
        await store.close();
        await expect(store.get('tasks-v1', 'a')).rejects.toThrow();
        await expect(put(store, [{ id: 'a' }])).rejects.toThrow();
      });
    });
  });
}

function readingContract(store: () => DocumentStore): void {
  describe('reading', () => {
    it('finds nothing where nothing was written', async () => {
      expect(await store().get('tasks-v1', 'a')).toBeNull();
      expect(await store().getVersioned('tasks-v1', 'a')).toBeNull();
      expect(await store().getMany('tasks-v1', ['a', 'b'])).toEqual(new Map());
      expect(await store().checkpoint('tasks-v1')).toBeNull();
      expect(await store().checkpoints()).toEqual([]);
    });

    it('gives back the whole document, also what no query can name', async () => {
      const document = {
        id: 'a',
        status: 'open',
        nested: { list: [1, null, { deep: true }], empty: {} },
        ratio: 0.1,
      };
      await put(store(), [document]);
      expect(await store().get('tasks-v1', 'a')).toEqual(document);
    });

    it('keeps any Unicode text, in ids, fields and bodies', async () => {
      const texts = [
        'żółć',
        '日本語',
        '👩‍👩‍👧',
        'e\u0301 is not \u00e9',
        'line\u2028separator',
        `quote ' " \\ ; --`,
        'a\u0000b',
      ];
      await put(
        store(),
        texts.map((text) => ({ id: text, status: text, text })),
      );
      for (const text of texts) {
        expect(await store().get('tasks-v1', text)).toEqual({ id: text, status: text, text });
        expect(await idsOf(store(), { where: {}, orderBy: 'status', limit: 100 })).toContain(text);
      }
      expect((await store().getMany('tasks-v1', texts)).size).toBe(texts.length);
    });

    it('keeps documents of 500 KB', async () => {
      const document = { id: 'big', text: 'größer '.repeat(64_000) };
      await put(store(), [document]);
      expect(await store().get('tasks-v1', 'big')).toEqual(document);
    });

    it('gives the position that each document stands at to whoever writes the next batch', async () => {
      await put(store(), [{ id: 'a', rank: 1 }], 5n);
      await writeAt(store(), LARGEST_POSITION, [['b', { id: 'b', rank: 2 }]]);
      expect(await store().getPositioned('tasks-v1', ['a', 'b', 'c'])).toEqual(
        new Map([
          ['a', { document: { id: 'a', rank: 1 }, position: 5n }],
          ['b', { document: { id: 'b', rank: 2 }, position: LARGEST_POSITION }],
        ]),
      );
    });

    it('gets thousands at once, leaving out those that are missing', async () => {
      const documents = Array.from({ length: 3_000 }, (_, n) => ({ id: `t${n}`, rank: n }));
      await put(store(), documents);
      const ids = Array.from({ length: 6_000 }, (_, n) => `t${n}`);

      const found = await store().getMany<Task>('tasks-v1', [...ids, 't1', 't1']);

      expect(found.size).toBe(3_000);
      expect(found.get('t2999')).toEqual({ id: 't2999', rank: 2999 });
      expect(found.has('t3000')).toBe(false);
    });
  });
}

function collectionContract(store: () => DocumentStore): void {
  describe('collections', () => {
    it('must be ensured before they are used', async () => {
      const query: Query = { where: {}, orderBy: 'rank', direction: 'asc', limit: 1 };
      await expect(store().get('unknown', 'a')).rejects.toThrow(/unknown/);
      await expect(store().query('unknown', query)).rejects.toThrow(/unknown/);
      await expect(store().compareAndSet('unknown', 'a', null, {})).rejects.toThrow(/unknown/);
      await expect(writeAt(store(), 1n, [], 'unknown')).rejects.toThrow(/unknown/);
      expect(await store().checkpoint('unknown')).toBeNull();
    });

    it('can be ensured again without losing anything', async () => {
      await put(store(), [{ id: 'a', rank: 1 }]);
      await store().ensure(tasks);
      expect(await idsOf(store(), { where: {}, orderBy: 'rank' })).toEqual(['a']);
    });

    it('take new indexes, which serve the documents that are there', async () => {
      await put(store(), [
        { id: 'a', status: 'open', at: '2' },
        { id: 'b', status: 'open', at: '1' },
      ]);
      const byStatusAndAt: PartialQuery = { where: { status: 'open' }, orderBy: 'at' };
      await expect(pageOf(store(), byStatusAndAt)).rejects.toThrow(/index/);
      await store().ensure({ ...tasks, indexes: [...tasks.indexes, ['status', 'at']] });
      expect(await idsOf(store(), byStatusAndAt)).toEqual(['b', 'a']);
    });

    it.each<[string, Collection['fields']]>([
      ['one more', { ...tasks.fields, colour: 'text' }],
      ['one less', { status: 'text', rank: 'integer' }],
      ['one of another type', { ...tasks.fields, at: 'integer' }],
    ])('refuse other fields than they were built with: %s', async (_what, fields) => {
      await expect(store().ensure({ ...tasks, fields, indexes: [['rank']] })).rejects.toThrow(/version/);
      await put(store(), [{ id: 'a', status: 'open', rank: 1, at: '1' }]);
      expect(await idsOf(store(), { where: {}, orderBy: 'at' })).toEqual(['a']);
    });

    it('refuse an index over a field that is not declared', async () => {
      const undeclared = { ...tasks, name: 'other', indexes: [['status', 'colour']] };
      await expect(store().ensure(undeclared)).rejects.toThrow(/colour/);
    });

    it.each(['', 'a b', 'a"b', `a'; DROP TABLE x`, '_internal', 'a$b', 'a\u0000', 'ä'])(
      'refuse the name %j',
      async (bad) => {
        await expect(store().ensure({ ...tasks, name: bad })).rejects.toThrow(/name/);
        await expect(
          store().ensure({ ...tasks, name: 'other', fields: { [bad]: 'text' }, indexes: [] }),
        ).rejects.toThrow(/name/);
      },
    );

    it('are dropped with their documents and their checkpoint, and nothing else', async () => {
      await store().ensure({ ...tasks, name: 'tasks-v2' });
      await put(store(), [{ id: 'a', rank: 1 }], 9n);
      await writeAt(store(), 5n, [['a', { id: 'a', rank: 2 }]], 'tasks-v2');

      await store().drop('tasks-v1');

      await expect(store().get('tasks-v1', 'a')).rejects.toThrow(/tasks-v1/);
      expect(await store().checkpoint('tasks-v1')).toBeNull();
      expect(await store().get('tasks-v2', 'a')).toEqual({ id: 'a', rank: 2 });
      expect(await store().checkpoint('tasks-v2')).toBe(5n);
    });

    it('can be built again after a drop, with other fields and from the start', async () => {
      await put(store(), [{ id: 'a', rank: 1, at: '1' }], 9n);
      await store().drop('tasks-v1');
      await store().ensure({ ...tasks, fields: { rank: 'text' }, indexes: [['rank']] });
      await writeAt(store(), 1n, [['a', { id: 'a', rank: 'first' }]]);
      expect(await idsOf(store(), { where: { rank: 'first' }, orderBy: 'rank' })).toEqual(['a']);
      expect(await store().checkpoint('tasks-v1')).toBe(1n);
    });

    it('can be dropped without being there, but never when they are durable', async () => {
      await store().drop('unknown');
      await store().compareAndSet('leases', 'x', null, { node: 'n1' });
      await expect(store().drop('leases')).rejects.toThrow(/durable/);
      expect(await store().get('leases', 'x')).toEqual({ node: 'n1' });
    });
  });
}
