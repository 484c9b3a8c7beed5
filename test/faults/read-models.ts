import { runCommand } from '../support/reveille-process';
import type { KillableServer } from './killable-server';

/** Null where all read models, built anew from the log, equal those that the server has kept; else what differs. */
export async function readModelsProblem(server: KillableServer): Promise<string | null> {
  const where = ['--url', server.url, '--data-dir', server.dataDir];
  const { exitCode, stdout, stderr } = await runCommand([
    'projections',
    'compare',
    '--all',
    '--json',
    ...where,
  ]);
  return exitCode === 0 ? null : `${stdout}${stderr}`.slice(0, 2_000);
}

/** Null where everything goes well, else what was thrown. */
export async function problemOf(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
