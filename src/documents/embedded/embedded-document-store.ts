import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../../kernel/event';
import type {
  Collection,
  Document,
  DocumentStore,
  Page,
  Query,
  Versioned,
  WriteBatch,
} from '../document-store';
import { DocumentFile } from './document-file';
import type { DocumentTable } from './document-table';

/**
 * The document store without a server: two SQLite files in a folder. `documents.db` holds what is derived from the log
 * and may be deleted while nobody has it open; `durable.db` holds what the log cannot bring back, and every write to
 * it is on disk before it is answered.
 */
export class EmbeddedDocumentStore implements DocumentStore {
  private readonly fileOfCollection = new Map<string, DocumentFile>();

  private constructor(
    private readonly models: DocumentFile,
    private readonly durables: DocumentFile,
  ) {}

  /** Makes the folder and the files where they are missing. For one process at a time. */
  static async open(folder: string): Promise<EmbeddedDocumentStore> {
    await mkdir(folder, { recursive: true });
    const models = new DocumentFile(join(folder, 'documents.db'), 'NORMAL');
    const durables = new DocumentFile(join(folder, 'durable.db'), 'FULL');
    return new EmbeddedDocumentStore(models, durables);
  }

  /**
   * Index changes are taken over. Where the fields differ from those of an earlier start, a durable collection gets new
   * columns from its documents.
   *
   * @throws Error where a model collection was built with other fields: its projection must change its version
   */
  async ensure(collection: Collection): Promise<void> {
    const { name, kind } = collection;
    const [own, other] = kind === 'model' ? [this.models, this.durables] : [this.durables, this.models];
    if (other.has(name))
      throw new Error(`${name} is ${kind} here, but was made as a collection of the other kind`);
    own.ensure(collection);
    this.fileOfCollection.set(name, own);
  }

  async get<D extends Document>(collection: string, id: string): Promise<D | null> {
    return this.table(collection).get<D>(id);
  }

  async getMany<D extends Document>(collection: string, ids: readonly string[]): Promise<Map<string, D>> {
    return this.table(collection).getMany<D>(ids);
  }

  async query<D extends Document>(collection: string, query: Query): Promise<Page<D>> {
    return this.table(collection).query<D>(query);
  }

  async writeBatch(batch: WriteBatch): Promise<void> {
    this.file(batch.collection).writeBatch(batch);
  }

  async checkpoint(name: string): Promise<Position | null> {
    return this.models.checkpoint(name) ?? this.durables.checkpoint(name);
  }

  async compareAndSet<D extends Document>(
    collection: string,
    id: string,
    expectedVersion: number | null,
    document: D | null,
  ): Promise<boolean> {
    return this.table(collection).compareAndSet(id, expectedVersion, document);
  }

  async getVersioned<D extends Document>(collection: string, id: string): Promise<Versioned<D> | null> {
    return this.table(collection).getVersioned<D>(id);
  }

  /** Also takes a collection of an earlier start that this one has not ensured; nothing happens if there is none. */
  async drop(collection: string): Promise<void> {
    if (this.durables.has(collection)) throw new Error(`${collection} is durable and cannot be dropped`);
    this.models.drop(collection);
    this.fileOfCollection.delete(collection);
  }

  async close(): Promise<void> {
    this.models.close();
    this.durables.close();
  }

  /** The model file for a name that nobody ensured, which refuses it. */
  private file(collection: string): DocumentFile {
    return this.fileOfCollection.get(collection) ?? this.models;
  }

  private table(collection: string): DocumentTable {
    return this.file(collection).table(collection);
  }
}
