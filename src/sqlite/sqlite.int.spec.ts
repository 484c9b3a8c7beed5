import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { closeDatabase, DamagedFile, openDatabase, refuseDamaged } from './sqlite';

const ROWS = 200;

/** A file of some hundred pages, whole and closed. */
function wholeFile(): string {
  const path = join(temporaryFolder(), 'whole.db');
  const db = openDatabase(path, 'FULL');
  db.exec('CREATE TABLE texts (text TEXT)');
  const insert = db.prepare('INSERT INTO texts VALUES (?)');
  for (let row = 0; row < ROWS; row++) insert.run('x'.repeat(3_000));
  closeDatabase(db);
  return path;
}

describe('refuseDamaged', () => {
  it('takes a whole file', () => {
    expect(() => refuseDamaged(wholeFile())).not.toThrow();
  });

  it('refuses a file that has become shorter', () => {
    const path = wholeFile();
    truncateSync(path, 100_000);
    expect(() => refuseDamaged(path)).toThrow(DamagedFile);
  });

  it('refuses a file that is no database, and names it', () => {
    const path = join(temporaryFolder(), 'no.db');
    writeFileSync(path, 'garbage!'.repeat(1_000));
    expect(() => refuseDamaged(path)).toThrow(`${path} is damaged: file is not a database`);
  });

  it('leaves a file alone in which a crash has left a transaction half-done: opening it takes that back', () => {
    const path = wholeFile();
    const crashed = join(temporaryFolder(), 'crashed.db');
    const db = openDatabase(path, 'FULL');
    // With next to no cache the transaction reaches the file before its end, and what was there goes into a journal.
    db.exec(
      "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 2; BEGIN; UPDATE texts SET text = text || 'y'",
    );
    for (const suffix of ['', '-journal']) copyFileSync(`${path}${suffix}`, `${crashed}${suffix}`);
    db.exec('ROLLBACK');
    closeDatabase(db);

    expect(() => refuseDamaged(crashed)).not.toThrow();

    const again = openDatabase(crashed, 'FULL');
    const { count } = again.prepare("SELECT count(*) AS count FROM texts WHERE text LIKE '%y'").get() as {
      count: number;
    };
    closeDatabase(again);
    expect(count).toBe(0);
  });
});
