import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import type { DatabaseSyncInstance } from '@photostructure/sqlite';

/** A database handle with the `node:sqlite` API; Node 20's type definitions lack it, so the package's stand for both. */
export type Database = DatabaseSyncInstance;

interface SqliteModule {
  DatabaseSync: new (path: string, options?: { readOnly?: boolean }) => Database;
}

/** A file that should hold a database, and cannot be used as one. Nothing has been written to it. */
export class DamagedFile extends Error {
  constructor(
    readonly path: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${path} ${problem}`, options);
    this.name = 'DamagedFile';
  }
}

const OWNER_ONLY = 0o600;

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE: readonly number[] = [11, 26];

/** Below it a WAL-reset bug can lose commits where two connections share a file. */
const MINIMUM_VERSION = [3, 51, 3] as const;

/**
 * Opens a file with the journal mode that Reveille relies on. Node's own SQLite where it has one that is new enough,
 * else the same API from a package with prebuilt binaries (see `docs/decisions/0002-sqlite-binding.md`).
 *
 * @param synchronous FULL: a commit is on disk before it returns. NORMAL: a power loss may take the last commits.
 * @param canShrink whether a new file is to be one that gives room back to the disk (`shrinking.ts`)
 */
export function openDatabase(
  path: string,
  synchronous: 'FULL' | 'NORMAL',
  walAutocheckpoint = 1000,
  canShrink = false,
): Database {
  const { DatabaseSync } = sqliteModule();
  keepForOwner(path);
  const db = new DatabaseSync(path);
  // Before anything is in the file: afterwards it does nothing.
  if (canShrink) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  db.exec(`PRAGMA journal_mode = WAL`);
  db.exec(`PRAGMA synchronous = ${synchronous}`);
  db.exec(`PRAGMA busy_timeout = 5000`);
  db.exec(`PRAGMA wal_autocheckpoint = ${walAutocheckpoint}`);
  return db;
}

/**
 * Only its owner may read what is in it. SQLite gives the files beside it (`-wal`, `-shm`) the mode that it has. One that
 * is there is not opened for that: to close it again would take away the locks of other connections of this process
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 */
function keepForOwner(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', OWNER_ONLY));
  chmodSync(path, OWNER_ONLY);
}

/**
 * Looks at a file without writing to it: at its head, and at whether it is as long as it says.
 *
 * @throws DamagedFile
 */
export function refuseDamaged(path: string): void {
  const { DatabaseSync } = sqliteModule();
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    // Not prepared: nothing of it is left to keep the file half open (see `closeDatabase`).
    db.exec('SELECT count(*) FROM sqlite_schema');
  } catch (cause) {
    // Anything else says nothing about the file: a crash may have left a journal that only a writer can take back.
    if (isDamage(cause)) throw new DamagedFile(path, `is damaged: ${(cause as Error).message}`, { cause });
  } finally {
    db.close();
  }
}

function isDamage(error: unknown): boolean {
  const { errcode } = error as { errcode?: unknown };
  // An extended code holds the primary one in its lowest byte.
  return typeof errcode === 'number' && DAMAGE.includes(errcode & 0xff);
}

/**
 * Opens a file that another connection of this process writes, for reading beside it. It sees what is committed by the
 * time of each statement, holds no writer up, and never touches the file, also not when it is closed.
 */
export function openToRead(path: string): Database {
  const { DatabaseSync } = sqliteModule();
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec('PRAGMA busy_timeout = 5000');
  return db;
}

/**
 * Closes a file that was open for writing, for good. The packaged binding leaves prepared statements to the garbage
 * collector, and until then SQLite keeps the closed connection half open: its end, at any later time, would remove the
 * write-ahead log by name, even that of a new file in the same place. Out of WAL mode the file stands alone at once;
 * where a reader is half open in the same way, it stays in that mode, with an empty write-ahead log.
 */
export function closeDatabase(db: Database): void {
  for (const pragma of ['journal_mode = DELETE', 'wal_checkpoint(TRUNCATE)']) {
    try {
      db.exec(`PRAGMA busy_timeout = 0; PRAGMA ${pragma}`);
      break;
    } catch {
      // Something else has the file open, or the disk is full: what is in the write-ahead log is valid there.
    }
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
