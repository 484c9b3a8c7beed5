import type { Document, DocumentStore } from '../../src/documents/document-store';
import { LARGEST_POSITION, checkpointAlone, idsOf, put, writeAt } from './document-store.fixture';
import type { Task } from './document-store.fixture';

/** Part of `document-store.contract.ts`. */
export function batchContract(store: () => DocumentStore): void {
  describe('writing a batch', () => {
    const rankOf = async (id: string) => (await store().get<Task>('tasks-v1', id))?.rank ?? null;

    it('writes, replaces and deletes', async () => {
      await put(store(), [{ id: 'a', rank: 1 }], 1n);
      await put(store(), [{ id: 'b', rank: 1 }], 1n);
      await writeAt(store(), 2n, [
        ['a', { id: 'a', rank: 2 }],
        ['b', null],
        ['c', { id: 'c', rank: 2 }],
        ['was never there', null],
      ]);
      expect(await idsOf(store(), { where: {}, orderBy: 'rank' })).toEqual(['a', 'c']);
      expect(await rankOf('a')).toBe(2);
      expect(await store().get('tasks-v1', 'b')).toBeNull();
    });

    it('changes nothing when it is repeated', async () => {
      const batch = () =>
        writeAt(store(), 5n, [
          ['a', { id: 'a', rank: 1 }],
          ['b', null],
        ]);
      await put(store(), [{ id: 'b', rank: 1 }], 1n);
      await batch();
      await batch();
      expect(await store().getVersioned('tasks-v1', 'a')).toEqual({
        version: 1,
        document: { id: 'a', rank: 1 },
      });
      expect(await store().get('tasks-v1', 'b')).toBeNull();
      expect(await store().checkpoint('tasks-v1')).toBe(5n);
    });

    it('leaves a document alone that stands at the same or a later position', async () => {
      await put(store(), [{ id: 'a', rank: 5 }], 5n);
      await put(store(), [{ id: 'a', rank: 10 }], 10n);
      // The checkpoint moves on, so that nothing but the position of the document itself stands guard.
      for (const position of [9n, 10n]) {
        const writes = [
          { id: 'a', document: { id: 'a', rank: 0 }, position },
          { id: 'b', document: { id: 'b', rank: 0 }, position },
        ];
        await store().writeBatch({
          collection: 'tasks-v1',
          writes,
          checkpoint: { name: 'tasks-v1', position: 20n },
        });
      }
      expect(await rankOf('a')).toBe(10);
      expect(await rankOf('b')).toBe(0);
    });

    it('does not delete what stands at the same or a later position', async () => {
      await put(store(), [{ id: 'a', rank: 5 }], 5n);
      await put(store(), [{ id: 'a', rank: 10 }], 10n);
      for (const position of [9n, 10n]) {
        const writes = [{ id: 'a', document: null, position }];
        await store().writeBatch({
          collection: 'tasks-v1',
          writes,
          checkpoint: { name: 'tasks-v1', position: 20n },
        });
      }
      expect(await rankOf('a')).toBe(10);
    });

    it('does not bring back what a later batch deleted', async () => {
      await put(store(), [{ id: 'a', rank: 1 }], 5n);
      await writeAt(store(), 10n, [['a', null]]);
      await put(store(), [{ id: 'a', rank: 1 }], 5n);
      expect(await store().get('tasks-v1', 'a')).toBeNull();
      await put(store(), [{ id: 'a', rank: 11 }], 11n);
      expect(await rankOf('a')).toBe(11);
    });

    it('tells neighbouring positions apart up to the largest of 64 bits', async () => {
      await put(store(), [{ id: 'a', rank: 1 }], LARGEST_POSITION - 1n);
      expect(await store().checkpoint('tasks-v1')).toBe(LARGEST_POSITION - 1n);
      await put(store(), [{ id: 'a', rank: 2 }], LARGEST_POSITION - 1n);
      expect(await rankOf('a')).toBe(1);
      await put(store(), [{ id: 'a', rank: 3 }], LARGEST_POSITION);
      expect(await rankOf('a')).toBe(3);
      expect(await store().checkpoint('tasks-v1')).toBe(LARGEST_POSITION);
    });

    it('moves the checkpoint alone, and never back', async () => {
      await checkpointAlone(store(), 'p', 3n);
      await checkpointAlone(store(), 'p', 8n);
      await checkpointAlone(store(), 'p', 5n);
      await checkpointAlone(store(), 'another', 1n);
      expect(await store().checkpoint('p')).toBe(8n);
      expect(await store().checkpoint('another')).toBe(1n);
    });

    it('works on durable collections too', async () => {
      const writes = [{ id: 's1', document: { node: 'n1' }, position: 4n }];
      await store().writeBatch({
        collection: 'leases',
        writes,
        checkpoint: { name: 'a-saga', position: 4n },
      });
      expect(await store().get('leases', 's1')).toEqual({ node: 'n1' });
      expect(await store().checkpoint('a-saga')).toBe(4n);
    });

    it('moves a document in the indexes', async () => {
      await put(store(), [{ id: 'a', status: 'open', rank: 1 }], 1n);
      await put(store(), [{ id: 'a', status: 'done', rank: 1 }], 2n);
      expect(await idsOf(store(), { where: { status: 'open' }, orderBy: 'rank' })).toEqual([]);
      expect(await idsOf(store(), { where: { status: 'done' }, orderBy: 'rank' })).toEqual(['a']);
    });
  });
}

/** Part of `document-store.contract.ts`. */
export function compareAndSetContract(store: () => DocumentStore): void {
  describe.each([
    ['model', 'tasks-v1'],
    ['durable', 'leases'],
  ])('comparing and setting in a %s collection', (_kind, collection) => {
    const cas = (expected: number | null, document: Document | null) =>
      store().compareAndSet(collection, 'x', expected, document);
    const stored = () => store().getVersioned(collection, 'x');

    it('creates only where there is nothing', async () => {
      expect(await cas(null, { n: 1 })).toBe(true);
      expect(await cas(null, { n: 2 })).toBe(false);
      expect(await stored()).toEqual({ version: 1, document: { n: 1 } });
    });

    it('replaces only at the expected version', async () => {
      expect(await cas(1, { n: 0 })).toBe(false);
      await cas(null, { n: 1 });
      expect(await cas(2, { n: 0 })).toBe(false);
      expect(await cas(1, { n: 2 })).toBe(true);
      expect(await cas(1, { n: 0 })).toBe(false);
      expect(await stored()).toEqual({ version: 2, document: { n: 2 } });
    });

    it('removes only at the expected version', async () => {
      await cas(null, { n: 1 });
      await cas(1, { n: 2 });
      expect(await cas(1, null)).toBe(false);
      expect(await cas(null, null)).toBe(false);
      expect(await cas(2, null)).toBe(true);
      expect(await stored()).toBeNull();
      expect(await cas(2, null)).toBe(false);
      expect(await cas(null, { n: 3 })).toBe(true);
    });

    it('sees a batch as a change', async () => {
      await cas(null, { n: 1 });
      await writeAt(store(), 1n, [['x', { n: 2 }]], collection);
      expect(await cas(1, { n: 0 })).toBe(false);
      expect(await stored()).toEqual({ version: 2, document: { n: 2 } });
    });

    it('lets exactly one of 50 at once win, each time', async () => {
      for (const expected of [null, 1, 2]) {
        const attempts = Array.from({ length: 50 }, (_, n) => cas(expected, { winner: n }));
        const outcomes = await Promise.all(attempts);
        expect(outcomes.filter(Boolean)).toHaveLength(1);
        expect(await stored()).toEqual({
          version: (expected ?? 0) + 1,
          document: { winner: outcomes.indexOf(true) },
        });
      }
    });
  });

  it('keeps what was set in the indexes', async () => {
    await store().compareAndSet('leases', 'x', null, { id: 'x', node: 'n1' });
    await store().compareAndSet('leases', 'y', null, { id: 'y', node: 'n0' });
    await store().compareAndSet('leases', 'x', 1, { id: 'x', node: 'n2' });
    expect(await idsOf(store(), { where: { node: 'n1' }, orderBy: 'node' }, 'leases')).toEqual([]);
    expect(await idsOf(store(), { where: {}, orderBy: 'node' }, 'leases')).toEqual(['y', 'x']);
  });
}
