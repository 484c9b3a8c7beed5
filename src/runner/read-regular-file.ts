import { constants } from 'node:fs';
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
  const file = await openIfThere(path, options.refusesLinks ? constants.O_NOFOLLOW : 0);
  if (file === null || (await file.stat()).isFile()) return file;
  await file.close();
  throw new Error('not a regular file');
}

/** A whole file, or null where there is none. @throws also where it is larger than `maxBytes` */
export async function readRegularFile(
  path: string,
  maxBytes: number,
  options: OpenOptions = {},
): Promise<Buffer | null> {
  const file = await openRegularFile(path, options);
  if (file === null) return null;
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`${size} bytes long, more than the ${maxBytes} allowed`);
    const buffer = Buffer.alloc(size);
    const { bytesRead } = await file.read(buffer, 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string, moreFlags: number): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | moreFlags);
  } catch (error) {
    if (isMissing(error)) return null;
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw new Error('a symbolic link', { cause: error });
    throw error;
  }
}
