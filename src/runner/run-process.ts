import { join } from 'node:path';
import { pause } from '../kernel/pause';
import type { ProcessIdentity } from './process-table';
import { currentBootId, isAlive, livingProcess } from './process-table';
import type { RunFolder } from './run-folder';
import type { Spawner } from './spawner';
import type { WaitedExit } from './spawner-messages';

/** Works in `dist`, where the build puts a copy, as well as in `src`. */
const WRAPPER = join(__dirname, 'wrapper.sh');
const ADOPTED_LOOK_MS = 50;

/** The wrapper of a run. */
export interface RunProcess {
  readonly identity: ProcessIdentity;
  /** Milliseconds since 1970; null for one that an earlier life of this server has started. */
  readonly spawnedAtMs: number | null;
  /** Never rejects. */
  readonly exited: Promise<WaitedExit>;
}

/** A wrapper that waits: nothing is executed before `release`. */
export interface SpawnedProcess extends RunProcess {
  /** Lets it execute its command. */
  release: () => void;
  /** Lets it leave without having executed anything. */
  abandon: () => void;
}

export interface SpawnOptions {
  folder: RunFolder;
  /** Absolute path. */
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  hasStdin: boolean;
}

/**
 * @param closed ends the looking for a process whose exit the spawner does not see any more
 * @throws RunFailure `spawn_failed`, `spool_failed`
 */
export async function spawnWrapper(
  options: SpawnOptions,
  spawner: Spawner,
  closed: AbortSignal,
): Promise<SpawnedProcess> {
  const { folder, command, args, cwd, env, hasStdin } = options;
  const files = folder.filesForAgent(hasStdin);
  const request = { files, args: [WRAPPER, folder.path, command, ...args], cwd, env };
  const { pid, exited, release, abandon } = await spawner.spawn(request, command);
  const identity = identityOf(pid);
  const seen = exited.then((exit) => exit ?? left(identity, closed));
  return { identity, spawnedAtMs: Date.now(), exited: seen, release, abandon };
}

/**
 * A process that an earlier server has started. `exited` is answered within 50 ms of its exit, or when `signal` aborts.
 */
export function adoptProcess(identity: ProcessIdentity, signal: AbortSignal): RunProcess {
  return { identity, spawnedAtMs: null, exited: left(identity, signal) };
}

async function left(identity: ProcessIdentity, signal: AbortSignal): Promise<WaitedExit> {
  while (!signal.aborted && isAlive(identity)) await pause(ADOPTED_LOOK_MS, signal);
  return { code: null, signal: null };
}

function identityOf(pid: number): ProcessIdentity {
  return { bootId: currentBootId(), pid, startTime: livingProcess(pid)?.startTime ?? null, pgid: pid };
}
