import type { Db } from 'mongodb';
import { MongoClient } from 'mongodb';
import { canonicalJson } from '../../kernel/canonical-json';
import type { Position } from '../../kernel/event';
import { assertDeclaration } from '../declaration';
import type {
  Collection,
  Document,
  DocumentStore,
  Identified,
  Page,
  Positioned,
  Query,
  Versioned,
  WriteBatch,
} from '../document-store';
import { DocumentsUnavailable } from '../document-store';
import { databaseNameOf } from './database-name';
import { guarded, MongodbCollection } from './mongodb-collection';
import { OneByOne } from './one-by-one';
import type { StoredDocument } from './stored-document';
import { isUnreachable } from './unreachable';

/** Names of our own begin with an underscore, which no collection's can. */
const DECLARATIONS = '_collections';
const CHECKPOINTS = '_checkpoints';
const REMOVED = '_removed';

/** How long a call waits for a server, in milliseconds: whoever asked over HTTP has not much longer. */
const PATIENCE_MS = 5_000;

interface Declared {
  _id: string;
  kind: Collection['kind'];
  fields: string;
}

interface Checkpoint {
  _id: string;
  position: bigint;
}

/** A document that a batch takes away, for as long as the batch has no checkpoint. */
interface Removed {
  _id: string;
  collection: string;
  id: string;
  position: bigint;
}

/**
 * Documents on MongoDB, or on whatever speaks its wire protocol. Needs neither transactions nor change streams: a batch
 * is written before its checkpoint, and both are guarded by position, so that doing it again is harmless. Reads go to
 * the primary, and writes are answered by a majority where there is one.
 */
export class MongodbDocumentStore implements DocumentStore {
  private readonly collections = new Map<string, MongodbCollection>();
  private readonly oneByOne = new OneByOne();
  private isClosed = false;

  private constructor(
    private readonly client: MongoClient,
    private readonly db: Db,
  ) {}

  /**
   * @param url `mongodb://…` or `mongodb+srv://…`; its path is the database, `reveille` where it has none
   * @throws DocumentsUnavailable where no server answers within 5 s
   */
  static async open(url: string): Promise<MongodbDocumentStore> {
    const client = new MongoClient(url, {
      appName: 'reveille',
      useBigInt64: true,
      ignoreUndefined: true,
      readPreference: 'primary',
      writeConcern: { w: 'majority', journal: true },
      serverSelectionTimeoutMS: PATIENCE_MS,
      connectTimeoutMS: PATIENCE_MS,
      socketTimeoutMS: 2 * PATIENCE_MS,
    });
    const store = new MongodbDocumentStore(client, client.db(databaseNameOf(url)));
    try {
      await store.reaching(() => client.connect());
      return store;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  async ensure(collection: Collection): Promise<void> {
    assertDeclaration(collection);
    const { name, kind, indexes } = collection;
    const documents = this.db.collection<StoredDocument>(name);
    const own = new MongodbCollection(collection, documents);
    await this.reaching(async () => {
      await this.declare(collection, own);
      for (const index of indexes) {
        // The id makes the order total, so that a page can end between two equal values.
        const keys = [...index.map((field) => [`fields.${field}`, 1] as const), ['_id', 1] as const];
        await documents.createIndex(new Map(keys), { name: `by_${index.join('_')}` });
      }
    });
    if (kind === 'model') await this.reaching(() => this.removed.createIndex({ collection: 1 }));
    this.collections.set(name, own);
  }

  async get<D extends Document>(collection: string, id: string): Promise<D | null> {
    const own = this.collection(collection);
    return this.reaching(() => own.get<D>(id));
  }

  async getMany<D extends Document>(collection: string, ids: readonly string[]): Promise<Map<string, D>> {
    const own = this.collection(collection);
    const found = await this.reaching(() => own.getMany<D>(ids));
    return new Map([...found].map(([id, { document }]) => [id, document!]));
  }

  async getPositioned<D extends Document>(
    collection: string,
    ids: readonly string[],
  ): Promise<Map<string, Positioned<D>>> {
    const own = this.collection(collection);
    return this.reaching(async () => {
      const found = await own.getMany<D>(ids);
      for await (const { id, position } of this.removed.find({ collection })) {
        if (!found.has(id)) found.set(id, { document: null, position });
      }
      return found;
    });
  }

  async query<D extends Document>(collection: string, query: Query): Promise<Page<D>> {
    const own = this.collection(collection);
    return this.reaching(() => own.query<D>(query));
  }

  async scan<D extends Document>(
    collection: string,
    after: string | null,
    limit: number,
  ): Promise<Identified<D>[]> {
    const own = this.collection(collection);
    return this.reaching(() => own.scan<D>(after, limit));
  }

  async writeBatch({ collection, writes, checkpoint }: WriteBatch): Promise<void> {
    const own = this.collection(collection);
    await this.reaching(async () => {
      const reached = await this.positionOf(checkpoint.name);
      // An old batch would bring back what a later one removed: no document is left there to guard it.
      if (reached !== null && reached > checkpoint.position) return;
      const removals = writes.filter(({ document }) => document === null);
      await this.remember(collection, removals);
      await own.write(writes);
      const before = { _id: checkpoint.name, position: { $lt: checkpoint.position } };
      const change = { $set: { position: checkpoint.position } };
      await guarded(this.places.updateOne(before, change, { upsert: true }));
      if (removals.length > 0) await this.forget(collection, checkpoint.position);
    });
  }

  async checkpoint(name: string): Promise<Position | null> {
    return this.reaching(() => this.positionOf(name));
  }

  async checkpoints(): Promise<Position[]> {
    const all = await this.reaching(() => this.places.find().toArray());
    return all.map(({ position }) => position);
  }

  async compareAndSet<D extends Document>(
    collection: string,
    id: string,
    expectedVersion: number | null,
    document: D | null,
  ): Promise<boolean> {
    const own = this.collection(collection);
    // Not every server of this protocol finds and changes in one step, so of one process only one tries at a time.
    return this.oneByOne.run(`${collection} ${id}`, () =>
      this.reaching(() => own.compareAndSet(id, expectedVersion, document)),
    );
  }

  async getVersioned<D extends Document>(collection: string, id: string): Promise<Versioned<D> | null> {
    const own = this.collection(collection);
    return this.reaching(() => own.getVersioned<D>(id));
  }

  /** Also takes a collection of an earlier start that this one has not ensured; nothing happens if there is none. */
  async drop(collection: string): Promise<void> {
    await this.reaching(async () => {
      const declared = await this.declarations.findOne({ _id: collection });
      if (declared?.kind === 'durable') throw new Error(`${collection} is durable and cannot be dropped`);
      this.collections.delete(collection);
      if (!declared) return;
      await this.db.collection(collection).drop();
      await this.places.deleteOne({ _id: collection });
      await this.removed.deleteMany({ collection });
      await this.declarations.deleteOne({ _id: collection });
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.client.close();
  }

  private get declarations() {
    return this.db.collection<Declared>(DECLARATIONS);
  }

  private get places() {
    return this.db.collection<Checkpoint>(CHECKPOINTS);
  }

  private get removed() {
    return this.db.collection<Removed>(REMOVED);
  }

  /** @throws Error where the collection was built as another one */
  private async declare(collection: Collection, own: MongodbCollection): Promise<void> {
    const { name, kind } = collection;
    const known = await this.declarations.findOne({ _id: name });
    if (known && known.kind !== kind) {
      throw new Error(`${name} is ${kind} here, but was made as a collection of the other kind`);
    }
    const fields = canonicalJson(collection.fields);
    if (known?.fields === fields) return;
    if (known && kind === 'model') {
      throw new Error(`${name} was built with other fields: give it a new version`);
    }
    if (known) await own.deriveFields();
    await this.declarations.updateOne({ _id: name }, { $set: { kind, fields } }, { upsert: true });
  }

  private async positionOf(checkpoint: string): Promise<Position | null> {
    return (await this.places.findOne({ _id: checkpoint }))?.position ?? null;
  }

  /**
   * A batch may be cut off between its documents and its checkpoint, and its events come again. Where it has taken a
   * document away, only this tells that they have been handled.
   */
  private async remember(collection: string, removals: WriteBatch['writes']): Promise<void> {
    for (const { id, position } of removals) {
      const before = { _id: `${collection} ${id}`, position: { $lt: position } };
      await guarded(this.removed.updateOne(before, { $set: { collection, id, position } }, { upsert: true }));
    }
  }

  private async forget(collection: string, upTo: Position): Promise<void> {
    await this.removed.deleteMany({ collection, position: { $lte: upTo } });
  }

  private collection(name: string): MongodbCollection {
    const own = this.collections.get(name);
    if (!own) throw new Error(`collection ${name} has not been ensured`);
    return own;
  }

  /** Tells a server that cannot be reached from a mistake. */
  private async reaching<Answer>(use: () => Promise<Answer>): Promise<Answer> {
    if (this.isClosed) throw new DocumentsUnavailable('the document store is closed');
    try {
      return await use();
    } catch (error) {
      throw isUnreachable(error)
        ? new DocumentsUnavailable('MongoDB does not answer', { cause: error })
        : error;
    }
  }
}
