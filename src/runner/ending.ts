import { pause } from '../kernel/pause';
import type { EndingSignal, ProcessTree } from './process-tree';

/** After the first SIGKILL: whatever lives longer cannot be ended by us. */
const KILL_PATIENCE_MS = 30_000;
/** How long the wrapper gets to write down the exit code of an agent that was killed. */
const LEADER_REPRIEVE_MS = 1_000;
/** A tree that has just been started is told again: until it executes the agent, the wrapper takes the signal for itself. */
const YOUNG_REPEAT_MS = 250;
const FASTEST_LOOK_MS = 5;
const SLOWEST_LOOK_MS = 100;

export interface EndedTree {
  /** What was sent, in order. */
  sent: readonly EndingSignal[];
  /** What could not be ended, by pid. */
  survivors: readonly number[];
}

/**
 * Ends a process tree: SIGTERM, after the grace period SIGKILL, and answers when nothing of it lives, or when that
 * cannot be brought about. The leader, which only waits for the agent, is killed a little later than the rest.
 *
 * @throws the abort reason when `signal` aborts; the tree is then left as it is
 */
export async function endTree(
  tree: ProcessTree,
  options: { graceMs: number; leader: number | undefined; isYoung?: boolean; killPatienceMs?: number },
  signal: AbortSignal,
): Promise<EndedTree> {
  if ((await tree.signal('SIGTERM')).length === 0) return { sent: [], survivors: [] };
  const repeatMs = options.isYoung ? Math.min(YOUNG_REPEAT_MS, options.graceMs) : 0;
  if (repeatMs > 0) {
    if (await waitUntilEmpty(tree, repeatMs, signal)) return { sent: ['SIGTERM'], survivors: [] };
    await tree.signal('SIGTERM');
  }
  if (await waitUntilEmpty(tree, options.graceMs - repeatMs, signal))
    return { sent: ['SIGTERM'], survivors: [] };
  const survivors = await killTree(tree, options, signal);
  return { sent: ['SIGTERM', 'SIGKILL'], survivors };
}

/** Again and again, since a tree that is dying may still fork. */
async function killTree(
  tree: ProcessTree,
  { leader, killPatienceMs = KILL_PATIENCE_MS }: { leader: number | undefined; killPatienceMs?: number },
  signal: AbortSignal,
): Promise<readonly number[]> {
  const startedAtMs = Date.now();
  for (let lookMs = FASTEST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, SLOWEST_LOOK_MS)) {
    const tookMs = Date.now() - startedAtMs;
    const living = await tree.signal('SIGKILL', tookMs < LEADER_REPRIEVE_MS ? leader : undefined);
    if (living.length === 0 || tookMs >= killPatienceMs) return living;
    await pause(lookMs, signal);
    signal.throwIfAborted();
  }
}

/**
 * Answers whether nothing of the tree lives any more, at the latest after `ms`.
 * @throws the abort reason when `signal` aborts
 */
export async function waitUntilEmpty(tree: ProcessTree, ms: number, signal: AbortSignal): Promise<boolean> {
  const until = Date.now() + ms;
  for (let lookMs = FASTEST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, SLOWEST_LOOK_MS)) {
    if ((await tree.living()).length === 0) return true;
    const leftMs = until - Date.now();
    if (leftMs <= 0) return false;
    await pause(Math.min(lookMs, leftMs), signal);
    signal.throwIfAborted();
  }
}
