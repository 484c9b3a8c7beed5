import type { Position } from '../kernel/event';

/**
 * The read-model port. A backend keeps JSON documents by id in named collections with declared indexes, and passes the
 * contract suite in `test/contract/document-store.contract.ts`.
 *
 * Two kinds of collection, kept apart by the backend: `model` ones are derived from the log and may be dropped and
 * rebuilt at any time; `durable` ones (saga state, saga checkpoints, leases) never are.
 */
export interface DocumentStore {
  /** Makes a collection and its indexes where they are missing. Must come before any other call that names it. */
  ensure(collection: Collection): Promise<void>;

  get<D extends Document>(collection: string, id: string): Promise<D | null>;
  /** The documents that exist, by id. */
  getMany<D extends Document>(collection: string, ids: readonly string[]): Promise<Map<string, D>>;
  /**
   * The documents with the position that each stands at, for whoever writes the next batch. A backend that cannot write
   * a batch and its checkpoint at once may have been cut off between them: events up to a document's position are in
   * it. There are entries of null for what such a batch has removed.
   */
  getPositioned<D extends Document>(
    collection: string,
    ids: readonly string[],
  ): Promise<Map<string, Positioned<D>>>;
  /** @throws Error where no declared index serves the query: there are no hidden scans. */
  query<D extends Document>(collection: string, query: Query): Promise<Page<D>>;
  /**
   * The next documents after an id (null: from the first on), in the order of the ids' UTF-8 bytes. For whoever has to
   * see a whole collection, as a comparison does; whoever answers a request has queries.
   *
   * @param limit 1 to 1000; an answer that is shorter is the last one
   */
  scan<D extends Document>(collection: string, after: string | null, limit: number): Promise<Identified<D>[]>;

  /**
   * Writes documents and moves the checkpoint, in one transaction where the backend has them. Each write and the
   * checkpoint are guarded: what already stands at the same or a later position is left alone, so that a repeated
   * batch is harmless. A batch behind the stored checkpoint does nothing at all, since it might bring back what a later
   * one has removed: a checkpoint's name belongs to one consumer that writes in order.
   */
  writeBatch(batch: WriteBatch): Promise<void>;
  checkpoint(name: string): Promise<Position | null>;
  /** Of all consumers, also of those that an earlier start has had. */
  checkpoints(): Promise<Position[]>;

  /**
   * Stores `document` only if the stored one is at `expectedVersion` (null: only if there is none); null as document
   * removes it. Answers whether it did. Versions are 1, 2, 3 …
   */
  compareAndSet<D extends Document>(
    collection: string,
    id: string,
    expectedVersion: number | null,
    document: D | null,
  ): Promise<boolean>;
  getVersioned<D extends Document>(collection: string, id: string): Promise<Versioned<D> | null>;

  /** Removes a model collection with its documents and the checkpoint of the same name. */
  drop(collection: string): Promise<void>;
  close(): Promise<void>;
}

/** A JSON object. Positions inside documents are decimal strings. */
export type Document = object;

export interface Positioned<D> {
  document: D | null;
  position: Position;
}

export interface Identified<D> {
  id: string;
  document: D;
}

export interface Versioned<D> {
  version: number;
  document: D;
}

export type FieldType = 'text' | 'integer' | 'position';

export interface Collection {
  name: string;
  kind: 'model' | 'durable';
  /** Top-level fields of the documents that queries may name. A `position` is a decimal string in the document. */
  fields: Readonly<Record<string, FieldType>>;
  /** Each serves equality on all its fields but the last, and order (or equality) on the last. */
  indexes: readonly (readonly string[])[];
  /** The collection that this one may take the place of: cursors of the one go on in the other. Default: none. */
  generationOf?: string;
}

export interface Query {
  /** Field → value; all must hold. */
  where: Readonly<Record<string, string | number | null>>;
  orderBy: string;
  direction: 'asc' | 'desc';
  limit: number;
  /** From an earlier page of the same query. @throws InvalidCursor */
  cursor?: string | null;
}

export interface Page<D> {
  items: D[];
  /** null on the last page. */
  nextCursor: string | null;
}

export interface WriteBatch {
  collection: string;
  writes: readonly { id: string; document: Document | null; position: Position }[];
  checkpoint: { name: string; position: Position };
}

/** The backend does not answer, or is closed; it is unknown whether a write was done. Every write may be repeated. */
export class DocumentsUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DocumentsUnavailable';
  }
}

/** The cursor was not made by this query. */
export class InvalidCursor extends Error {
  constructor() {
    super('the cursor is not one of this query');
    this.name = 'InvalidCursor';
  }
}
