import type { AnyBulkWriteOperation, Collection as DriverCollection, Filter } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { decodeCursor, encodeCursor, fingerprintOf } from '../cursor';
import type {
  Collection,
  Document,
  Identified,
  Page,
  Positioned,
  Query,
  Versioned,
  WriteBatch,
} from '../document-store';
import { assertPageSize } from '../page-size';
import { servingIndex } from '../serving-index';
import { pageFilters, pageOrder } from './page-find';
import type { StoredDocument } from './stored-document';
import { bodyOf, documentOf } from './stored-document';

/** A list of ids in one command stays far below the 16 MiB of a message. */
const IDS_AT_ONCE = 1000;
/** So many writes are answered in time, also by a slow server. */
const WRITES_AT_ONCE = 500;
const DUPLICATE_KEY = 11_000;

/** Guards nothing: where a document was put by `compareAndSet`, which knows no position. */
const NO_POSITION = 0n;

type Body = Pick<StoredDocument, '_id' | 'doc' | 'json'>;

/** One collection of documents, and the guards of what is written into it. */
export class MongodbCollection {
  constructor(
    readonly declaration: Collection,
    private readonly documents: DriverCollection<StoredDocument>,
  ) {}

  async get<D extends Document>(id: string): Promise<D | null> {
    const found = await this.documents.findOne<Body>({ _id: id }, { projection: { doc: 1, json: 1 } });
    return found && documentOf<D>(found);
  }

  async getMany<D extends Document>(ids: readonly string[]): Promise<Map<string, Positioned<D>>> {
    const found = new Map<string, Positioned<D>>();
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const some = this.documents.find({ _id: anyOf(ids.slice(from, from + IDS_AT_ONCE)) });
      for await (const stored of some) {
        found.set(stored._id, { document: documentOf<D>(stored), position: stored.position });
      }
    }
    return found;
  }

  async getVersioned<D extends Document>(id: string): Promise<Versioned<D> | null> {
    const found = await this.documents.findOne({ _id: id });
    return found && { version: found.version, document: documentOf<D>(found) };
  }

  async query<D extends Document>(query: Query): Promise<Page<D>> {
    const { cursor = null, limit, orderBy } = query;
    assertPageSize(limit);
    servingIndex(this.declaration, query);
    const { name, generationOf, fields } = this.declaration;
    const fingerprint = fingerprintOf(generationOf ?? name, query);
    const after = cursor === null ? null : decodeCursor(cursor, fingerprint, orderBy, fields[orderBy]!);
    // One document more than the page holds tells whether there is another page.
    const found: Body[] = [];
    for (const filter of pageFilters(this.declaration, query, after)) {
      const missing = limit + 1 - found.length;
      if (missing > 0) found.push(...(await this.find(filter, query, missing)));
    }
    const items = found.slice(0, limit).map((stored) => documentOf<D & Record<string, unknown>>(stored));
    const last = items.at(-1);
    const isLastPage = found.length <= limit || last === undefined;
    const nextCursor = isLastPage
      ? null
      : encodeCursor(fingerprint, last[orderBy] ?? null, found[limit - 1]!._id);
    return { items, nextCursor };
  }

  async scan<D extends Document>(after: string | null, limit: number): Promise<Identified<D>[]> {
    assertPageSize(limit);
    const filter = after === null ? {} : { _id: { $gt: after } };
    const options = { sort: { _id: 1 }, limit, projection: { doc: 1, json: 1 } } as const;
    const found = await this.documents.find<Body>(filter, options).toArray();
    return found.map((stored) => ({ id: stored._id, document: documentOf<D>(stored) }));
  }

  /** Each write is guarded by the position of what stands there. */
  async write(writes: WriteBatch['writes']): Promise<void> {
    for (let from = 0; from < writes.length; from += WRITES_AT_ONCE) {
      const some = writes.slice(from, from + WRITES_AT_ONCE);
      // Whoever else has just inserted one of these is seen the next time.
      while (await this.isHeldBack(some));
    }
  }

  async compareAndSet(
    id: string,
    expectedVersion: number | null,
    document: Document | null,
  ): Promise<boolean> {
    if (expectedVersion === null) {
      return document === null ? (await this.get(id)) === null : this.insert(id, document);
    }
    const expected: Filter<StoredDocument> = { _id: id, version: expectedVersion };
    if (document === null) return (await this.documents.deleteOne(expected)).deletedCount === 1;
    const change = { $set: bodyOf(this.declaration, document), $inc: { version: 1 } };
    return (await this.documents.updateOne(expected, change)).modifiedCount === 1;
  }

  /** Where the declared fields have changed: what queries compare is derived from the documents. */
  async deriveFields(): Promise<void> {
    for await (const stored of this.documents.find()) {
      const { fields } = bodyOf(this.declaration, documentOf(stored));
      await this.documents.updateOne({ _id: stored._id, version: stored.version }, { $set: { fields } });
    }
  }

  private async insert(id: string, document: Document): Promise<boolean> {
    const body = bodyOf(this.declaration, document);
    try {
      await this.documents.insertOne({ _id: id, position: NO_POSITION, version: 1, ...body });
      return true;
    } catch (error) {
      if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return false;
      throw error;
    }
  }

  private find(filter: Filter<StoredDocument>, query: Query, limit: number): Promise<Body[]> {
    const projection = { doc: 1, json: 1 };
    return this.documents.find<Body>(filter, { sort: pageOrder(query), limit, projection }).toArray();
  }

  /**
   * Writes what is new by inserting it, which every server does in one step and quickly, and changes what is there under
   * its guard. Answers whether something turned out not to be new.
   */
  private async isHeldBack(writes: WriteBatch['writes']): Promise<boolean> {
    const ids = writes.map(({ id }) => id);
    const positions = new Map<string, bigint>();
    const projection = { position: 1 };
    for await (const { _id, position } of this.documents.find({ _id: anyOf(ids) }, { projection })) {
      positions.set(_id, position);
    }
    const operations = writes.flatMap((write) => this.operationsOf(write, positions.get(write.id)));
    return operations.length > 0 && (await guarded(this.documents.bulkWrite(operations, { ordered: false })));
  }

  private operationsOf(
    { id, document, position }: WriteBatch['writes'][number],
    storedPosition: bigint | undefined,
  ): AnyBulkWriteOperation<StoredDocument>[] {
    if (storedPosition === undefined) {
      if (document === null) return [];
      const body = bodyOf(this.declaration, document);
      return [{ insertOne: { document: { _id: id, position, version: 1, ...body } } }];
    }
    if (storedPosition >= position) return [];
    const filter = { _id: id, position: { $lt: position } };
    if (document === null) return [{ deleteOne: { filter } }];
    const change = { $set: { position, ...bodyOf(this.declaration, document) }, $inc: { version: 1 } };
    return [{ updateOne: { filter, update: change } }];
  }
}

/** One id is looked up by every server; a list of one is a scan for some. */
function anyOf(ids: readonly string[]): string | { $in: readonly string[] } {
  return ids.length === 1 ? ids[0]! : { $in: ids };
}

/** Answers whether a guard has held back something of what was to be written. */
export async function guarded(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return false;
  } catch (error) {
    assertOnlyDuplicates(error);
    return true;
  }
}

function assertOnlyDuplicates(error: unknown): void {
  if (!(error instanceof MongoServerError)) throw error;
  const writeErrors = (error as { writeErrors?: readonly { code?: number }[] }).writeErrors;
  const codes = writeErrors && writeErrors.length > 0 ? writeErrors.map(({ code }) => code) : [error.code];
  const hasConcern = (
    error as { result?: { getWriteConcernError?: () => unknown } }
  ).result?.getWriteConcernError?.();
  if (hasConcern || codes.some((code) => code !== DUPLICATE_KEY)) throw error;
}
