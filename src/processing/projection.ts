import type { Collection, Document } from '../documents/document-store';
import type { DomainEvent, Recorded } from '../kernel/event';

/**
 * A read model as data: which events it handles, which document each concerns, and how the document changes. Name and
 * version make the collection, so a new version is built beside the old one; a rebuild makes its next generation.
 */
export interface Projection<D extends Document = Document, E extends DomainEvent = DomainEvent> {
  readonly name: string;
  readonly version: number;
  readonly fields: Collection['fields'];
  readonly indexes: Collection['indexes'];
  readonly handles: readonly E['type'][];
  /** How long it may gather events before it folds them, where nobody waits for it; by default 200 ms. */
  readonly gatherMs?: number;
  /** The document that the event concerns; null: none. */
  id(recorded: Recorded<E>): string | null;
  /** Answers the new document; null removes it. Throws where the event cannot be so: the projection stops there. */
  evolve(document: D | null, recorded: Recorded<E>): D | null;
}

/** @param generation how often the documents of this version have been replaced by rebuilt ones */
export function collectionName(
  { name, version }: Pick<Projection, 'name' | 'version'>,
  generation = 0,
): string {
  return generation === 0 ? `${name}_v${version}` : `${name}_v${version}_g${generation}`;
}

/** @param name of the collection, where it is not the first generation */
export function collectionOf(projection: Projection, name = collectionName(projection)): Collection {
  const { fields, indexes } = projection;
  return { name, kind: 'model', fields, indexes, generationOf: collectionName(projection) };
}
