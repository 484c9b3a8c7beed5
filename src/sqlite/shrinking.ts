import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from './sqlite';
import { closeDatabase, openDatabase } from './sqlite';

/**
 * A file gives room back to the disk only where it was made for that, or has been written anew since: pages have to
 * know who points at them, to be moved away from the end.
 */
const INCREMENTAL = 2;
/** Besides the copy, the disk has to have room for what is written meanwhile. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** How many pages hold nothing and could be given back; 0 where the file cannot shrink. */
export function vacantPages(db: Database): number {
  return canShrink(db) ? pragma(db, 'freelist_count') : 0;
}

/** Gives about so much back to the disk. In a transaction of the caller's, or of its own. */
export function vacate(db: Database, maxBytes: number): void {
  if (vacantPages(db) === 0) return;
  db.exec(`PRAGMA incremental_vacuum(${Math.ceil(maxBytes / pragma(db, 'page_size'))})`);
}

/**
 * Folds the write-ahead log back into the file, as far as readers let it: a file becomes shorter only with that.
 * Outside of a transaction.
 */
export function foldBack(db: Database): void {
  try {
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // Nothing is lost by it: what was committed is in the write-ahead log.
  }
}

export type Rewritten = 'not_needed' | 'rewritten' | 'no_room';

/**
 * Writes a file of an earlier version anew, so that it can shrink from then on. Takes about as long as copying it. The
 * file itself is not touched before the copy is whole and on disk: a crash leaves the one or the other.
 *
 * @param isNeeded asked of a file that cannot shrink: whether it is worth it
 */
export function rewriteToShrink(path: string, isNeeded: (db: Database) => boolean): Rewritten {
  const copy = `${path}.shrinking`;
  rmSync(copy, { force: true });
  if (!existsSync(path) || statSync(path).size === 0) return 'not_needed';
  const db = openDatabase(path, 'FULL');
  try {
    if (canShrink(db) || !isNeeded(db)) return 'not_needed';
    const { bavail, bsize } = statfsSync(dirname(path));
    if (bavail * bsize < usedBytes(db) + SPARE_BYTES) return 'no_room';
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.prepare('VACUUM INTO ?').run(copy);
  } finally {
    closeDatabase(db);
  }
  // Something else has the file open: its write-ahead log would be taken for that of the new one.
  if (existsSync(`${path}-wal`)) {
    rmSync(copy);
    return 'not_needed';
  }
  sync(copy);
  renameSync(copy, path);
  sync(dirname(path));
  return 'rewritten';
}

function canShrink(db: Database): boolean {
  return pragma(db, 'auto_vacuum') === INCREMENTAL;
}

function usedBytes(db: Database): number {
  return (pragma(db, 'page_count') - pragma(db, 'freelist_count')) * pragma(db, 'page_size');
}

function pragma(db: Database, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[0]);
}

function sync(path: string): void {
  const handle = openSync(path, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
