import { SPOOL_READ_BYTES } from './spool';

/** A chunk of output with what is written before it. */
const BUFFER_BYTES = SPOOL_READ_BYTES + 1024;
/** Of all runs together: 3 MiB, two batches of output. */
const MAX_KEPT = 48;

const kept: Buffer[] = [];

/**
 * Large buffers of which a flood of output takes thousands, each for a moment. They are used again, because V8 collects
 * what lies outside of its heap only when there are some 60 MB of it.
 */
export function takeChunkBuffer(): Buffer {
  return kept.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
}

/** Once nobody looks at them any more. */
export function giveBackChunkBuffers(buffers: readonly Buffer[]): void {
  kept.push(...buffers.slice(0, Math.max(0, MAX_KEPT - kept.length)));
}

/** The buffers of one append: large ones are given back when it is over. */
export class ChunkAllocations {
  private readonly taken: Buffer[] = [];

  readonly allocate = (size: number): Buffer => {
    if (size < SPOOL_READ_BYTES / 4 || size > BUFFER_BYTES) return Buffer.allocUnsafe(size);
    const buffer = takeChunkBuffer();
    this.taken.push(buffer);
    return buffer.subarray(0, size);
  };

  giveBack(): void {
    giveBackChunkBuffers(this.taken);
  }
}
