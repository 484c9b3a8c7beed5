import type { Position } from '../../kernel/event';
import type { Database } from '../../sqlite/sqlite';
import { openToRead } from '../../sqlite/sqlite';
import type { Collection } from '../document-store';
import { CollectionReader } from './collection-reader';
import { StatementCache } from './statement-cache';

/** Reads one SQLite file of collections beside its writer. */
export class DocumentFileReader {
  private readonly db: Database;
  private readonly statements: StatementCache;

  /** Once the writer has made the file. */
  constructor(path: string) {
    this.db = openToRead(path);
    this.statements = new StatementCache(this.db);
  }

  collection(collection: Collection): CollectionReader {
    return new CollectionReader(collection, this.statements);
  }

  checkpoint(name: string): Position | null {
    // As text, because a number would lose the last digits of a large position.
    const row = this.statements
      .get('SELECT CAST(position AS TEXT) AS position FROM _checkpoints WHERE name = ?')
      .get(name) as { position: string } | undefined;
    return row ? BigInt(row.position) : null;
  }

  checkpoints(): Position[] {
    const rows = this.db.prepare('SELECT CAST(position AS TEXT) AS position FROM _checkpoints').all();
    return (rows as { position: string }[]).map(({ position }) => BigInt(position));
  }

  close(): void {
    if (!this.db.isOpen) return;
    this.statements.clear();
    this.db.close();
  }
}
