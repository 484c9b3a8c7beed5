import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { OutputStream } from '../runs/domain/run-log.events';
import { giveBackChunkBuffers, takeChunkBuffer } from './chunk-buffers';
import type { WrittenBytes } from './run-log-writer';
import type { Mask } from './mask';
import { RunFailure } from './run-failure';
import type { RunFolder } from './run-folder';
import type { SpoolState } from './spool';
import { Spool, SPOOL_READ_BYTES } from './spool';
import type { StreamMasker } from './stream-masker';

/**
 * Takes in one stream of a run's output from its first byte on: hashes what the agent wrote, and hands it on masked.
 */
export class OutputIntake {
  private hash!: Hash;
  private masker!: StreamMasker;
  /** Of the next byte that comes out of the masker. */
  private maskedOffset = 0;
  /** What comes before is on the log already. */
  private wantedOffset = 0;
  /** Over what is on the log already, as far as it has been read again, and what that has to come to. */
  private known: { hash: Hash; sha256: string } | null = null;

  private constructor(
    private readonly spool: Spool,
    private readonly mask: Mask,
  ) {}

  /** @throws RunFailure `spool_failed`, as all methods do */
  static async open(folder: RunFolder, stream: OutputStream, mask: Mask): Promise<OutputIntake> {
    return new OutputIntake(await Spool.open(folder.spoolFile(stream), stream), mask);
  }

  /** How many bytes the agent has written, as far as they have been read. */
  get offset(): number {
    return this.spool.offset;
  }

  /** Of the first byte that can still be read again. */
  get firstOffset(): number {
    return this.spool.firstOffset;
  }

  /** Over what the agent wrote. */
  get written(): WrittenBytes {
    return { bytes: this.offset, sha256: this.hash.copy().digest('hex') };
  }

  look(): Promise<SpoolState> {
    return this.spool.look();
  }

  /**
   * Takes everything in again, since neither hash nor masker can begin in the middle, and goes on behind the recorded
   * bytes.
   *
   * @param recordedSha256 over what is recorded of the stream: another file in the spool's place is noticed by it; null
   *   where that cannot be compared
   */
  async restart(recordedBytes: number, recordedSha256: string | null): Promise<void> {
    await this.spool.rewind(recordedBytes);
    this.known = recordedSha256 === null ? null : { hash: createHash('sha256'), sha256: recordedSha256 };
    this.hash = createHash('sha256');
    this.masker = this.mask.stream();
    this.maskedOffset = 0;
    this.wantedOffset = recordedBytes;
    const buffer = takeChunkBuffer();
    while (this.spool.offset < recordedBytes) {
      const { readBytes } = await this.next(buffer, recordedBytes - this.spool.offset);
      if (readBytes === 0) throw new RunFailure('spool_failed', `The ${this.spool.stream} spool was emptied`);
    }
    giveBackChunkBuffers([buffer]);
  }

  /** Reads on; what may be the beginning of a secret is held back until more is known. What comes may lie in `into`. */
  async next(into: Buffer, maxBytes = SPOOL_READ_BYTES): Promise<{ masked: Buffer; readBytes: number }> {
    const read = await this.spool.read(into, maxBytes);
    this.hash.update(read);
    const masked = this.masker.push(read);
    const knownBytes = Math.max(0, this.wantedOffset - this.maskedOffset);
    this.maskedOffset += masked.length;
    if (knownBytes > 0) this.compareKnown(masked.subarray(0, knownBytes));
    return { masked: masked.subarray(knownBytes), readBytes: read.length };
  }

  private compareKnown(masked: Buffer): void {
    if (this.known === null) return;
    const { hash, sha256 } = this.known;
    hash.update(masked);
    if (this.maskedOffset < this.wantedOffset || hash.copy().digest('hex') === sha256) return;
    throw new RunFailure('spool_failed', `The ${this.spool.stream} spool does not hold what was recorded`);
  }

  /** Reads again, masked, from an offset to where reading has come. Each piece is good until the next one is asked for. */
  async *again(from: number): AsyncGenerator<Buffer> {
    const masker = this.mask.stream();
    // An occurrence that reaches into what is wanted begins at most this far before it.
    let at = Math.max(this.firstOffset, from - this.mask.contextBytes);
    let known = from - at;
    const wanted = (masked: Buffer) => {
      const bytes = masked.subarray(known);
      known = Math.max(0, known - masked.length);
      return bytes;
    };
    const buffer = takeChunkBuffer();
    while (at < this.offset) {
      const read = await this.spool.readAt(at, buffer, this.offset - at);
      if (read.length === 0)
        throw new RunFailure('spool_failed', `The ${this.spool.stream} spool was emptied`);
      at += read.length;
      const bytes = wanted(masker.push(read));
      if (bytes.length > 0) yield bytes;
    }
    giveBackChunkBuffers([buffer]);
    const rest = wanted(masker.flush());
    if (rest.length > 0) yield rest;
  }

  close(): void {
    this.spool.close();
  }
}
