import { canonicalJson } from '../../kernel/canonical-json';
import type { Position } from '../../kernel/event';
import type { Database } from '../../sqlite/sqlite';
import { closeDatabase, openDatabase } from '../../sqlite/sqlite';
import type { Collection, WriteBatch } from '../document-store';
import { DocumentTable, createTableSql } from './document-table';
import { assertDeclaration, columnOf, indexOf, tableOf } from './names';
import { StatementCache } from './statement-cache';

/**
 * One SQLite file of collections and of the checkpoints that move with them. Everything here is synchronous and takes
 * and gives plain data, so that it can run in a thread of its own.
 */
export class DocumentFile {
  private readonly db: Database;
  private readonly statements: StatementCache;
  private readonly tables = new Map<string, DocumentTable>();

  constructor(path: string, synchronous: 'FULL' | 'NORMAL') {
    this.db = openDatabase(path, synchronous);
    this.statements = new StatementCache(this.db);
    this.db.exec(`
      CREATE TABLE IF NOT EXISTS _collections (name TEXT NOT NULL PRIMARY KEY, fields TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS _checkpoints (name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL) STRICT;
    `);
  }

  /** @throws Error where a model collection was built with other fields, or the declaration is not valid */
  ensure(collection: Collection): void {
    assertDeclaration(collection);
    const { name, kind, indexes } = collection;
    const table = new DocumentTable(collection, this.statements);
    this.transaction(() => {
      const known = this.fieldsOf(name);
      const declared = canonicalJson(collection.fields);
      if (known === null) {
        this.db.exec(createTableSql(collection));
      } else if (known !== declared) {
        if (kind === 'model') throw new Error(`${name} was built with other fields: give it a new version`);
        this.remake(collection, table);
      }
      this.statements
        .get(
          'INSERT INTO _collections VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET fields = excluded.fields',
        )
        .run(name, declared);
      for (const fields of indexes) {
        // The id makes the order total, so that a page can end between two equal values.
        const columns = [...fields.map(columnOf), 'id'].join(', ');
        this.db.exec(`CREATE INDEX IF NOT EXISTS ${indexOf(name, fields)} ON ${tableOf(name)} (${columns})`);
      }
    });
    this.tables.set(name, table);
  }

  /** @throws Error where the collection has not been ensured since the file was opened */
  table(collection: string): DocumentTable {
    const table = this.tables.get(collection);
    if (!table) throw new Error(`collection ${collection} has not been ensured`);
    return table;
  }

  /** All of it or nothing. A batch whose checkpoint lies behind the stored one is old, and in here already. */
  writeBatch({ collection, writes, checkpoint }: WriteBatch): void {
    const table = this.table(collection);
    this.transaction(() => {
      const reached = this.checkpoint(checkpoint.name);
      // Without this an old batch would bring back what a later one deleted: no row is left there to guard it.
      if (reached !== null && reached > checkpoint.position) return;
      for (const write of writes) table.write(write);
      this.statements
        .get(
          'INSERT INTO _checkpoints VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position',
        )
        .run(checkpoint.name, checkpoint.position);
    });
  }

  checkpoint(name: string): Position | null {
    // As text, because a number would lose the last digits of a large position.
    const row = this.statements
      .get('SELECT CAST(position AS TEXT) AS position FROM _checkpoints WHERE name = ?')
      .get(name) as { position: string } | undefined;
    return row ? BigInt(row.position) : null;
  }

  has(collection: string): boolean {
    return this.fieldsOf(collection) !== null;
  }

  drop(collection: string): void {
    this.transaction(() => {
      this.db.exec(`DROP TABLE IF EXISTS ${tableOf(collection)}`);
      this.statements.get('DELETE FROM _collections WHERE name = ?').run(collection);
      this.statements.get('DELETE FROM _checkpoints WHERE name = ?').run(collection);
    });
    this.tables.delete(collection);
    this.statements.clear();
  }

  close(): void {
    if (!this.db.isOpen) return;
    this.statements.clear();
    closeDatabase(this.db);
  }

  private fieldsOf(collection: string): string | null {
    const row = this.statements.get('SELECT fields FROM _collections WHERE name = ?').get(collection) as
      { fields: string } | undefined;
    return row?.fields ?? null;
  }

  /** Columns are derived from the documents, so a collection that must not be dropped gets them anew. */
  private remake(collection: Collection, table: DocumentTable): void {
    const name = tableOf(collection.name);
    this.db.exec(`ALTER TABLE ${name} RENAME TO _former`);
    this.db.exec(createTableSql(collection));
    const rows = this.db
      .prepare('SELECT id, CAST(position AS TEXT) AS position, version, body FROM _former')
      .iterate();
    for (const row of rows as Iterable<{ id: string; position: string; version: number; body: string }>) {
      table.insert(row.id, BigInt(row.position), row.version, JSON.parse(row.body) as object);
    }
    this.db.exec('DROP TABLE _former');
    this.statements.clear();
  }

  private transaction(work: () => void): void {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.db.exec('COMMIT');
    } catch (error) {
      // Some faults (a full disk) have rolled back by themselves.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }
}
