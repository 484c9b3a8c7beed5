import { LruMap } from '../../kernel/lru-map';
import type { Document } from '../document-store';
import type { CollectionReader } from './collection-reader';

const MAX_DOCUMENTS = 2_000;
const MAX_TEXT_LENGTH = 4_096;

/**
 * Documents that were read one by one a moment ago, as the file has them: an agent and its company are looked at for
 * each of its wakeups. They are frozen, since all who ask get the same one, and forgotten by whoever writes the file,
 * which nobody else does.
 */
export class RecentDocuments {
  private readonly documents = new LruMap<string, Document>(MAX_DOCUMENTS);

  get<D extends Document>(reader: CollectionReader, id: string): D | null {
    const key = keyOf(reader.collection.name, id);
    const recent = this.documents.get(key);
    if (recent) return recent as D;
    const text = reader.text(id);
    if (text === null) return null;
    const document = JSON.parse(text) as D;
    if (text.length <= MAX_TEXT_LENGTH) this.documents.set(key, deepFrozen(document));
    return document;
  }

  /** To be called after a write, also after one of which nobody knows whether it was done. */
  forget(collection: string, id: string): void {
    this.documents.delete(keyOf(collection, id));
  }

  clear(): void {
    this.documents.clear();
  }
}

/** Names of collections have no space. */
function keyOf(collection: string, id: string): string {
  return `${collection} ${id}`;
}

function deepFrozen<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFrozen(inner as object);
  return Object.freeze(value);
}
