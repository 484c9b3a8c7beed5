import type { OutputStream } from '../runs/domain/run-log.events';
import type { RegularFile } from './read-regular-file';
import { openRegularFile } from './read-regular-file';
import { isMissing, messageOf, RunFailure } from './run-failure';

export const SPOOL_READ_BYTES = 64 * 1024;

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
  /** What had been read when the agent emptied the file. */
  private origin = 0;

  private constructor(
    readonly stream: OutputStream,
    private readonly file: RegularFile,
  ) {}

  /** @throws RunFailure `spool_failed`, as all methods do */
  static async open(path: string, stream: OutputStream): Promise<Spool> {
    const file = await guarded(stream, () => openRegularFile(path, { refusesLinks: true }));
    if (file === null) throw deleted(stream);
    return new Spool(stream, file);
  }

  /** How many bytes have been read, in all. */
  get offset(): number {
    return this.origin + this.position;
  }

  /** Of the first byte that is still in the file. */
  get firstOffset(): number {
    return this.origin;
  }

  /** Goes back to the beginning of the file, which must reach at least so far. */
  async rewind(reachesBytes: number): Promise<void> {
    const { size } = await guarded(this.stream, () => this.file.stat());
    if (size < reachesBytes) {
      throw new RunFailure(
        'spool_failed',
        `The ${this.stream} spool ends at ${size}, but ${reachesBytes} bytes are recorded`,
      );
    }
    this.position = 0;
    this.origin = 0;
  }

  async look(): Promise<SpoolState> {
    const { size, mtimeMs, nlink } = await guarded(this.stream, () => this.file.stat());
    if (nlink === 0) throw deleted(this.stream);
    const wasTruncated = size < this.position;
    if (wasTruncated) {
      this.origin += this.position;
      this.position = 0;
    }
    return { waiting: size - this.position, writtenAtMs: mtimeMs, wasTruncated };
  }

  /** The next bytes, at most `maxBytes`, at the beginning of the buffer; none where nothing waits. */
  async read(into: Buffer, maxBytes = SPOOL_READ_BYTES): Promise<Buffer> {
    const bytes = await this.readAt(this.offset, into, maxBytes);
    this.position += bytes.length;
    return bytes;
  }

  /** Bytes from an offset that is not before `firstOffset`; what is read next stays the same. */
  async readAt(offset: number, into: Buffer, maxBytes = SPOOL_READ_BYTES): Promise<Buffer> {
    const length = Math.min(SPOOL_READ_BYTES, maxBytes);
    const bytesRead = await guarded(this.stream, () => this.file.read(into, length, offset - this.origin));
    return into.subarray(0, bytesRead);
  }

  close(): void {
    this.file.close();
  }
}

async function guarded<T>(stream: OutputStream, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (isMissing(cause)) throw deleted(stream);
    throw new RunFailure('spool_failed', `The ${stream} spool cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function deleted(stream: OutputStream): RunFailure {
  return new RunFailure('spool_failed', `The ${stream} spool was deleted`);
}
