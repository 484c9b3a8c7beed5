import type { Collection, Document } from '../documents/document-store';
import type { DomainEvent, Recorded } from '../kernel/event';

/**
 * A read model as data: which events it handles, which document each concerns, and how the document changes. Name and
 * version make the collection, so a new version is built beside the old one.
 */
export interface Projection<D extends Document = Document, E extends DomainEvent = DomainEvent> {
  readonly name: string;
  readonly version: number;
  readonly fields: Collection['fields'];
  readonly indexes: Collection['indexes'];
  readonly handles: readonly E['type'][];
  /** The document that the event concerns; null: none. */
  id(recorded: Recorded<E>): string | null;
  /** Answers the new document; null removes it. Throws where the event cannot be so: the projection stops there. */
  evolve(document: D | null, recorded: Recorded<E>): D | null;
}

export function collectionName(projection: Pick<Projection, 'name' | 'version'>): string {
  return `${projection.name}_v${projection.version}`;
}

export function collectionOf(projection: Projection): Collection {
  const { fields, indexes } = projection;
  return { name: collectionName(projection), kind: 'model', fields, indexes };
}
