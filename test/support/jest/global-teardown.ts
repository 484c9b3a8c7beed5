import type { Config } from 'jest';
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { describeProcess, findMarkedProcesses, waitUntilGone } from './marked-processes';
import { endWorld } from './world-servers';

/** For processes that are on their way out when the last test ends. */
const GRACE_MS = 2_000;
/** For handles that close by themselves. */
const EXIT_MS = 10_000;

/** Fails the run where a test left a process or a file behind, and removes both. */
export default async function tearDown({
  watch,
  watchAll,
}: Pick<Config, 'watch' | 'watchAll'>): Promise<void> {
  const folder = tmpdir();
  const marker = process.env.REVEILLE_TEST_RUN;
  if (!marker || !folder.endsWith(marker)) throw new Error('the global setup has not run');

  const leftBehind = await endProcesses(marker);
  leftBehind.push(...readdirSync(folder).map((name) => `file ${name} in the temporary folder`));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  await endWorld();
  process.env.TMPDIR = dirname(folder);

  if (!watch && !watchAll) exitSoon();
  if (leftBehind.length > 0) throw new Error(`the tests left behind:\n  ${leftBehind.join('\n  ')}\n`);
}

async function endProcesses(marker: string): Promise<string[]> {
  await waitUntilGone(marker, GRACE_MS);
  const found = findMarkedProcesses(marker);
  for (const { pid } of found) process.kill(pid, 'SIGKILL');
  await waitUntilGone(marker, GRACE_MS);
  return found.map(describeProcess);
}

/** A test that keeps a socket or a timer open makes the run fail, instead of making it hang. */
function exitSoon(): void {
  const timer = setTimeout(() => {
    process.stderr.write(`still open after the tests: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(1);
  }, EXIT_MS);
  timer.unref();
}
