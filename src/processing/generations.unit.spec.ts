import { temporaryFolder } from '../../test/support/temporary-folder';
import { EmbeddedDocumentStore } from '../documents/embedded/embedded-document-store';
import { Generations } from './generations';
import type { Projection } from './projection';
import { collectionOf } from './projection';

const things: Projection = {
  ...{ name: 'things', version: 3, fields: {}, indexes: [], handles: [] },
  id: () => null,
  evolve: (document) => document,
};
const REQUEST = { jobId: 'job-1', requestedAt: '2025-11-23T10:00:00.000Z' };

let documents: EmbeddedDocumentStore;
let generations: Generations;

beforeEach(async () => {
  documents = await EmbeddedDocumentStore.open(temporaryFolder());
  generations = await opened();
});

afterEach(() => documents.close());

/** As the next start finds it. */
async function opened(): Promise<Generations> {
  const next = new Generations(documents);
  await next.open([things]);
  return next;
}

async function fill(collection: string): Promise<void> {
  await documents.ensure(collectionOf(things, collection));
  const checkpoint = { name: collection, position: 7n };
  await documents.writeBatch({ collection, writes: [{ id: 'a', document: {}, position: 7n }], checkpoint });
}

test('the first generation has the name that it always had, and each rebuild makes the next one', async () => {
  expect(generations.liveCollection(things)).toBe('things_v3');
  expect(generations.nextCollection(things)).toBe('things_v3_g1');
  await generations.advance(things);
  expect(generations.liveCollection(things)).toBe('things_v3_g1');
  await generations.advance(things);
  expect((await opened()).liveCollection(things)).toBe('things_v3_g2');
  expect(generations.liveCollection({ name: 'things', version: 4 })).toBe('things_v4');
});

test('a rebuild that was asked for is known after a restart, with what it has built, until it has ended', async () => {
  await generations.remember(things, REQUEST);
  await fill('things_v3_g1');
  expect((await opened()).requestedRebuild(things)).toEqual(REQUEST);
  expect(await documents.checkpoint('things_v3_g1')).toBe(7n);
  await generations.advance(things);
  expect((await opened()).requestedRebuild(things)).toBeNull();
  expect(await documents.checkpoint('things_v3_g1')).toBe(7n);
});

test('a start clears away what was replaced, and what a rebuild that has ended in vain has left', async () => {
  await fill('things_v3');
  await fill('things_v3_g1');
  await generations.advance(things);
  await fill('things_v3_g2');
  await opened();
  expect(await documents.checkpoint('things_v3')).toBeNull();
  expect(await documents.checkpoint('things_v3_g1')).toBe(7n);
  expect(await documents.checkpoint('things_v3_g2')).toBeNull();
});

test('of two nodes that advance at once one fails, and nothing is skipped', async () => {
  const other = await opened();
  await generations.advance(things);
  await expect(other.advance(things)).rejects.toThrow(/another node/);
  expect((await opened()).liveCollection(things)).toBe('things_v3_g1');
});
