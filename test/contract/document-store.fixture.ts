import type { Collection, Document, DocumentStore, Page, Query } from '../../src/documents/document-store';

/** Lives in `tasks-v1`. */
export interface Task {
  id: string;
  status?: string | null;
  rank?: number | null;
  at?: string | null;
}

export const tasks: Collection = {
  name: 'tasks-v1',
  kind: 'model',
  fields: { status: 'text', rank: 'integer', at: 'position' },
  indexes: [['rank'], ['at'], ['status'], ['status', 'rank'], ['status', 'rank', 'at']],
};
export const leases: Collection = {
  name: 'leases',
  kind: 'durable',
  fields: { node: 'text' },
  indexes: [['node']],
};

/** Of 64 bits with a sign. */
export const LARGEST_POSITION = 2n ** 63n - 1n;

/** What is left out: ascending, 10 a page. */
export type PartialQuery = Pick<Query, 'where' | 'orderBy'> & Partial<Query>;

export function pageOf(
  store: DocumentStore,
  query: PartialQuery,
  collection = 'tasks-v1',
): Promise<Page<Task>> {
  return store.query<Task>(collection, { direction: 'asc', limit: 10, ...query });
}

export async function allPages<D extends Document>(
  store: DocumentStore,
  query: PartialQuery,
  collection = 'tasks-v1',
): Promise<D[]> {
  const items: D[] = [];
  let cursor = query.cursor ?? null;
  do {
    const page = await store.query<D>(collection, { direction: 'asc', limit: 10, ...query, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

export async function idsOf(
  store: DocumentStore,
  query: PartialQuery,
  collection?: string,
): Promise<string[]> {
  return (await allPages<Task>(store, query, collection)).map(({ id }) => id);
}

/** Writes all at one position, with the checkpoint of the collection. */
export function writeAt(
  store: DocumentStore,
  position: bigint,
  writes: [id: string, document: Document | null][],
  collection = 'tasks-v1',
): Promise<void> {
  return store.writeBatch({
    collection,
    writes: writes.map(([id, document]) => ({ id, document, position })),
    checkpoint: { name: collection, position },
  });
}

/** Writes tasks into `tasks-v1`, all at one position. */
export function put(store: DocumentStore, documents: readonly Task[], position = 1n): Promise<void> {
  return writeAt(
    store,
    position,
    documents.map((document) => [document.id, document]),
  );
}

export function checkpointAlone(
  store: DocumentStore,
  name: string,
  position: bigint,
  collection = 'tasks-v1',
): Promise<void> {
  return store.writeBatch({ collection, writes: [], checkpoint: { name, position } });
}
