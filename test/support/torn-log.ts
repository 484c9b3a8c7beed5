import { join } from 'node:path';
import { closeDatabase, openDatabase } from '../../src/sqlite/sqlite';

/**
 * Leaves of an embedded log what the crash of a machine may leave: events that were written last are gone, what was made
 * of them is not.
 *
 * @param files of the log, `log.db` and `runlog.db`
 */
export function tearOff(dataDir: string, after: string, files: readonly string[]): void {
  for (const file of files) {
    const db = openDatabase(join(dataDir, 'stores', file), 'FULL');
    db.prepare('DELETE FROM events WHERE position > ?').run(Number(after));
    closeDatabase(db);
  }
}
