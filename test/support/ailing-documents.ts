import type { DocumentStore, WriteBatch } from '../../src/documents/document-store';
import { DocumentsUnavailable } from '../../src/documents/document-store';
import { setTimeout as sleep } from 'node:timers/promises';

/** A document store that takes no batch of the collections that `isAway` names, each after a while. */
export function ailingDocuments(
  documents: DocumentStore,
  isAway: (collection: string) => boolean,
  {
    afterMs = 0,
    onWrite = () => undefined,
  }: { afterMs?: number; onWrite?: (batch: WriteBatch) => void } = {},
): DocumentStore {
  return Object.assign(Object.create(documents) as DocumentStore, {
    writeBatch: async (batch: WriteBatch) => {
      const fails = isAway(batch.collection);
      onWrite(batch);
      if (!fails) return documents.writeBatch(batch);
      await sleep(afterMs);
      throw new DocumentsUnavailable('not now');
    },
  });
}
