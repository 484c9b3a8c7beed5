import type { Position } from '../../kernel/event';
import type { Collection, Document, FieldType, Page, Query, Versioned, WriteBatch } from '../document-store';
import { columnTypes, columnValue, type ColumnValue } from './column-value';
import { decodeCursor, encodeCursor, fingerprintOf } from './cursor';
import { columnOf, tableOf } from './names';
import { pageSelects, servingIndex } from './page-select';
import type { StatementCache } from './statement-cache';

const MAX_PAGE = 1000;

/** Guards nothing: where a document was put by `compareAndSet`, which knows no position. */
const NO_POSITION: Position = 0n;

interface Row {
  id: string;
  body: string;
}

/** One collection as a table: the document as JSON text, and a real column for each field that queries may name. */
export class DocumentTable {
  private readonly fields: readonly (readonly [field: string, type: FieldType])[];
  private readonly sql: ReturnType<typeof statementsOf>;

  constructor(
    private readonly collection: Collection,
    private readonly statements: StatementCache,
  ) {
    this.fields = Object.entries(collection.fields);
    this.sql = statementsOf(collection);
  }

  get<D extends Document>(id: string): D | null {
    const row = this.statements.get(this.sql.get).get(id) as Row | undefined;
    return row ? (JSON.parse(row.body) as D) : null;
  }

  getMany<D extends Document>(ids: readonly string[]): Map<string, D> {
    const found = new Map<string, D>();
    for (const id of ids) {
      const document = this.get<D>(id);
      if (document !== null) found.set(id, document);
    }
    return found;
  }

  getVersioned<D extends Document>(id: string): Versioned<D> | null {
    const row = this.statements.get(this.sql.get).get(id) as (Row & { version: number }) | undefined;
    return row ? { version: row.version, document: JSON.parse(row.body) as D } : null;
  }

  query<D extends Document>(query: Query): Page<D> {
    const { cursor = null, limit, orderBy } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw new RangeError(`the limit of a page is 1 to ${MAX_PAGE}, not ${limit}`);
    }
    const index = servingIndex(this.collection, query);
    const fingerprint = fingerprintOf(this.collection.name, query);
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

  /** Guarded: does nothing where the stored document is at this position or past it. */
  write({ id, document, position }: WriteBatch['writes'][number]): void {
    if (document === null) this.statements.get(this.sql.deleteBefore).run(id, position);
    else this.statements.get(this.sql.upsert).run(id, position, ...this.values(document));
  }

  compareAndSet(id: string, expectedVersion: number | null, document: Document | null): boolean {
    if (expectedVersion === null) {
      return document === null ? this.get(id) === null : this.insert(id, NO_POSITION, 1, document);
    }
    const { changes } =
      document === null
        ? this.statements.get(this.sql.deleteVersion).run(id, expectedVersion)
        : this.statements.get(this.sql.updateVersion).run(...this.values(document), id, expectedVersion);
    return changes === 1;
  }

  /** False where there is such a document already. */
  insert(id: string, position: Position, version: number, document: Document): boolean {
    const { changes } = this.statements
      .get(this.sql.insert)
      .run(id, position, version, ...this.values(document));
    return changes === 1;
  }

  private values(document: Document): ColumnValue[] {
    const values: ColumnValue[] = [JSON.stringify(document)];
    for (const [field, type] of this.fields) {
      values.push(columnValue(field, type, (document as Record<string, unknown>)[field]));
    }
    return values;
  }
}

export function createTableSql({ name, fields }: Collection): string {
  const columns = Object.entries(fields).map(([field, type]) => `, ${columnOf(field)} ${columnTypes[type]}`);
  return `CREATE TABLE ${tableOf(name)} (
    id TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL
    ${columns.join('')}) STRICT`;
}

function statementsOf({ name, fields }: Collection) {
  const table = tableOf(name);
  const columns = ['body', ...Object.keys(fields).map(columnOf)];
  const list = columns.join(', ');
  const marks = columns.map(() => '?').join(', ');
  const set = (value: (column: string) => string) =>
    columns.map((column) => `${column} = ${value(column)}`).join(', ');
  return {
    get: `SELECT version, body FROM ${table} WHERE id = ?`,
    insert: `INSERT INTO ${table} (id, position, version, ${list}) VALUES (?, ?, ?, ${marks}) ON CONFLICT DO NOTHING`,
    upsert: `INSERT INTO ${table} (id, position, version, ${list}) VALUES (?, ?, 1, ${marks})
      ON CONFLICT (id) DO UPDATE SET position = excluded.position, version = version + 1,
        ${set((column) => `excluded.${column}`)}
      WHERE excluded.position > position`,
    deleteBefore: `DELETE FROM ${table} WHERE id = ? AND position < ?`,
    updateVersion: `UPDATE ${table} SET version = version + 1, ${set(() => '?')} WHERE id = ? AND version = ?`,
    deleteVersion: `DELETE FROM ${table} WHERE id = ? AND version = ?`,
  };
}
