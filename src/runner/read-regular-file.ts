import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { isMissing } from './run-failure';

export interface OpenOptions {
  /** By default a symbolic link is followed. */
  refusesLinks?: boolean;
}

/**
 * Opens a file that an agent may have put anything in the place of: a pipe there must not hold the server up.
 * Null where there is none.
 * @throws where it is no regular file or cannot be read
 */
export async function openRegularFile(path: string, options: OpenOptions = {}): Promise<FileHandle | null> {
  if (!isListed(path)) return null;
  const file = await unlessMissing(() => open(path, flagsOf(options)));
  if (file === null || fstatSync(file.fd).isFile()) return file;
  await file.close();
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

async function unlessMissing(opening: () => Promise<FileHandle>): Promise<FileHandle | null> {
  try {
    return await opening();
  } catch (error) {
    if (isMissing(error)) return null;
    throw explained(error);
  }
}

function explained(error: unknown): unknown {
  const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
  return isLink ? new Error('a symbolic link', { cause: error }) : error;
}
