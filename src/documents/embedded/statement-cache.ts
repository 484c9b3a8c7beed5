import type { Database } from '../../sqlite/sqlite';

export type Statement = ReturnType<Database['prepare']>;

/** Prepares each SQL text once. The texts are few: they depend on declarations and on the shapes of queries only. */
export class StatementCache {
  private readonly statements = new Map<string, Statement>();

  constructor(private readonly db: Database) {}

  get(sql: string): Statement {
    let statement = this.statements.get(sql);
    if (!statement) {
      statement = this.db.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  clear(): void {
    this.statements.clear();
  }
}
