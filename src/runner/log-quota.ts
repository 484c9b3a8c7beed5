import type { OutputStream } from '../runs/domain/run-log.events';

/** Past the quota, so much of the end of a run's output is kept all the same, both streams together. */
export const KEPT_TAIL_BYTES = 4 * 1024 * 1024;

/**
 * How much of the end of each stream is kept where there is room for `roomBytes` only: half of it each, and what one
 * does not need goes to the other.
 */
export function keptTails(
  leftBytes: Readonly<Record<OutputStream, number>>,
  roomBytes: number,
): Record<OutputStream, number> {
  const half = Math.floor(roomBytes / 2);
  const stdout = Math.min(leftBytes.stdout, Math.max(half, roomBytes - leftBytes.stderr));
  return { stdout, stderr: Math.min(leftBytes.stderr, roomBytes - stdout) };
}
