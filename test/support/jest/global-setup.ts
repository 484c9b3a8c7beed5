import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { startWorld } from './world-servers';

/**
 * Gives the run a temporary folder of its own. Its name marks every process that the run starts: it is in their
 * environment, or, where Reveille gives an agent only a few variables, in the paths among those. Servers that all tests
 * share are started before, and so bear no mark.
 */
export default async function setUp(): Promise<void> {
  await startWorld();
  const folder = mkdtempSync(join(tmpdir(), 'reveille-test-'));
  process.env.TMPDIR = folder;
  process.env.REVEILLE_TEST_RUN = basename(folder);
}
