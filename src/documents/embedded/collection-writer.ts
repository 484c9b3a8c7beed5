import type { Position } from '../../kernel/event';
import type { Collection, FieldType } from '../document-store';
import type { DocumentColumns, BatchRequest } from './document-messages';
import { columnOf, tableOf } from './names';
import type { StatementCache } from './statement-cache';

/** SQLite's type for each type of field. */
const columnTypes: Readonly<Record<FieldType, 'TEXT' | 'INTEGER'>> = {
  text: 'TEXT',
  integer: 'INTEGER',
  position: 'INTEGER',
};

/** Guards nothing: where a document was put by `compareAndSet`, which knows no position. */
const NO_POSITION: Position = 0n;

/** Writes one collection as a table: the document as JSON text, and a real column for each field that queries may name. */
export class CollectionWriter {
  private readonly sql: ReturnType<typeof statementsOf>;

  constructor(
    collection: Collection,
    private readonly statements: StatementCache,
  ) {
    this.sql = statementsOf(collection);
  }

  /** Guarded: does nothing, and answers false, where the stored document is at this position or past it. */
  write({ id, columns, position }: BatchRequest['writes'][number]): boolean {
    const { changes } =
      columns === null
        ? this.statements.get(this.sql.deleteBefore).run(id, position)
        : this.statements.get(this.sql.upsert).run(id, position, ...columns);
    return changes === 1;
  }

  compareAndSet(id: string, expectedVersion: number | null, columns: DocumentColumns | null): boolean {
    if (expectedVersion === null) {
      if (columns !== null) return this.insert(id, NO_POSITION, 1, columns);
      return this.statements.get(this.sql.exists).get(id) === undefined;
    }
    const { changes } =
      columns === null
        ? this.statements.get(this.sql.deleteVersion).run(id, expectedVersion)
        : this.statements.get(this.sql.updateVersion).run(...columns, id, expectedVersion);
    return changes === 1;
  }

  /** False where there is such a document already. */
  insert(id: string, position: Position, version: number, columns: DocumentColumns): boolean {
    const { changes } = this.statements.get(this.sql.insert).run(id, position, version, ...columns);
    return changes === 1;
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
    exists: `SELECT 1 FROM ${table} WHERE id = ?`,
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
