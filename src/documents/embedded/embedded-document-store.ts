import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../../kernel/event';
import { GroupCommit } from '../../sqlite/group-commit';
import { WriterDown } from '../../sqlite/writer';
import { WriterThread } from '../../sqlite/writer-thread';
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
import type { CollectionReader } from './collection-reader';
import { columnsOf } from './document-columns';
import { DocumentFileReader } from './document-file-reader';
import { documentFiles } from './document-files';
import type { DocumentColumns, DocumentOutcome, DocumentRequest, FileKind } from './document-messages';
import { RecentDocuments } from './recent-documents';

const WRITER_PROGRAM = join(__dirname, 'document-writer.thread');

type Thread = WriterThread<DocumentRequest, DocumentOutcome, null>;

/**
 * The document store without a server: two SQLite files in a folder. `documents.db` holds what is derived from the log
 * and may be deleted while nobody has it open; `durable.db` holds what the log cannot bring back, and every write to
 * it is on disk before it is answered. A thread writes; what was written is read here.
 */
export class EmbeddedDocumentStore implements DocumentStore {
  private readonly files: Record<FileKind, DocumentFileReader>;
  private readonly collections = new Map<string, CollectionReader>();
  private readonly recent = new RecentDocuments();
  /** What a batch was made of, until it is answered. */
  private readonly underWay = new WeakMap<DocumentRequest, WriteBatch['writes']>();
  private readonly group: GroupCommit<DocumentRequest, DocumentOutcome>;

  /**
   * Makes the folder and the files where they are missing. For one process at a time.
   *
   * @param onFault told when the thread that writes has died; another one takes its place
   */
  static async open(
    folder: string,
    onFault: (error: unknown) => void = () => undefined,
  ): Promise<EmbeddedDocumentStore> {
    await mkdir(folder, { recursive: true });
    let store: EmbeddedDocumentStore | undefined;
    const thread: Thread = await WriterThread.open({
      program: WRITER_PROGRAM,
      folder,
      onWritten: (requests, outcomes) => store?.remember(requests, outcomes),
      onOpened: () => store?.ensureAgain(),
      onFault: (error) => {
        // What was on its way may have been written.
        store?.recent.clear();
        onFault(error);
      },
    });
    return (store = new EmbeddedDocumentStore(folder, thread));
  }

  private constructor(
    folder: string,
    private readonly thread: Thread,
  ) {
    const { model, durable } = documentFiles(folder);
    this.files = { model: new DocumentFileReader(model), durable: new DocumentFileReader(durable) };
    this.group = new GroupCommit((requests) => thread.write(requests), bytesOf);
  }

  /**
   * Index changes are taken over. Where the fields differ from those of an earlier start, a durable collection gets new
   * columns from its documents.
   *
   * @throws Error where a model collection was built with other fields: its projection must change its version
   */
  async ensure(collection: Collection): Promise<void> {
    assertDeclaration(collection);
    await this.write({ kind: 'ensure', file: collection.kind, collection });
    this.collections.set(collection.name, this.files[collection.kind].collection(collection));
  }

  async get<D extends Document>(collection: string, id: string): Promise<D | null> {
    return this.recent.get(this.reader(collection), id);
  }

  async getMany<D extends Document>(collection: string, ids: readonly string[]): Promise<Map<string, D>> {
    return this.reader(collection).getMany<D>(ids);
  }

  async getPositioned<D extends Document>(
    collection: string,
    ids: readonly string[],
  ): Promise<Map<string, Positioned<D>>> {
    return this.recent.getPositioned<D>(this.reader(collection), ids);
  }

  async query<D extends Document>(collection: string, query: Query): Promise<Page<D>> {
    return this.reader(collection).query<D>(query);
  }

  async scan<D extends Document>(
    collection: string,
    after: string | null,
    limit: number,
  ): Promise<Identified<D>[]> {
    return this.reader(collection).scan<D>(after, limit);
  }

  async writeBatch({ collection: name, writes, checkpoint }: WriteBatch): Promise<void> {
    const { collection } = this.reader(name);
    const encoded = writes.map(({ id, document, position }) => {
      return { id, columns: document && columnsOf(collection, document), position };
    });
    const file = collection.kind;
    const request: DocumentRequest = { kind: 'batch', file, collection: name, writes: encoded, checkpoint };
    this.underWay.set(request, writes);
    await this.write(request);
  }

  async checkpoints(): Promise<Position[]> {
    return [...this.files.model.checkpoints(), ...this.files.durable.checkpoints()];
  }

  async checkpoint(name: string): Promise<Position | null> {
    return this.files.model.checkpoint(name) ?? this.files.durable.checkpoint(name);
  }

  async compareAndSet<D extends Document>(
    name: string,
    id: string,
    expectedVersion: number | null,
    document: D | null,
  ): Promise<boolean> {
    const { collection } = this.reader(name);
    const columns: DocumentColumns | null = document && columnsOf(collection, document);
    const file = collection.kind;
    const request = { file, collection: name, id, expectedVersion, columns };
    const outcome = await this.write({ kind: 'compareAndSet', ...request });
    return outcome.kind === 'compared' && outcome.isSet;
  }

  async getVersioned<D extends Document>(collection: string, id: string): Promise<Versioned<D> | null> {
    return this.reader(collection).getVersioned<D>(id);
  }

  /** Also takes a collection of an earlier start that this one has not ensured; nothing happens if there is none. */
  async drop(collection: string): Promise<void> {
    await this.write({ kind: 'drop', file: 'model', collection });
    this.collections.delete(collection);
  }

  /** Commits what waits, then closes. */
  async close(): Promise<void> {
    await this.group.drain();
    this.files.model.close();
    this.files.durable.close();
    await this.thread.close();
  }

  private async write(request: DocumentRequest): Promise<DocumentOutcome> {
    const outcome = await this.group.submit(request).catch((cause: unknown) => {
      if (!(cause instanceof WriterDown)) throw cause;
      throw new DocumentsUnavailable('the thread that writes the documents has ended', { cause });
    });
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome;
  }

  /**
   * Before anybody is answered, what was written is known: in the order in which it was, since who is answered first goes
   * on first, whatever came later.
   */
  private remember(requests: readonly DocumentRequest[], outcomes: readonly DocumentOutcome[]): void {
    for (const [index, request] of requests.entries()) {
      this.recent.note(request, outcomes[index]!, this.underWay.get(request) ?? []);
    }
  }

  /** A thread that took the place of another one knows of no collection. It is told before anything else. */
  private ensureAgain(): void {
    for (const { collection } of this.collections.values()) {
      void this.thread.write([{ kind: 'ensure', file: collection.kind, collection }]).catch(() => undefined);
    }
  }

  /** @throws Error where the collection has not been ensured since the files were opened */
  private reader(collection: string): CollectionReader {
    const reader = this.collections.get(collection);
    if (!reader) throw new Error(`collection ${collection} has not been ensured`);
    return reader;
  }
}

function bytesOf(request: DocumentRequest): number {
  if (request.kind !== 'batch') return 0;
  return request.writes.reduce((sum, { columns }) => sum + String(columns?.[0] ?? '').length, 0);
}
