import { join } from 'node:path';
import { closeDatabase, openDatabase } from '../../sqlite/sqlite';

/** The maximum age of every stream in a folder that has one, in seconds. Nobody may have the folder open. */
export function readMaxAges(folder: string): Map<string, number> {
  const ages = new Map<string, number>();
  for (const file of ['log.db', 'runlog.db']) {
    const db = openDatabase(join(folder, file), 'FULL');
    try {
      const rows = db.prepare('SELECT name, max_age_sec FROM streams WHERE max_age_sec IS NOT NULL').all();
      for (const { name, max_age_sec } of rows as { name: string; max_age_sec: number }[])
        ages.set(name, max_age_sec);
    } finally {
      closeDatabase(db);
    }
  }
  return ages;
}
