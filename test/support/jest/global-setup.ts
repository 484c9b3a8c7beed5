import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Gives the run a temporary folder of its own. Its name marks every process that the run starts: it is in their
 * environment, or, where Reveille gives an agent only a few variables, in the paths among those.
 */
export default function setUp(): void {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-test-'));
  process.env.TMPDIR = folder;
  process.env.REVEILLE_TEST_RUN = basename(folder);
}
