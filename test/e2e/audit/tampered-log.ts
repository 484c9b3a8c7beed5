import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { closeDatabase, openDatabase } from '../../../src/sqlite/sqlite';
import { temporaryFolder } from '../../support/temporary-folder';

type Value = string | number | Uint8Array;

/** What somebody does to the files of a log behind the server's back. */
export class TamperedLog {
  private constructor(readonly dataDir: string) {}

  /** Of a folder whose server has stopped: that stays as it is. */
  static copyOf(dataDir: string): TamperedLog {
    const copy = join(temporaryFolder(), 'data');
    cpSync(dataDir, copy, { recursive: true });
    return new TamperedLog(copy);
  }

  /** The files themselves, under the eyes of their server. */
  static live(dataDir: string): TamperedLog {
    return new TamperedLog(dataDir);
  }

  /** @param file `log.db`, or `runlog.db` for what agents wrote */
  run(sql: string, parameters: Value[] = [], file = 'log.db'): number {
    const db = openDatabase(join(this.dataDir, 'stores', file), 'FULL');
    try {
      return Number(db.prepare(sql).run(...parameters).changes);
    } finally {
      closeDatabase(db);
    }
  }

  rows<Row>(sql: string, parameters: Value[] = [], file = 'log.db'): Row[] {
    const db = openDatabase(join(this.dataDir, 'stores', file), 'FULL');
    try {
      return db.prepare(sql).all(...parameters) as Row[];
    } finally {
      closeDatabase(db);
    }
  }
}

/** The events of a stream, for conditions. */
export const OF_STREAM = 'stream_id = (SELECT id FROM streams WHERE name = ?)';
