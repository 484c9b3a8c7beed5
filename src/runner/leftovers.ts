import { readdir } from 'node:fs/promises';
import { endTree } from './ending';
import { processTreeOf } from './process-tree';
import { isMissing } from './run-failure';
import { RunFolder } from './run-folder';
import type { RunnerLogger } from './runner-deps';

const GRACE_MS = 5_000;

/**
 * Ends the processes and removes the folders of runs that are over, or that the log knows nothing of: to be done at
 * start, before anything is claimed. Answers their ids.
 *
 * @param isOver whether the log calls a run final, or has none of that id; where nobody knows, its processes are left alone
 * @throws the abort reason when `signal` aborts
 */
export async function endLeftovers(options: {
  runsFolder: string;
  isOver: (runId: string) => boolean | Promise<boolean>;
  logger: RunnerLogger;
  graceMs?: number;
  /** Leaves what still lives as it is. */
  signal?: AbortSignal;
}): Promise<string[]> {
  const { runsFolder, isOver, logger, graceMs = GRACE_MS, signal = new AbortController().signal } = options;
  const over: string[] = [];
  for (const runId of await runsLeftIn(runsFolder)) if (await isOver(runId)) over.push(runId);
  await Promise.all(
    over.map(async (runId) => {
      const folder = new RunFolder(runsFolder, runId);
      const leader = folder.identity();
      const tree = processTreeOf(runId, leader);
      const { sent, survivors } = await endTree(tree, { graceMs, leader: leader?.pid }, signal);
      if (sent.length > 0) logger.warn({ runId, sent, survivors }, 'ended processes of a run that was over');
      if (survivors.length === 0) await folder.remove();
    }),
  );
  return over;
}

/** The ids of all runs that have a folder. */
export async function runsLeftIn(runsFolder: string): Promise<string[]> {
  try {
    const entries = await readdir(runsFolder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
