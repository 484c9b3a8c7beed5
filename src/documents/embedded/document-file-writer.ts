import { canonicalJson } from '../../kernel/canonical-json';
import type { Database } from '../../sqlite/sqlite';
import { closeDatabase, openDatabase } from '../../sqlite/sqlite';
import type { Collection } from '../document-store';
import { CollectionWriter, createTableSql } from './collection-writer';
import { columnsOf } from './document-columns';
import type { BatchRequest, CompareAndSetRequest, DocumentOutcome } from './document-messages';
import { columnOf, indexOf, tableOf } from './names';
import { StatementCache } from './statement-cache';

/** One SQLite file of collections and of the checkpoints that move with them: synchronous, and its only writer. */
export class DocumentFileWriter {
  private readonly db: Database;
  private readonly statements: StatementCache;
  private readonly collections = new Map<string, CollectionWriter>();

  constructor(path: string, synchronous: 'FULL' | 'NORMAL') {
    this.db = openDatabase(path, synchronous);
    this.statements = new StatementCache(this.db);
    this.db.exec(`
      CREATE TABLE IF NOT EXISTS _collections (name TEXT NOT NULL PRIMARY KEY, fields TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS _checkpoints (name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL) STRICT;
    `);
  }

  /** @throws Error where a model collection was built with other fields */
  ensure(collection: Collection): void {
    const { name, kind, indexes } = collection;
    const writer = new CollectionWriter(collection, this.statements);
    this.transaction(() => {
      const known = this.fieldsOf(name);
      const declared = canonicalJson(collection.fields);
      if (known === null) {
        this.db.exec(createTableSql(collection));
      } else if (known !== declared) {
        if (kind === 'model') throw new Error(`${name} was built with other fields: give it a new version`);
        this.remake(collection, writer);
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
    this.collections.set(name, writer);
  }

  /** All of them or, with a throw, none. */
  writeGroup(requests: readonly (BatchRequest | CompareAndSetRequest)[]): DocumentOutcome[] {
    return this.transaction(() => requests.map((request) => this.write(request)));
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
    this.collections.delete(collection);
    this.statements.clear();
  }

  close(): void {
    if (!this.db.isOpen) return;
    this.statements.clear();
    closeDatabase(this.db);
  }

  private write(request: BatchRequest | CompareAndSetRequest): DocumentOutcome {
    const collection = this.collections.get(request.collection);
    if (!collection) throw new Error(`collection ${request.collection} has not been ensured`);
    if (request.kind === 'batch') {
      return { kind: 'written', isWhole: this.writeBatch(collection, request) };
    }
    const { id, expectedVersion, columns } = request;
    return { kind: 'compared', isSet: collection.compareAndSet(id, expectedVersion, columns) };
  }

  /**
   * A batch whose checkpoint lies behind the stored one is old, and in here already. Answers whether each of its writes
   * is in place.
   */
  private writeBatch(collection: CollectionWriter, { writes, checkpoint }: BatchRequest): boolean {
    const { name, position } = checkpoint;
    // Without this an old batch would bring back what a later one deleted: no row is left there to guard it.
    const isOld = this.statements
      .get('SELECT 1 FROM _checkpoints WHERE name = ? AND position > ?')
      .get(name, position) as object | undefined;
    if (isOld) return false;
    let isWhole = true;
    for (const write of writes) isWhole = collection.write(write) && isWhole;
    this.statements
      .get(
        'INSERT INTO _checkpoints VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position',
      )
      .run(name, position);
    return isWhole;
  }

  private fieldsOf(collection: string): string | null {
    const row = this.statements.get('SELECT fields FROM _collections WHERE name = ?').get(collection) as
      { fields: string } | undefined;
    return row?.fields ?? null;
  }

  /** Columns are derived from the documents, so a collection that must not be dropped gets them anew. */
  private remake(collection: Collection, writer: CollectionWriter): void {
    const name = tableOf(collection.name);
    this.db.exec(`ALTER TABLE ${name} RENAME TO _former`);
    this.db.exec(createTableSql(collection));
    const rows = this.db
      .prepare('SELECT id, CAST(position AS TEXT) AS position, version, body FROM _former')
      .iterate();
    for (const row of rows as Iterable<{ id: string; position: string; version: number; body: string }>) {
      const columns = columnsOf(collection, JSON.parse(row.body) as object);
      writer.insert(row.id, BigInt(row.position), row.version, columns);
    }
    this.db.exec('DROP TABLE _former');
    this.statements.clear();
  }

  private transaction<Answer>(work: () => Answer): Answer {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      const answer = work();
      this.db.exec('COMMIT');
      return answer;
    } catch (error) {
      // Some faults (a full disk) have rolled back by themselves.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }
}
