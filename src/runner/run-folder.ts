import {
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutputStream } from '../runs/domain/run-log.events';
import type { ProcessIdentity } from './process-table';
import type { RegularFile } from './read-regular-file';
import { isListed, openRegularFile, readRegularFile } from './read-regular-file';
import { messageOf, RunFailure } from './run-failure';

/** Of what the wrapper writes down: a line each. */
const MAX_LINE_BYTES = 4 * 1024;
const MAX_SECRETS_BYTES = 64 * 1024 * 1024;
/** What is removed in place. */
const FEW_FILES = 32;
const SMALL_FILE_BYTES = 1024 * 1024;

const SPOOLS = ['stdout', 'stderr'] as const;
/** What the wrapper writes down. */
const WRAPPER_FILES = ['pid', 'started', 'unexecuted', 'exit'] as const;
/** Without the line feed it may be the beginning of another number. */
const WHOLE_EXIT = /^\d+\n$/;

/** What a shell adds to the number of a signal. */
export const SIGNAL_BASE = 128;

export interface RecordedExit {
  /** As a shell has it: also 128 + n where the agent died of signal n. */
  code: number;
  /** The shell has said so; false where the agent has exited with that code by itself, or nobody knows. */
  isSignal: boolean;
  /** When it was written down. */
  at: Date;
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

  /** Holds the value of a variable that only who looks for it is to see. */
  envFile(name: string): string {
    return join(this.path, `value-${name}`);
  }

  spoolFile(stream: OutputStream): string {
    return join(this.path, stream);
  }

  /**
   * Makes the folder ready for a run of which nothing has been executed, also where an earlier attempt came some way.
   * What that has made of the spools stays in its place meanwhile: once a process was recorded, whoever takes the run
   * up looks for them, and this may be cut short between any two lines.
   */
  create(
    context: Readonly<Record<string, unknown>>,
    stdin: string | null,
    sealedSecrets: string | null = null,
    envFiles: readonly (readonly [name: string, value: string])[] = [],
  ): void {
    try {
      if (!isMade(this.path)) {
        for (const mark of WRAPPER_FILES) rmSync(join(this.path, mark), { force: true });
      }
      isMade(this.workFolder);
      writeFileSync(this.contextFile, JSON.stringify(context), { mode: 0o600 });
      if (stdin !== null) writeFileSync(this.stdinFile, stdin, { mode: 0o600 });
      if (sealedSecrets !== null) writeFileSync(this.secretsFile, sealedSecrets, { mode: 0o600 });
      for (const [name, value] of envFiles) writeFileSync(this.envFile(name), value, { mode: 0o600 });
      for (const stream of SPOOLS) {
        writeFileSync(this.spoolFile(stream), '', { mode: 0o600, flag: 'a' });
      }
    } catch (cause) {
      throw new RunFailure('spool_failed', `The run's folder could not be made: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** What the agent's standard streams are: the spools are opened for appending. */
  filesForAgent(hasStdin: boolean): { stdin: string; stdout: string; stderr: string } {
    const stdin = hasStdin ? this.stdinFile : '/dev/null';
    return { stdin, stdout: this.spoolFile('stdout'), stderr: this.spoolFile('stderr') };
  }

  /** When it was made ready for the process that was started last, by this machine's clock. */
  madeAt(): Date {
    return statSync(this.contextFile).mtime;
  }

  exists(): boolean {
    return isThere(this.path);
  }

  /** The wrapper got its line: from here on something may have been executed. */
  wasStarted(): boolean {
    return isThere(this.startedMark);
  }

  /** The command was there but could not be executed: exit codes 126 and 127 are the shell's, not the agent's. */
  wasUnexecuted(): boolean {
    return isThere(join(this.path, 'unexecuted'));
  }

  /** What the wrapper wrote down last; null where it didn't get that far. */
  exit(): RecordedExit | null {
    const text = readIfThere(this.exitFile, MAX_LINE_BYTES);
    if (text === null || !WHOLE_EXIT.test(text)) return null;
    const code = Number(text);
    const isSignal = code > SIGNAL_BASE && this.wasSignalReported();
    return { code, isSignal, at: statSync(this.exitFile).mtime };
  }

  /** What is in the place of an exit code; null where one was written down, or nothing at all. */
  brokenExit(): string | null {
    const text = readIfThere(this.exitFile, MAX_LINE_BYTES);
    return text === null || WHOLE_EXIT.test(text) ? null : text;
  }

  /** Does what a wrapper does, for a run without one. */
  recordExit(code: number): void {
    writeFileSync(this.exitFile, `${code}\n`, { mode: 0o600 });
  }

  /** Which process the wrapper is or was, in its own words; null where it didn't get to write that. */
  identity(): ProcessIdentity | null {
    const text = readIfThere(join(this.path, 'pid'), MAX_LINE_BYTES);
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
  secrets(): string | null {
    return readIfThere(this.secretsFile, MAX_SECRETS_BYTES);
  }

  /** The last bytes that are in a stream's spool, at most `limitBytes`; none where it cannot be read. */
  async tail(stream: OutputStream, limitBytes: number): Promise<Buffer> {
    const file = this.openSpool(stream);
    if (file === null) return Buffer.alloc(0);
    try {
      const { size } = file.stat();
      const buffer = Buffer.alloc(Math.min(size, limitBytes));
      return buffer.subarray(0, await file.read(buffer, buffer.length, size - buffer.length));
    } finally {
      file.close();
    }
  }

  async remove(): Promise<void> {
    if (!this.exists() || this.isRemovedAtOnce()) return;
    await rm(this.path, { recursive: true, force: true });
  }

  /** Mostly there are a few small files, which takes a fifth of the time in place. False: there is something left. */
  private isRemovedAtOnce(): boolean {
    try {
      const entries = readdirSync(this.path, { withFileTypes: true });
      if (entries.length > FEW_FILES || this.spoolsAreLarge()) return false;
      for (const entry of entries) {
        if (entry.isDirectory()) rmdirSync(join(this.path, entry.name));
        else unlinkSync(join(this.path, entry.name));
      }
      rmdirSync(this.path);
      return true;
    } catch {
      // Whoever removes the rest says what is wrong.
      return false;
    }
  }

  private spoolsAreLarge(): boolean {
    return [...SPOOLS.map((stream) => this.spoolFile(stream)), this.eventsFile, this.resultFile].some(
      (file) => (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0) > SMALL_FILE_BYTES,
    );
  }

  private openSpool(stream: OutputStream): RegularFile | null {
    try {
      return openRegularFile(this.spoolFile(stream), { refusesLinks: true });
    } catch {
      return null;
    }
  }

  /** How many bytes the spools take. */
  async spooledBytes(): Promise<number> {
    const sizes = await Promise.all(
      SPOOLS.map((stream) =>
        stat(this.spoolFile(stream)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Gives what the spools hold up, so that the disk has room again. */
  async emptySpools(): Promise<void> {
    for (const stream of SPOOLS) await truncate(this.spoolFile(stream));
  }

  private wasSignalReported(): boolean {
    const mark = lstatSync(this.startedMark, { throwIfNoEntry: false });
    return mark !== undefined && mark.isFile() && mark.size > 0;
  }

  private get startedMark(): string {
    return join(this.path, 'started');
  }

  private get exitFile(): string {
    return join(this.path, 'exit');
  }

  private get secretsFile(): string {
    return join(this.path, 'secrets');
  }

  private get stdinFile(): string {
    return join(this.path, 'stdin');
  }
}

/** Makes a folder; false where there is something of that name already. */
function isMade(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'ENOENT') throw error;
    // The folder of all runs is not there, or not any more.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return true;
  }
}

function isThere(path: string): boolean {
  try {
    return isListed(path);
  } catch (error) {
    throw new RunFailure('spool_failed', `The run's folder cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** An agent may have put anything in the place of a file of the wrapper. */
function readIfThere(path: string, maxBytes: number): string | null {
  try {
    const bytes = readRegularFile(path, maxBytes, { refusesLinks: true });
    return bytes && bytes.toString();
  } catch (error) {
    throw new RunFailure('spool_failed', `The run's folder cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
