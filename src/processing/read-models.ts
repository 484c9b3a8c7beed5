import type { Document, DocumentStore, Page, Query } from '../documents/document-store';
import type { DomainEvent } from '../kernel/event';
import type { Generations } from './generations';
import type { Projection } from './projection';

const PAGE = 500;

/** Reads what projections have made. */
export class ReadModels {
  constructor(
    private readonly documents: DocumentStore,
    private readonly generations: Generations,
  ) {}

  get<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    id: string,
  ): Promise<D | null> {
    return this.read(projection, (collection) => this.documents.get<D>(collection, id));
  }

  getMany<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    ids: readonly string[],
  ): Promise<Map<string, D>> {
    return ids.length === 0
      ? Promise.resolve(new Map<string, D>())
      : this.read(projection, (collection) => this.documents.getMany<D>(collection, ids));
  }

  query<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    query: Query,
  ): Promise<Page<D>> {
    return this.read(projection, (collection) => this.documents.query<D>(collection, query));
  }

  /** Every document that the query finds, page by page, in ascending order. */
  async *all<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    query: Pick<Query, 'where' | 'orderBy'>,
  ): AsyncGenerator<D> {
    let cursor: string | null = null;
    do {
      const page: Page<D> = await this.query(projection, { ...query, direction: 'asc', limit: PAGE, cursor });
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** What was read while a rebuild took the documents' place may have seen the old ones go: it is read again. */
  private async read<T, D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    look: (collection: string) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const collection = this.generations.liveCollection(projection);
      const isStillLive = () => collection === this.generations.liveCollection(projection);
      try {
        const found = await look(collection);
        if (isStillLive()) return found;
      } catch (error) {
        if (isStillLive()) throw error;
      }
    }
  }
}
