import { MongoClient } from 'mongodb';
import type { Document } from '../../src/documents/document-store';
import { DocumentsUnavailable } from '../../src/documents/document-store';
import { MongodbDocumentStore } from '../../src/documents/mongodb/mongodb-document-store';
import type { MongodbServer } from '../support/mongodb';
import { MONGODB_MISSING, mongodbIsThere, startMongodb } from '../support/mongodb';
import { describeWhen } from '../support/skips';
import { temporaryFolder } from '../support/temporary-folder';
import { documentStoreContract } from './document-store.contract';
import { leases, put, tasks, writeAt } from './document-store.fixture';

describeWhen(mongodbIsThere, MONGODB_MISSING)('on a real server', () => {
  let server: MongodbServer;

  beforeAll(async () => {
    server = await startMongodb(temporaryFolder());
  });
  afterAll(() => server.stop());

  documentStoreContract('MongodbDocumentStore', async () => {
    const url = server.database();
    return { open: () => MongodbDocumentStore.open(url), remove: async () => undefined };
  });

  describe('MongodbDocumentStore', () => {
    let url: string;
    let store: MongodbDocumentStore;
    let outside: MongoClient;

    beforeEach(async () => {
      url = server.database();
      store = await MongodbDocumentStore.open(url);
      await store.ensure(tasks);
      outside = await MongoClient.connect(url);
    });

    afterEach(async () => {
      await outside.close();
      await store.close();
    });

    it('tells a batch that was cut off before its checkpoint what it had done', async () => {
      await put(
        store,
        [
          { id: 'changed', rank: 1 },
          { id: 'removed', rank: 1 },
        ],
        5n,
      );
      await writeAt(store, 9n, [
        ['changed', { id: 'changed', rank: 2 }],
        ['removed', null],
      ]);
      // As after a crash between the two writes.
      await outside
        .db()
        .collection<{ _id: string; position: bigint }>('_checkpoints')
        .updateOne({ _id: 'tasks-v1' }, { $set: { position: 5n } });
      await outside
        .db()
        .collection<{ _id: string }>('_removed')
        .insertOne({
          _id: 'tasks-v1 removed',
          collection: 'tasks-v1',
          id: 'removed',
          position: 9n,
        } as never);

      expect(await store.getPositioned('tasks-v1', ['changed', 'removed', 'unknown'])).toEqual(
        new Map([
          ['changed', { document: { id: 'changed', rank: 2 }, position: 9n }],
          ['removed', { document: null, position: 9n }],
        ]),
      );

      await writeAt(store, 9n, [['removed', null]]);
      expect(await store.getPositioned('tasks-v1', ['removed'])).toEqual(new Map());
    });

    it('keeps documents so that a shell can read them, and positions as numbers of 64 bits', async () => {
      await put(store, [{ id: 'a', status: 'open', rank: 1, at: `${2n ** 60n}` }], 2n ** 61n);
      const raw = await outside
        .db()
        .collection<{ _id: string }>('tasks-v1')
        .findOne({ _id: 'a' }, { useBigInt64: true });
      expect(raw).toMatchObject({
        position: 2n ** 61n,
        version: 1,
        doc: { id: 'a', status: 'open', rank: 1 },
        fields: { status: 'open', rank: 1, at: 2n ** 60n },
      });
    });

    it.each<[string, Document]>([
      ['operators and paths as keys', { id: 'a', nested: { $where: 1, 'a.b': { '': 2 } } }],
      ['half a surrogate pair', { id: 'a', text: 'x\ud800y' }],
      ['a NUL in a key', { id: 'a', 'b\u0000c': [1] }],
      ['a prototype', JSON.parse('{"id": "a", "nested": {"__proto__": {"admin": true}}}') as Document],
      [
        'deeper nesting than BSON has',
        JSON.parse(`{"id": "a", "deep": ${'['.repeat(150)}${']'.repeat(150)}}`) as Document,
      ],
    ])('gives back what BSON could not keep: %s', async (_case, document) => {
      await writeAt(store, 1n, [['a', document]]);
      expect(JSON.stringify(await store.get('tasks-v1', 'a'))).toBe(JSON.stringify(document));
    });

    it('makes the indexes that are declared', async () => {
      const indexes = await outside.db().collection('tasks-v1').indexes();
      const declared = tasks.indexes.map((fields) => [...fields.map((field) => `fields.${field}`), '_id']);
      const made = indexes.map(({ key }) => Object.keys(key as object).join());
      expect(made.sort()).toEqual([['_id'], ...declared].map((fields) => fields.join()).sort());
    });

    it('gives a durable collection with other fields what its queries need, and keeps its documents', async () => {
      await store.ensure(leases);
      await store.compareAndSet('leases', 'x', null, { id: 'x', node: 'n1', until: 2 });
      await store.ensure({ ...leases, fields: { until: 'integer' }, indexes: [['until']] });
      const page = await store.query('leases', {
        where: { until: 2 },
        orderBy: 'until',
        direction: 'asc',
        limit: 1,
      });
      expect(page.items).toEqual([{ id: 'x', node: 'n1', until: 2 }]);
    });
  });
});

describeWhen(mongodbIsThere && !process.env['MONGODB_URL'], MONGODB_MISSING)(
  'while its server is gone',
  () => {
    it('says so, and goes on by itself when it is back', async () => {
      const server = await startMongodb(temporaryFolder());
      const store = await MongodbDocumentStore.open(server.database());
      try {
        await store.ensure(tasks);
        await put(store, [{ id: 'a', rank: 1 }], 1n);
        await server.kill();
        await expect(store.get('tasks-v1', 'a')).rejects.toThrow(DocumentsUnavailable);
        await expect(put(store, [{ id: 'a', rank: 2 }], 2n)).rejects.toThrow(DocumentsUnavailable);
        await server.restart();
        await put(store, [{ id: 'a', rank: 2 }], 2n);
        expect(await store.get('tasks-v1', 'a')).toEqual({ id: 'a', rank: 2 });
      } finally {
        await store.close();
        await server.stop();
      }
    });

    it('is not opened where no server answers, in a time that a person waits', async () => {
      await expect(MongodbDocumentStore.open('mongodb://127.0.0.1:9/x')).rejects.toThrow(
        DocumentsUnavailable,
      );
    });
  },
);
