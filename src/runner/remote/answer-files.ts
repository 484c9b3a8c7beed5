import type { FileHandle } from 'node:fs/promises';
import { open, writeFile } from 'node:fs/promises';
import type { OutputStream } from '../../runs/domain/run-log.events';
import { messageOf, RunFailure } from '../run-failure';
import type { RunFolder } from '../run-folder';

/**
 * Puts what an answer says where a process would have put it: into the spools, the events file and the result file of
 * the run's folder. From there on it is recorded in the one way there is, and outlives this server.
 */
export class AnswerFiles {
  private constructor(
    private readonly folder: RunFolder,
    private readonly files: Record<OutputStream | 'events', FileHandle>,
  ) {}

  /** @throws RunFailure `spool_failed`, as all methods do */
  static open(folder: RunFolder): Promise<AnswerFiles> {
    return guarded(async () => {
      const [stdout, stderr, events] = await Promise.all(
        [folder.spoolFile('stdout'), folder.spoolFile('stderr'), folder.eventsFile].map((path) =>
          open(path, 'a', 0o600),
        ),
      );
      return new AnswerFiles(folder, { stdout: stdout!, stderr: stderr!, events: events! });
    });
  }

  log(stream: OutputStream, text: Buffer | string): Promise<void> {
    return guarded(() => this.files[stream].appendFile(text));
  }

  event(line: string): Promise<void> {
    return guarded(() => this.files.events.appendFile(`${line}\n`));
  }

  result(json: Buffer | string): Promise<void> {
    return guarded(() => writeFile(this.folder.resultFile, json, { mode: 0o600 }));
  }

  /** The answer is complete: a server that takes the run up again need not ask for another one. */
  complete(): Promise<void> {
    return guarded(() => this.folder.recordExit(0));
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.files).map((file) => file.close()));
  }
}

async function guarded<T>(use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    throw new RunFailure('spool_failed', `The answer could not be spooled: ${messageOf(cause)}`, { cause });
  }
}
