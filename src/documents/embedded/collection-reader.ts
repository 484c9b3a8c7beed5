import { decodeCursor, encodeCursor, fingerprintOf } from '../cursor';
import type { Collection, Document, Identified, Page, Positioned, Query, Versioned } from '../document-store';
import { assertPageSize } from '../page-size';
import { servingIndex } from '../serving-index';
import { columnOf, tableOf } from './names';
import { pageSelects } from './page-select';
import type { StatementCache } from './statement-cache';

interface Row {
  id: string;
  body: string;
}

/** With what the columns of its fields hold, as text; each is named `f_` and its field. */
type ScannedRow = Row & Record<string, string | null>;

/** Reads one collection. */
export class CollectionReader {
  private readonly sql: { get: string; getPositioned: string; scan: string; scanAfter: string };

  constructor(
    readonly collection: Collection,
    private readonly statements: StatementCache,
  ) {
    const table = tableOf(collection.name);
    const columns = Object.keys(collection.fields).map(columnOf);
    const scanned = ['id', 'body', ...columns.map((column) => `CAST(${column} AS TEXT) AS ${column}`)].join();
    this.sql = {
      get: `SELECT version, body FROM ${table} WHERE id = ?`,
      // As text, because a number would lose the last digits of a large position.
      getPositioned: `SELECT body, CAST(position AS TEXT) AS position FROM ${table} WHERE id = ?`,
      scan: `SELECT ${scanned} FROM ${table} ORDER BY id LIMIT ?`,
      scanAfter: `SELECT ${scanned} FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`,
    };
  }

  /** As JSON text. */
  text(id: string): string | null {
    const row = this.statements.get(this.sql.get).get(id) as { body: string } | undefined;
    return row?.body ?? null;
  }

  get<D extends Document>(id: string): D | null {
    const text = this.text(id);
    return text === null ? null : (JSON.parse(text) as D);
  }

  getMany<D extends Document>(ids: readonly string[]): Map<string, D> {
    const found = new Map<string, D>();
    for (const id of ids) {
      const document = this.get<D>(id);
      if (document !== null) found.set(id, document);
    }
    return found;
  }

  getPositioned<D extends Document>(ids: readonly string[]): Map<string, Positioned<D>> {
    const found = new Map<string, Positioned<D>>();
    for (const id of ids) {
      const row = this.statements.get(this.sql.getPositioned).get(id) as
        { body: string; position: string } | undefined;
      if (row) found.set(id, { document: JSON.parse(row.body) as D, position: BigInt(row.position) });
    }
    return found;
  }

  getVersioned<D extends Document>(id: string): Versioned<D> | null {
    const row = this.statements.get(this.sql.get).get(id) as { version: number; body: string } | undefined;
    return row ? { version: row.version, document: JSON.parse(row.body) as D } : null;
  }

  scan<D extends Document>(after: string | null, limit: number): Identified<D>[] {
    assertPageSize(limit);
    const rows =
      after === null
        ? this.statements.get(this.sql.scan).all(limit)
        : this.statements.get(this.sql.scanAfter).all(after, limit);
    return (rows as ScannedRow[]).map((row) => ({ id: row.id, document: this.asListed(row) as D }));
  }

  /**
   * A document with what its columns say where that is something else. Lists go by the columns, so whoever compares
   * documents has to see that as well.
   */
  private asListed(row: ScannedRow): Document {
    const document = JSON.parse(row.body) as Record<string, unknown>;
    for (const field of Object.keys(this.collection.fields)) {
      const value = (document[field] ?? null) as string | number | null;
      const column = row[`f_${field}`] ?? null;
      if ((value === null ? null : `${value}`) !== column) document[field] = column;
    }
    return document;
  }

  query<D extends Document>(query: Query): Page<D> {
    const { cursor = null, limit, orderBy } = query;
    assertPageSize(limit);
    const index = servingIndex(this.collection, query);
    const fingerprint = fingerprintOf(this.collection.generationOf ?? this.collection.name, query);
    const type = this.collection.fields[orderBy]!;
    const after = cursor === null ? null : decodeCursor(cursor, fingerprint, orderBy, type);

    // One row more than the page holds tells whether there is another page.
    const rows: Row[] = [];
    for (const { sql, parameters } of pageSelects(this.collection, index, query, after)) {
      const missing = limit + 1 - rows.length;
      if (missing > 0) rows.push(...(this.statements.get(sql).all(...parameters, missing) as Row[]));
    }
    const items = rows.slice(0, limit).map((row) => JSON.parse(row.body) as D & Record<string, unknown>);
    const last = items.at(-1);
    const isLastPage = rows.length <= limit || last === undefined;
    const nextCursor = isLastPage
      ? null
      : encodeCursor(fingerprint, last[orderBy] ?? null, rows[limit - 1]!.id);
    return { items, nextCursor };
  }
}
