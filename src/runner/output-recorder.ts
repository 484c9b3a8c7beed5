import type { OutputStream } from '../runs/domain/run-log.events';
import type { LogChunk, RunLogWriter } from './run-log-writer';
import { pause } from './pause';
import type { RunFolder } from './run-folder';
import { Spool } from './spool';

const STREAMS = ['stdout', 'stderr'] as const;
const CHUNK_BYTES = 64 * 1024;
/** What goes into one append: a log may take no more than 1 MiB with everything around the bytes. */
const BATCH_BYTES = 11 * CHUNK_BYTES;
/** Less than a chunk waits for more, but no longer than this. */
const GATHER_MS = 100;
const FASTEST_POLL_MS = 20;
const SLOWEST_POLL_MS = 100;

/** How many bytes of each stream wait to be recorded. */
type Waiting = Record<OutputStream, number>;

/**
 * Copies what a run writes to its spools onto its log stream, byte for byte. It holds one batch at a time, so that its
 * memory does not depend on how far the agent is ahead: the disk is the buffer.
 */
export class OutputRecorder {
  private lastBatchAtMs = 0;
  private writtenAtMs = 0;
  /** Used again for every batch: as large as the largest one was. */
  private batch = Buffer.alloc(0);

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
      if (this.isDue(waiting.stdout + waiting.stderr)) {
        await this.recordBatch(waiting);
        pollMs = FASTEST_POLL_MS;
      } else {
        await pause(pollMs, stop);
        pollMs = Math.min(pollMs * 1.5, SLOWEST_POLL_MS);
      }
    }
  }

  /** Records what is in the spools now, and not what something that could not be ended may still write. */
  async drain(): Promise<void> {
    let left: number | undefined;
    do {
      const waiting = await this.look();
      left = Math.min(left ?? Infinity, waiting.stdout + waiting.stderr);
      left -= await this.recordBatch(waiting);
    } while (left > 0);
  }

  async close(): Promise<void> {
    await Promise.all(STREAMS.map((stream) => this.spools[stream].close()));
  }

  private isDue(waitingBytes: number): boolean {
    return waitingBytes >= CHUNK_BYTES || (waitingBytes > 0 && Date.now() - this.lastBatchAtMs >= GATHER_MS);
  }

  private async look(): Promise<Waiting> {
    const waiting = { stdout: 0, stderr: 0 };
    if (this.writer.isFinalized) return waiting;
    for (const stream of STREAMS) {
      const state = await this.spools[stream].look();
      waiting[stream] = state.waiting;
      this.writtenAtMs = Math.max(this.writtenAtMs, state.writtenAtMs);
      if (state.wasTruncated) await this.onTruncated(stream);
    }
    return waiting;
  }

  /** Answers how many bytes were recorded. */
  private async recordBatch(waiting: Waiting): Promise<number> {
    const { chunks, bytes } = await this.readBatch(sharesOf(waiting));
    if (bytes === 0) return 0;
    this.lastBatchAtMs = Date.now();
    if (await this.writer.append(chunks)) return bytes;
    await this.seekToRecorded();
    return 0;
  }

  private async readBatch(shares: Waiting): Promise<{ chunks: LogChunk[]; bytes: number }> {
    const wanted = shares.stdout + shares.stderr;
    if (this.batch.length < wanted) this.batch = Buffer.allocUnsafeSlow(wanted);
    const chunks: LogChunk[] = [];
    let bytes = 0;
    for (const stream of STREAMS) {
      const end =
        bytes + (await this.spools[stream].read(this.batch.subarray(bytes, bytes + shares[stream])));
      for (; bytes < end; bytes = Math.min(bytes + CHUNK_BYTES, end)) {
        chunks.push({ stream, bytes: this.batch.subarray(bytes, Math.min(bytes + CHUNK_BYTES, end)) });
      }
    }
    return { chunks, bytes };
  }

  private async seekToRecorded(): Promise<void> {
    for (const stream of STREAMS) await this.spools[stream].seek(this.writer.recorded[stream]);
  }
}

/** What of the waiting bytes goes into one batch: up to half for each stream, and what the other leaves over. */
function sharesOf({ stdout, stderr }: Waiting): Waiting {
  const half = BATCH_BYTES / 2;
  return {
    stdout: Math.min(stdout, Math.max(half, BATCH_BYTES - stderr)),
    stderr: Math.min(stderr, Math.max(half, BATCH_BYTES - stdout)),
  };
}
