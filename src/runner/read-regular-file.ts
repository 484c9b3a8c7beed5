import type { Stats } from 'node:fs';
import { closeSync, constants, fstatSync, lstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { isMissing } from './run-failure';

export interface OpenOptions {
  /** By default a symbolic link is followed. */
  refusesLinks?: boolean;
}

const readFrom = promisify(read);

/** A file that stays open. To look at it takes microseconds, and is done in place; its bytes are read beside all else. */
export class RegularFile {
  private reads = 0;
  private isClosed = false;

  constructor(private readonly descriptor: number) {}

  stat(): Stats {
    return fstatSync(this.descriptor);
  }

  /** Fills the buffer from its beginning with at most `length` bytes. Answers how many there were. */
  async read(buffer: Buffer, length: number, position: number): Promise<number> {
    if (this.isClosed) throw new Error('the file is closed');
    this.reads += 1;
    try {
      return (await readFrom(this.descriptor, buffer, 0, length, position)).bytesRead;
    } finally {
      this.reads -= 1;
      if (this.isClosed) this.letGo();
    }
  }

  /** What is being read is read to its end: the number of the file could be that of another one by then. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.letGo();
  }

  private letGo(): void {
    if (this.reads === 0) closeSync(this.descriptor);
  }
}

/**
 * Opens a file that an agent may have put anything in the place of: a pipe there must not hold the server up.
 * Null where there is none.
 * @throws where it is no regular file or cannot be read
 */
export function openRegularFile(path: string, options: OpenOptions = {}): RegularFile | null {
  if (!isListed(path)) return null;
  let descriptor: number;
  try {
    descriptor = openSync(path, flagsOf(options));
  } catch (error) {
    if (isMissing(error)) return null;
    throw explained(error);
  }
  const file = new RegularFile(descriptor);
  if (file.stat().isFile()) return file;
  file.close();
  throw new Error('not a regular file');
}

/**
 * A whole file, or null where there is none. Synchronous, as all that is done to the small files of a run: a call takes
 * microseconds, and to hand it to another thread takes ten times that.
 *
 * @throws also where it is larger than `maxBytes`
 */
export function readRegularFile(path: string, maxBytes: number, options: OpenOptions = {}): Buffer | null {
  if (!isListed(path)) return null;
  let file: number | null = null;
  try {
    file = openSync(path, flagsOf(options));
    const found = fstatSync(file);
    if (!found.isFile()) throw new Error('not a regular file');
    if (found.size > maxBytes) throw new Error(`${found.size} bytes long, more than the ${maxBytes} allowed`);
    const buffer = Buffer.alloc(found.size);
    return buffer.subarray(0, readSync(file, buffer, 0, found.size, 0));
  } catch (error) {
    if (isMissing(error)) return null;
    throw explained(error);
  } finally {
    if (file !== null) closeSync(file);
  }
}

/**
 * Whether there is anything of that name. Most that is looked for is not there yet, and an exception costs more than the
 * look.
 */
export function isListed(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function flagsOf({ refusesLinks = false }: OpenOptions): number {
  return constants.O_RDONLY | constants.O_NONBLOCK | (refusesLinks ? constants.O_NOFOLLOW : 0);
}

function explained(error: unknown): unknown {
  const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
  return isLink ? new Error('a symbolic link', { cause: error }) : error;
}
