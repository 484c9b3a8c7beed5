import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutputStream } from '../runs/domain/run-log.events';
import type { ProcessIdentity } from './process-table';
import { isMissing, messageOf, RunFailure } from './run-failure';

export interface RecordedExit {
  code: number;
  /** When it was written down. */
  at: Date;
}

/** Descriptors for a process about to be started; close them when it has them. */
export interface AgentDescriptors {
  stdin: number;
  stdout: number;
  stderr: number;
  close(): void;
}

/**
 * The folder of one run: what the agent is given, what it writes, and what the wrapper writes down about it. It is all
 * that connects a server with a process which an earlier server has started.
 */
export class RunFolder {
  readonly path: string;

  constructor(
    runsFolder: string,
    readonly runId: string,
  ) {
    this.path = join(runsFolder, runId);
  }

  get contextFile(): string {
    return join(this.path, 'context.json');
  }

  get resultFile(): string {
    return join(this.path, 'result.json');
  }

  get eventsFile(): string {
    return join(this.path, 'events.ndjson');
  }

  /** Where an agent without a `cwd` works: apart from the files that the wrapper relies on. */
  get workFolder(): string {
    return join(this.path, 'work');
  }

  spoolFile(stream: OutputStream): string {
    return join(this.path, stream);
  }

  /** Makes the folder anew: only for a run of which nothing has been executed. */
  async create(
    context: Readonly<Record<string, unknown>>,
    stdin: string | null,
    sealedSecrets: string | null = null,
  ): Promise<void> {
    try {
      await rm(this.path, { recursive: true, force: true });
      await mkdir(this.workFolder, { recursive: true, mode: 0o700 });
      await writeFile(this.contextFile, JSON.stringify(context), { mode: 0o600 });
      if (stdin !== null) await writeFile(this.stdinFile, stdin, { mode: 0o600 });
      if (sealedSecrets !== null) await writeFile(this.secretsFile, sealedSecrets, { mode: 0o600 });
      for (const stream of ['stdout', 'stderr'] as const) {
        await writeFile(this.spoolFile(stream), '', { mode: 0o600, flag: 'a' });
      }
    } catch (cause) {
      throw new RunFailure('spool_failed', `The run's folder could not be made: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  openForAgent(hasStdin: boolean): AgentDescriptors {
    const opened: number[] = [];
    const close = () => opened.splice(0).forEach(closeSync);
    const openOne = (path: string, flags: string) => {
      const descriptor = openSync(path, flags);
      opened.push(descriptor);
      return descriptor;
    };
    try {
      const stdin = openOne(hasStdin ? this.stdinFile : '/dev/null', 'r');
      const stdout = openOne(this.spoolFile('stdout'), 'a');
      const stderr = openOne(this.spoolFile('stderr'), 'a');
      return { stdin, stdout, stderr, close };
    } catch (cause) {
      close();
      throw new RunFailure('spool_failed', `The spools could not be opened: ${messageOf(cause)}`, { cause });
    }
  }

  exists(): Promise<boolean> {
    return isThere(this.path);
  }

  /** The wrapper got its line: from here on something may have been executed. */
  wasStarted(): Promise<boolean> {
    return isThere(join(this.path, 'started'));
  }

  /** The command was there but could not be executed: exit codes 126 and 127 are the shell's, not the agent's. */
  wasUnexecuted(): Promise<boolean> {
    return isThere(join(this.path, 'unexecuted'));
  }

  /** What the wrapper wrote down last; null where it didn't get that far. */
  async exit(): Promise<RecordedExit | null> {
    const path = join(this.path, 'exit');
    const text = await readIfThere(path);
    if (text === null || !/^\d+\n$/.test(text)) return null;
    return { code: Number(text), at: (await stat(path)).mtime };
  }

  /** Which process the wrapper is or was, in its own words; null where it didn't get to write that. */
  async identity(): Promise<ProcessIdentity | null> {
    const text = await readIfThere(join(this.path, 'pid'));
    const match = text && /^(\d+) (\d*) (\S*)\n$/.exec(text);
    if (!match) return null;
    const [, pid, startTime, bootId] = match;
    return {
      bootId: bootId || null,
      pid: Number(pid),
      startTime: startTime ? Number(startTime) : null,
      pgid: Number(pid),
    };
  }

  /** The encrypted values of the run's secrets; null where there are none. */
  secrets(): Promise<string | null> {
    return readIfThere(this.secretsFile);
  }

  /** The last bytes that are in a stream's spool, at most `limitBytes`; none where it cannot be read. */
  async tail(stream: OutputStream, limitBytes: number): Promise<Buffer> {
    const file = await open(this.spoolFile(stream), 'r').catch(() => null);
    if (file === null) return Buffer.alloc(0);
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.min(size, limitBytes));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  private get secretsFile(): string {
    return join(this.path, 'secrets');
  }

  private get stdinFile(): string {
    return join(this.path, 'stdin');
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw new RunFailure('spool_failed', `The run's folder cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw new RunFailure('spool_failed', `The run's folder cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
