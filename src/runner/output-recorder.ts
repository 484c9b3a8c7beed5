import type { OutputStream } from '../runs/domain/run-log.events';
import type { LogChunk, RunLogWriter } from '../runs/run-log-writer';
import { pause } from './pause';
import type { RunFolder } from './run-folder';
import { Spool, SPOOL_READ_BYTES } from './spool';

const STREAMS = ['stdout', 'stderr'] as const;
/** What goes into one append; the limit of the largest log is 1 MiB with everything around the bytes. */
const BATCH_BYTES = 768 * 1024;
/** Less than a chunk waits for more, but no longer than this. */
const GATHER_MS = 100;
const FASTEST_POLL_MS = 20;
const SLOWEST_POLL_MS = 100;

/**
 * Copies what a run writes to its spools onto its log stream, byte for byte. It holds one batch at a time, so that its
 * memory does not depend on how far the agent is ahead: the disk is the buffer.
 */
export class OutputRecorder {
  private lastBatchAtMs = 0;
  private writtenAtMs = 0;

  private constructor(
    private readonly spools: Record<OutputStream, Spool>,
    private readonly writer: RunLogWriter,
    private readonly onTruncated: (stream: OutputStream) => Promise<void>,
  ) {}

  /**
   * Goes on where the log ends.
   * @throws RunFailure `spool_failed`, as all methods do
   */
  static async open(
    folder: RunFolder,
    writer: RunLogWriter,
    onTruncated: (stream: OutputStream) => Promise<void>,
  ): Promise<OutputRecorder> {
    const stdout = await Spool.open(folder.spoolFile('stdout'), 'stdout');
    const stderr = await Spool.open(folder.spoolFile('stderr'), 'stderr').catch(async (error: unknown) => {
      await stdout.close();
      throw error;
    });
    const recorder = new OutputRecorder({ stdout, stderr }, writer, onTruncated);
    try {
      await recorder.seekToRecorded();
      await recorder.look();
      return recorder;
    } catch (error) {
      await recorder.close();
      throw error;
    }
  }

  /** When the run wrote anything last, in milliseconds since the epoch. */
  get lastOutputAtMs(): number {
    return this.writtenAtMs;
  }

  /** Records output as it comes, until `stop` aborts. What was read is recorded then. */
  async follow(stop: AbortSignal): Promise<void> {
    let pollMs = FASTEST_POLL_MS;
    while (!stop.aborted) {
      const waiting = await this.look();
      if (waiting >= SPOOL_READ_BYTES || (waiting > 0 && Date.now() - this.lastBatchAtMs >= GATHER_MS)) {
        await this.recordBatch();
        pollMs = FASTEST_POLL_MS;
      } else {
        await pause(pollMs, stop);
        pollMs = Math.min(pollMs * 1.5, SLOWEST_POLL_MS);
      }
    }
  }

  /** Records what is in the spools now, and not what something that could not be ended may still write. */
  async drain(): Promise<void> {
    for (let left = await this.look(); left > 0;) {
      const recorded = await this.recordBatch();
      left = recorded === 0 ? await this.look() : left - recorded;
    }
  }

  async close(): Promise<void> {
    await Promise.all(STREAMS.map((stream) => this.spools[stream].close()));
  }

  /** How many bytes wait to be recorded. */
  private async look(): Promise<number> {
    let waiting = 0;
    for (const stream of STREAMS) {
      const state = await this.spools[stream].look();
      waiting += state.waiting;
      this.writtenAtMs = Math.max(this.writtenAtMs, state.writtenAtMs);
      if (state.wasTruncated) await this.onTruncated(stream);
    }
    return waiting;
  }

  /** Answers how many bytes were recorded. */
  private async recordBatch(): Promise<number> {
    const { chunks, bytes } = await this.readBatch();
    if (bytes === 0) return 0;
    this.lastBatchAtMs = Date.now();
    if (await this.writer.append(chunks)) return bytes;
    await this.seekToRecorded();
    return 0;
  }

  /** Takes a chunk from each stream in turn, so that neither waits for the other. */
  private async readBatch(): Promise<{ chunks: LogChunk[]; bytes: number }> {
    const chunks: LogChunk[] = [];
    let bytes = 0;
    for (let before = -1; bytes !== before && bytes + STREAMS.length * SPOOL_READ_BYTES <= BATCH_BYTES;) {
      before = bytes;
      for (const stream of STREAMS) {
        const read = await this.spools[stream].read();
        if (read.length > 0) chunks.push({ stream, bytes: read });
        bytes += read.length;
      }
    }
    return { chunks, bytes };
  }

  private async seekToRecorded(): Promise<void> {
    for (const stream of STREAMS) await this.spools[stream].seek(this.writer.recorded[stream]);
  }
}
