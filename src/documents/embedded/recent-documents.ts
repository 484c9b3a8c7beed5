import { LruMap } from '../../kernel/lru-map';
import type { Position } from '../../kernel/event';
import type { Document, Positioned, WriteBatch } from '../document-store';
import type { CollectionReader } from './collection-reader';
import type { BatchRequest, DocumentOutcome, DocumentRequest } from './document-messages';

const MAX_DOCUMENTS = 4_000;
const MAX_TEXT_LENGTH = 4_096;

interface Recent {
  document: Document;
  /** null: nobody has asked for it yet. */
  position: Position | null;
}

/**
 * Documents that were written or read one by one a moment ago, as the file has them: a run is changed some five times
 * within a second, and an agent and its company are looked at for each of their wakeups. They are frozen, since all who
 * ask get the same one. Nobody else may write the file.
 */
export class RecentDocuments {
  private readonly documents = new LruMap<string, Recent>(MAX_DOCUMENTS);

  get<D extends Document>(reader: CollectionReader, id: string): D | null {
    const recent = this.documents.get(keyOf(reader.collection.name, id));
    if (recent) return recent.document as D;
    const text = reader.text(id);
    if (text === null) return null;
    const document = JSON.parse(text) as D;
    this.keep(reader.collection.name, id, { document, position: null }, text.length);
    return document;
  }

  getPositioned<D extends Document>(
    reader: CollectionReader,
    ids: readonly string[],
  ): Map<string, Positioned<D>> {
    const found = new Map<string, Positioned<D>>();
    const unknown: string[] = [];
    for (const id of ids) {
      const recent = this.documents.get(keyOf(reader.collection.name, id));
      if (!recent || recent.position === null) unknown.push(id);
      else found.set(id, { document: recent.document as D, position: recent.position });
    }
    for (const [id, positioned] of reader.getPositioned<D>(unknown)) found.set(id, positioned);
    return found;
  }

  /** To be told of everything that was written, in that order. @param writes what a batch was made of */
  note(request: DocumentRequest, outcome: DocumentOutcome, writes: WriteBatch['writes']): void {
    switch (request.kind) {
      case 'batch':
        return this.noteBatch(request, outcome.kind === 'written' && outcome.isWhole, writes);
      case 'compareAndSet':
        return this.documents.delete(keyOf(request.collection, request.id));
      case 'drop':
        return this.clear();
      case 'ensure':
    }
  }

  clear(): void {
    this.documents.clear();
  }

  /** Where it is not whole, it is not known what it has left. */
  private noteBatch(
    { collection, writes: encoded }: BatchRequest,
    isWhole: boolean,
    writes: WriteBatch['writes'],
  ): void {
    for (const [index, { id, document, position }] of writes.entries()) {
      const text = encoded[index]!.columns?.[0];
      if (document === null || !isWhole) this.documents.delete(keyOf(collection, id));
      else this.keep(collection, id, { document, position }, String(text).length);
    }
  }

  private keep(collection: string, id: string, { document, position }: Recent, textLength: number): void {
    const key = keyOf(collection, id);
    if (textLength > MAX_TEXT_LENGTH) this.documents.delete(key);
    else this.documents.set(key, { document: deepFrozen(document), position });
  }
}

/** Names of collections have no space. */
function keyOf(collection: string, id: string): string {
  return `${collection} ${id}`;
}

function deepFrozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) deepFrozen(inner as object);
  }
  return Object.freeze(value);
}
