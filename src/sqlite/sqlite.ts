import type { DatabaseSyncInstance } from '@photostructure/sqlite';

/** A database handle with the `node:sqlite` API; Node 20's type definitions lack it, so the package's stand for both. */
export type Database = DatabaseSyncInstance;

interface SqliteModule {
  DatabaseSync: new (path: string) => Database;
}

/** Below it a WAL-reset bug can lose commits where two connections share a file. */
const MINIMUM_VERSION = [3, 51, 3] as const;

/**
 * Opens a file with the journal mode that Reveille relies on. Node's own SQLite where it has one that is new enough,
 * else the same API from a package with prebuilt binaries (see `docs/decisions/0002-sqlite-binding.md`).
 *
 * @param synchronous FULL: a commit is on disk before it returns. NORMAL: a power loss may take the last commits.
 */
export function openDatabase(
  path: string,
  synchronous: 'FULL' | 'NORMAL',
  walAutocheckpoint = 1000,
): Database {
  const { DatabaseSync } = sqliteModule();
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL`);
  db.exec(`PRAGMA synchronous = ${synchronous}`);
  db.exec(`PRAGMA busy_timeout = 5000`);
  db.exec(`PRAGMA wal_autocheckpoint = ${walAutocheckpoint}`);
  return db;
}

/**
 * Closes a file for good. The packaged binding leaves prepared statements to the garbage collector, and until then
 * SQLite keeps the closed connection half open: its end, at any later time, would remove the write-ahead log by name,
 * even that of a new file in the same place. Out of WAL mode the file stands alone at once.
 */
export function closeDatabase(db: Database): void {
  try {
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE');
  } catch {
    // Something else has the file open, or the disk is full: what is in the write-ahead log is valid there.
  }
  db.close();
}

let loaded: SqliteModule | undefined;

function sqliteModule(): SqliteModule {
  loaded ??= builtIn() ?? packaged();
  return loaded;
}

function builtIn(): SqliteModule | undefined {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  const candidate = process.getBuiltinModule('node:sqlite') as SqliteModule | undefined;
  return candidate && isNewEnough(candidate) ? candidate : undefined;
}

function packaged(): SqliteModule {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only where Node has no SQLite of its own
  const candidate = require('@photostructure/sqlite') as SqliteModule;
  if (!isNewEnough(candidate)) throw new Error(`SQLite ${MINIMUM_VERSION.join('.')} or newer is needed`);
  return candidate;
}

function isNewEnough({ DatabaseSync }: SqliteModule): boolean {
  const db = new DatabaseSync(':memory:');
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  db.close();
  const parts = version.split('.').map(Number);
  for (const [index, minimum] of MINIMUM_VERSION.entries()) {
    const part = parts[index] ?? 0;
    if (part !== minimum) return part > minimum;
  }
  return true;
}
