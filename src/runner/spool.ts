import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { OutputStream } from '../runs/domain/run-log.events';
import { messageOf, RunFailure } from './run-failure';

export interface SpoolState {
  /** Bytes that were not read yet. */
  waiting: number;
  /** When something was written to it last. */
  writtenAtMs: number;
  /** The agent has emptied the file: what it had written and we had not read is gone. */
  wasTruncated: boolean;
}

/** Reads one of the files that a run writes its output to, while it goes on. */
export class Spool {
  private position = 0;

  private constructor(
    private readonly stream: OutputStream,
    private readonly file: FileHandle,
  ) {}

  /** @throws RunFailure `spool_failed`, as all methods do */
  static async open(path: string, stream: OutputStream): Promise<Spool> {
    return new Spool(stream, await guarded(stream, () => open(path, 'r')));
  }

  /** Reads on at an offset, which the file must reach. */
  async seek(offset: number): Promise<void> {
    const { size } = await guarded(this.stream, () => this.file.stat());
    if (size < offset) {
      throw new RunFailure(
        'spool_failed',
        `The ${this.stream} spool ends at ${size}, but ${offset} bytes are recorded`,
      );
    }
    this.position = offset;
  }

  async look(): Promise<SpoolState> {
    const { size, mtimeMs, nlink } = await guarded(this.stream, () => this.file.stat());
    if (nlink === 0) throw new RunFailure('spool_failed', `The ${this.stream} spool was deleted`);
    const wasTruncated = size < this.position;
    if (wasTruncated) this.position = 0;
    return { waiting: size - this.position, writtenAtMs: mtimeMs, wasTruncated };
  }

  /** Fills `buffer` with the next bytes, as far as there are any, and answers how many. */
  async read(buffer: Buffer): Promise<number> {
    if (buffer.length === 0) return 0;
    const { position } = this;
    const { bytesRead } = await guarded(this.stream, () =>
      this.file.read(buffer, 0, buffer.length, position),
    );
    this.position += bytesRead;
    return bytesRead;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

async function guarded<T>(stream: OutputStream, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    throw new RunFailure('spool_failed', `The ${stream} spool cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
