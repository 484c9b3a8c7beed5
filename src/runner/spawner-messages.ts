/** What the server and its spawner say to each other. `id` is that of one request, and of the process that it made. */

export interface SpawnRequest {
  kind: 'spawn';
  id: number;
  /** Absolute paths; the agent's standard input is read from the first one. */
  files: { stdin: string; stdout: string; stderr: string };
  /** Arguments of `/bin/sh`. */
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
}

export type ToSpawner = SpawnRequest | { kind: 'release' | 'abandon'; id: number };

export type FromSpawner =
  | { kind: 'spawned'; id: number; pid: number }
  | { kind: 'refused'; id: number; part: 'files' | 'process'; message: string }
  | { kind: 'exited'; id: number; code: number | null; signal: NodeJS.Signals | null };

/** How the wrapper went, as far as this server saw it itself: an adopted process cannot be waited for. */
export interface WaitedExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}
