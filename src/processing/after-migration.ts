import type { DocumentStore } from '../documents/document-store';
import type { Migration } from '../event-log/migration';
import type { Generations } from './generations';
import type { Projection } from './projection';

/**
 * Read models of before a migration stand at positions that mean nothing any more: they are made anew, and so is what a
 * rebuild had made of them. A checkpoint tells which ones they are, so it does not matter when, and how often, this is
 * done.
 */
export async function dropGoneModels(
  migration: Migration,
  projections: readonly Projection[],
  generations: Generations,
  documents: DocumentStore,
): Promise<void> {
  for (const projection of projections) {
    for (const collection of [
      generations.liveCollection(projection),
      generations.nextCollection(projection),
    ]) {
      const checkpoint = await documents.checkpoint(collection);
      if (checkpoint === null || migration.isGone(checkpoint)) await documents.drop(collection);
    }
  }
}
