import type { Database } from '../../sqlite/sqlite';
import { closeDatabase, openDatabase } from '../../sqlite/sqlite';
import { chunksFile, eventsFile } from './event-files';

/** The maximum age of every stream in a folder that has one, in seconds. Nobody may have the folder open. */
export function readMaxAges(folder: string): Map<string, number> {
  const ages = new Map<string, number>();
  for (const path of [eventsFile(folder), chunksFile(folder)]) {
    const db = openDatabase(path, 'FULL');
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

/** Whether any stream in an event file has a maximum age. */
export function hasMaxAges(db: Database): boolean {
  return db.prepare('SELECT 1 FROM streams WHERE max_age_sec IS NOT NULL LIMIT 1').get() !== undefined;
}

/** The streams in a folder whose first events have aged out and are gone. Nobody may have the folder open. */
export function readAgedOut(folder: string): Set<string> {
  const db = openDatabase(chunksFile(folder), 'FULL');
  try {
    const rows = db
      .prepare(
        `SELECT name FROM streams s WHERE max_age_sec IS NOT NULL
         AND (SELECT min(revision) FROM events WHERE stream_id = s.id) > 0`,
      )
      .all() as { name: string }[];
    return new Set(rows.map(({ name }) => name));
  } finally {
    closeDatabase(db);
  }
}
