import type { ChildProcess, StdioOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { pause } from './pause';
import type { ProcessIdentity } from './process-table';
import { currentBootId, isAlive, livingProcess } from './process-table';
import { messageOf, RunFailure } from './run-failure';
import type { RunFolder } from './run-folder';

/** Works in `dist`, where the build puts a copy, as well as in `src`. */
const WRAPPER = join(__dirname, 'wrapper.sh');
const ADOPTED_LOOK_MS = 50;

/** How the wrapper went, as far as this server saw it itself: an adopted process cannot be waited for. */
export interface WaitedExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

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
  release(): void;
  /** Lets it leave without having executed anything. */
  abandon(): void;
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

/** @throws RunFailure `spawn_failed`, `spool_failed` */
export async function spawnWrapper(options: SpawnOptions): Promise<SpawnedProcess> {
  const { folder, command, args, cwd, env } = options;
  const descriptors = folder.openForAgent(options.hasStdin);
  const stdio: StdioOptions = [descriptors.stdin, descriptors.stdout, 'ignore', 'pipe', descriptors.stderr];
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', [WRAPPER, folder.path, command, ...args], { cwd, env, stdio, detached: true });
    await once(child, 'spawn');
  } catch (cause) {
    throw new RunFailure('spawn_failed', `Could not start ${command}: ${messageOf(cause)}`, { cause });
  } finally {
    descriptors.close();
  }
  const exited = new Promise<WaitedExit>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  const control = child.stdio[3] as Socket;
  // A wrapper that is gone already is seen by its exit.
  control.on('error', () => undefined);
  control.unref();
  child.unref();
  return {
    identity: identityOf(child.pid!),
    spawnedAtMs: Date.now(),
    exited,
    release: () => void control.end('go\n'),
    abandon: () => void control.destroy(),
  };
}

/**
 * A process that an earlier server has started. `exited` is answered within 50 ms of its exit, or when `signal` aborts.
 */
export function adoptProcess(identity: ProcessIdentity, signal: AbortSignal): RunProcess {
  const leave = async (): Promise<WaitedExit> => {
    while (!signal.aborted && isAlive(identity)) await pause(ADOPTED_LOOK_MS, signal);
    return { code: null, signal: null };
  };
  return { identity, spawnedAtMs: null, exited: leave() };
}

function identityOf(pid: number): ProcessIdentity {
  return { bootId: currentBootId(), pid, startTime: livingProcess(pid)?.startTime ?? null, pgid: pid };
}
