import type { Document, DocumentStore, Page, Query } from '../documents/document-store';
import type { DomainEvent } from '../kernel/event';
import type { Projection } from './projection';
import { collectionName } from './projection';

const PAGE = 500;

/** Reads what projections have made. */
export class ReadModels {
  constructor(private readonly documents: DocumentStore) {}

  get<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    id: string,
  ): Promise<D | null> {
    return this.documents.get<D>(collectionName(projection), id);
  }

  getMany<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    ids: readonly string[],
  ): Promise<Map<string, D>> {
    return ids.length === 0
      ? Promise.resolve(new Map<string, D>())
      : this.documents.getMany<D>(collectionName(projection), ids);
  }

  query<D extends Document, E extends DomainEvent>(
    projection: Projection<D, E>,
    query: Query,
  ): Promise<Page<D>> {
    return this.documents.query<D>(collectionName(projection), query);
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
}
