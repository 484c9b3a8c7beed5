import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { Query } from '../../src/documents/document-store';
import { DocumentsUnavailable } from '../../src/documents/document-store';
import type { PageKey } from '../../src/documents/cursor';
import { EmbeddedDocumentStore } from '../../src/documents/embedded/embedded-document-store';
import { pageSelects } from '../../src/documents/embedded/page-select';
import { servingIndex } from '../../src/documents/serving-index';
import { openDatabase, type Database } from '../../src/sqlite/sqlite';
import { documentStoreContract } from './document-store.contract';
import { checkpointAlone, idsOf, leases, put, tasks } from './document-store.fixture';

const freshFolder = () => mkdtemp(join(tmpdir(), 'reveille-documents-'));
const removeFolder = (folder: string) => rm(folder, { recursive: true, force: true });

documentStoreContract('EmbeddedDocumentStore', async () => {
  const folder = await freshFolder();
  return { open: () => EmbeddedDocumentStore.open(folder), remove: () => removeFolder(folder) };
});

describe('EmbeddedDocumentStore', () => {
  let folder: string;
  let data: string;
  let store: EmbeddedDocumentStore;

  beforeEach(async () => {
    folder = await freshFolder();
    data = join(folder, 'made', 'on', 'demand');
    store = await EmbeddedDocumentStore.open(data);
    await store.ensure(tasks);
    await store.ensure(leases);
  });

  afterEach(async () => {
    await store.close();
    await removeFolder(folder);
  });

  it('calls itself unavailable where nothing writes for it any more', async () => {
    await store.close();
    await expect(put(store, [{ id: 'a', rank: 1 }])).rejects.toThrow(DocumentsUnavailable);
    store = await EmbeddedDocumentStore.open(data);
  });

  it('keeps what is durable when the read models are deleted', async () => {
    await put(store, [{ id: 'a', rank: 1 }]);
    await store.compareAndSet('leases', 'x', null, { node: 'n1' });
    await checkpointAlone(store, 'a-saga', 4n, 'leases');
    await store.close();
    const files = (await readdir(data)).filter((name) => name.endsWith('.db'));
    expect(files.sort()).toEqual(['documents.db', 'durable.db']);

    await rm(join(data, 'documents.db'));
    store = await EmbeddedDocumentStore.open(data);
    await store.ensure(tasks);
    await store.ensure(leases);

    expect(await store.get('tasks-v1', 'a')).toBeNull();
    expect(await store.checkpoint('tasks-v1')).toBeNull();
    expect(await store.get('leases', 'x')).toEqual({ node: 'n1' });
    expect(await store.checkpoint('a-saga')).toBe(4n);
  });

  it('writes a batch with its checkpoint or not at all', async () => {
    await put(store, [{ id: 'a', rank: 1 }], 1n);
    const writes = [
      { id: 'a', document: { id: 'a', rank: 2 }, position: 2n },
      { id: 'b', document: { id: 'b', rank: 'not an integer' }, position: 2n },
    ];
    const batch = { collection: 'tasks-v1', writes, checkpoint: { name: 'tasks-v1', position: 2n } };
    await expect(store.writeBatch(batch)).rejects.toThrow(/rank/);
    expect(await store.get('tasks-v1', 'a')).toEqual({ id: 'a', rank: 1 });
    expect(await store.checkpoint('tasks-v1')).toBe(1n);
    await put(store, [{ id: 'a', rank: 2 }], 2n);
    expect(await store.get('tasks-v1', 'a')).toEqual({ id: 'a', rank: 2 });
  });

  // Lists go by the columns: a comparison that saw the bodies alone would call that equal.
  it('scans what the columns say, where somebody has changed them', async () => {
    await put(store, [
      { id: 'a', rank: 1 },
      { id: 'b', rank: 1 },
    ]);
    const db = openDatabase(join(data, 'documents.db'), 'FULL');
    db.prepare(`UPDATE "tasks-v1" SET "f_rank" = 2 WHERE id = 'b'`).run();
    db.close();
    expect((await store.scan('tasks-v1', null, 10)).map(({ document }) => document)).toEqual([
      { id: 'a', rank: 1 },
      { id: 'b', rank: '2' },
    ]);
  });

  it.each<[string, unknown]>([
    ['status', 1],
    ['rank', '1'],
    ['rank', 1.5],
    ['rank', 2 ** 53],
    ['at', 1],
    ['at', '-1'],
    ['at', '01'],
    ['at', `${2n ** 63n}`],
  ])('refuses a document whose %s is %p', async (field, value) => {
    const document = { id: 'a', [field]: value };
    await expect(store.compareAndSet('tasks-v1', 'a', null, document)).rejects.toThrow(field);
    expect(await store.get('tasks-v1', 'a')).toBeNull();
  });

  it('refuses a filter value of another type, or none', async () => {
    const by = (status: unknown) => ({ where: { status } as Query['where'], orderBy: 'rank' });
    await expect(idsOf(store, by(1))).rejects.toThrow(/status/);
    await expect(idsOf(store, by(undefined))).rejects.toThrow(/status/);
  });

  it('gives a durable collection with other fields new columns, and keeps its documents', async () => {
    await store.compareAndSet('leases', 'x', null, { id: 'x', node: 'n1', until: 2 });
    await store.compareAndSet('leases', 'y', null, { id: 'y', node: 'n1', until: 3 });
    await store.compareAndSet('leases', 'y', 1, { id: 'y', node: 'n1', until: 1 });

    await store.ensure({ ...leases, fields: { until: 'integer' }, indexes: [['until']] });

    expect(await idsOf(store, { where: {}, orderBy: 'until' }, 'leases')).toEqual(['y', 'x']);
    expect(await store.getVersioned('leases', 'y')).toEqual({
      version: 2,
      document: { id: 'y', node: 'n1', until: 1 },
    });
    expect(await store.compareAndSet('leases', 'y', 2, null)).toBe(true);
  });

  it('refuses a collection of the other kind with the same name', async () => {
    await expect(store.ensure({ ...leases, kind: 'model' })).rejects.toThrow(/kind/);
    await expect(store.ensure({ ...tasks, kind: 'durable' })).rejects.toThrow(/kind/);
  });

  describe('what was written a moment ago', () => {
    const writes = (n: number, position: bigint) => [{ id: 'a', document: { id: 'a', rank: n }, position }];
    const batch = (collection: string, n: number, position: bigint) =>
      store.writeBatch({
        collection,
        writes: writes(n, position),
        checkpoint: { name: collection, position },
      });

    it('is gone with its collection, also where both were asked for at once', async () => {
      await Promise.all([batch('tasks-v1', 1, 1n), store.drop('tasks-v1')]);
      await store.ensure(tasks);
      expect(await store.get('tasks-v1', 'a')).toBeNull();
    });

    it('is what came last, of a batch and a comparison at once', async () => {
      await Promise.all([
        batch('leases', 1, 1n),
        store.compareAndSet('leases', 'a', 1, { id: 'a', rank: 2 }),
      ]);
      expect(await store.get('leases', 'a')).toEqual({ id: 'a', rank: 2 });
    });

    it('is what came last, of batches at once of which one is old', async () => {
      const all = [batch('leases', 1, 1n), batch('leases', 5, 5n), batch('leases', 3, 3n)];
      await Promise.all(all);
      expect(await store.get('leases', 'a')).toMatchObject({ rank: 5 });
    });

    it('is looked up again when the thread that writes has died, since nobody knows what it has left', async () => {
      await batch('tasks-v1', 1, 1n);
      expect(await store.get('tasks-v1', 'a')).toMatchObject({ rank: 1 });
      const outside = openDatabase(join(data, 'documents.db'), 'NORMAL');
      outside.exec(`UPDATE "tasks-v1" SET body = '{"id":"a","rank":2}'`);
      outside.close();
      const { thread } = store as unknown as { thread: { worker: Worker } };
      await thread.worker.terminate();
      expect(await store.get('tasks-v1', 'a')).toMatchObject({ rank: 2 });
    });
  });

  it('drops a collection of an earlier start that nobody ensures any more', async () => {
    await put(store, [{ id: 'a' }]);
    await store.close();
    store = await EmbeddedDocumentStore.open(data);
    await store.drop('tasks-v1');
    await store.ensure({ ...tasks, fields: {}, indexes: [] });
    expect(await store.get('tasks-v1', 'a')).toBeNull();
  });

  const nullRank = { value: null, id: 'a' };
  const someRank = { value: 1, id: 'a' };

  it.each([
    ['asc', null, ['f_status=?']],
    ['asc', nullRank, ['f_status=? AND f_rank=? AND id>?', 'f_status=? AND f_rank>?']],
    ['asc', someRank, ['f_status=? AND (f_rank,id)>(?,?)']],
    ['desc', null, ['f_status=?']],
    ['desc', nullRank, ['f_status=? AND f_rank=? AND id<?']],
    ['desc', someRank, ['f_status=? AND (f_rank,id)<(?,?)', 'f_status=? AND f_rank=?']],
  ] as const)(
    'reads a page as ranges of the index, without sorting: %s after %j',
    (direction, after, ranges) => {
      const db = openDatabase(join(data, 'documents.db'), 'NORMAL');
      for (const status of ['open', null]) {
        const plan = planOf(db, { where: { status }, orderBy: 'rank', direction, limit: 50 }, after);
        const index = 'ix:tasks-v1:f_status:f_rank';
        expect(plan).toEqual(ranges.map((range) => `SEARCH tasks-v1 USING INDEX ${index} (${range})`));
      }
      db.close();
    },
  );
});

function planOf(db: Database, query: Query, after: PageKey | null): string[] {
  const selects = pageSelects(tasks, servingIndex(tasks, query), query, after);
  return selects.flatMap(({ sql, parameters }) => {
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters, query.limit);
    return steps.map(({ detail }: { detail: string }) => detail);
  });
}
