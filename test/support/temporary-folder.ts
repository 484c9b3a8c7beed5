import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new, empty folder, removed after the test file's last hook (see `jest/environment.cjs`). */
export function temporaryFolder(prefix = 'reveille-'): string {
  return mkdtempSync(join(tmpdir(), prefix));
}
