import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder';

/** Whether this machine lets a test have a disk of its own. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mounts();

/** A disk in memory, in a folder that is made where it is missing. Unmount it when nobody uses it any more. */
export function mountSmallDisk(folder: string, megabytes: number): { unmount: () => void } {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  // Lazily: garbage that was not collected yet may hold a file of it open.
  return { unmount: () => void execFileSync('umount', ['--lazy', folder]) };
}

/** Takes all that is free, by a file whose path it answers. */
export function fillDisk(folder: string): string {
  const path = join(folder, 'ballast');
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(path, Buffer.alloc(bavail * bsize));
  return path;
}

/** A container's root may not. */
function mounts(): boolean {
  try {
    mountSmallDisk(temporaryFolder('probe-'), 1).unmount();
    return true;
  } catch {
    return false;
  }
}
