import type { DocumentStore } from '../documents/document-store';
import type { Projection } from './projection';
import { collectionName } from './projection';

const POINTERS = { name: 'projection_generations', kind: 'durable', fields: {}, indexes: [] } as const;

/** A rebuild that was asked for and has not ended: a server that starts goes on with it. */
export interface RequestedRebuild {
  jobId: string;
  /** ISO 8601. */
  requestedAt: string;
  /** False: what it has built does not take the live documents' place by itself. Left out: it does. */
  swap?: boolean;
  /** It has been built, and waits for that. */
  waits?: boolean;
}

interface Pointer {
  /** The generation that is read and kept up to date. */
  live: number;
  /** What builds the generation after it; null: nothing does. */
  rebuild: RequestedRebuild | null;
}

interface Known extends Pointer {
  /** Of the stored pointer; null where none is stored. */
  storedVersion: number | null;
}

const FIRST: Known = { live: 0, rebuild: null, storedVersion: null };

/**
 * Which collection holds the live documents of each projection. A rebuild fills the collection of the next generation,
 * and then one durable write makes that one live: a reader sees all of the old documents or all of the new ones.
 */
export class Generations {
  private readonly known = new Map<string, Known>();

  constructor(private readonly documents: DocumentStore) {}

  /** Reads what is live, and clears away what an earlier start could not. */
  async open(projections: readonly Projection[]): Promise<void> {
    await this.documents.ensure(POINTERS);
    for (const projection of projections) {
      const stored = await this.documents.getVersioned<Pointer>(POINTERS.name, collectionName(projection));
      if (!stored) continue;
      const known = { ...stored.document, storedVersion: stored.version };
      this.known.set(collectionName(projection), known);
      if (known.live > 0) await this.documents.drop(collectionName(projection, known.live - 1));
      if (known.rebuild === null) await this.documents.drop(this.nextCollection(projection));
    }
  }

  liveCollection(projection: Pick<Projection, 'name' | 'version'>): string {
    return collectionName(projection, this.of(projection).live);
  }

  nextCollection(projection: Pick<Projection, 'name' | 'version'>): string {
    return collectionName(projection, this.of(projection).live + 1);
  }

  requestedRebuild(projection: Projection): RequestedRebuild | null {
    return this.of(projection).rebuild;
  }

  /** Remembers over a restart that a rebuild was asked for, or, with null, that it has ended in vain. */
  remember(projection: Projection, rebuild: RequestedRebuild | null): Promise<void> {
    return this.store(projection, { live: this.of(projection).live, rebuild });
  }

  /** Makes the next generation the live one, for good. */
  advance(projection: Projection): Promise<void> {
    return this.store(projection, { live: this.of(projection).live + 1, rebuild: null });
  }

  private of(projection: Pick<Projection, 'name' | 'version'>): Known {
    return this.known.get(collectionName(projection)) ?? FIRST;
  }

  private async store(projection: Projection, pointer: Pointer): Promise<void> {
    const id = collectionName(projection);
    const { storedVersion } = this.of(projection);
    if (!(await this.documents.compareAndSet(POINTERS.name, id, storedVersion, pointer))) {
      throw new Error(`another node has changed which generation of ${id} is live`);
    }
    this.known.set(id, { ...pointer, storedVersion: (storedVersion ?? 0) + 1 });
  }
}
