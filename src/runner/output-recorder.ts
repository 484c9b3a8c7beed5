import type { OutputStream } from '../runs/domain/run-log.events';
import type { LogChunk, LogSkip, RunLogWriter, WrittenOutput } from './run-log-writer';
import { giveBackChunkBuffers, takeChunkBuffer } from './chunk-buffers';
import { keptTails } from './log-quota';
import type { Mask } from './mask';
import { OutputIntake } from './output-intake';
import { pause } from '../kernel/pause';
import type { RunFolder } from './run-folder';
import { SPOOL_READ_BYTES } from './spool';

const STREAMS = ['stdout', 'stderr'] as const;
/** What goes into one append; the limit of the largest log is 1 MiB with everything around the bytes. */
const BATCH_BYTES = 768 * 1024;
/** Less than a chunk waits for more, but no longer than this. */
const GATHER_MS = 100;
const FASTEST_POLL_MS = 20;
const SLOWEST_POLL_MS = 100;

export interface RecorderOptions {
  mask: Mask;
  /** How much is recorded as it comes, both streams together. What follows is read, hashed and dropped. */
  quotaBytes: number;
  /** How much of the end is kept where there was more. */
  tailBytes: number;
  /** The agent has emptied the file that its output goes to. */
  onTruncated: (stream: OutputStream) => Promise<void>;
}

/**
 * Copies what a run writes to its spools onto its log stream: masked, and past the quota only its end. It holds one
 * batch at a time, so that its memory does not depend on how far the agent is ahead: the disk is the buffer.
 */
export class OutputRecorder {
  private lastBatchAtMs = 0;
  private writtenAtMs = 0;

  private constructor(
    private readonly intakes: Record<OutputStream, OutputIntake>,
    private readonly writer: RunLogWriter,
    private readonly options: RecorderOptions,
  ) {}

  /**
   * Goes on where the log ends.
   * @throws RunFailure `spool_failed`, as all methods do
   */
  static async open(
    folder: RunFolder,
    writer: RunLogWriter,
    options: RecorderOptions,
  ): Promise<OutputRecorder> {
    const stdout = await OutputIntake.open(folder, 'stdout', options.mask);
    const stderr = await OutputIntake.open(folder, 'stderr', options.mask).catch((error: unknown) => {
      stdout.close();
      throw error;
    });
    const recorder = new OutputRecorder({ stdout, stderr }, writer, options);
    try {
      await recorder.restart();
      await recorder.look();
      return recorder;
    } catch (error) {
      recorder.close();
      throw error;
    }
  }

  /** When the run wrote anything last, in milliseconds since the epoch. */
  get lastOutputAtMs(): number {
    return this.writtenAtMs;
  }

  /** What the agent wrote, as far as it has been read. */
  get written(): WrittenOutput {
    return { stdout: this.intakes.stdout.written, stderr: this.intakes.stderr.written };
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

  /** Takes in what is in the spools now, and not what something that could not be ended may still write. */
  async drain(): Promise<void> {
    for (let left = await this.look(); left > 0;) {
      const taken = await this.recordBatch();
      left = taken === 0 ? await this.look() : left - taken;
    }
  }

  /**
   * Takes in what is there, and records what is missing when nothing more is to come: bytes that might have become a
   * secret, and past the quota the end of each stream, behind a gap.
   */
  async finish(): Promise<void> {
    await this.drain();
    if (this.writer.isFinalized) return;
    for (let isDone = false; !isDone;) isDone = await this.recordRest();
  }

  close(): void {
    for (const stream of STREAMS) this.intakes[stream].close();
  }

  /** How many bytes wait to be read. */
  private async look(): Promise<number> {
    let waiting = 0;
    for (const stream of STREAMS) {
      const state = await this.intakes[stream].look();
      waiting += state.waiting;
      this.writtenAtMs = Math.max(this.writtenAtMs, state.writtenAtMs);
      if (state.wasTruncated) await this.options.onTruncated(stream);
    }
    return waiting;
  }

  /** Answers how many bytes were taken in; 0 where somebody else has written to the log, and it is all to be read again. */
  private async recordBatch(): Promise<number> {
    const { chunks, readBytes, buffers } = await this.readBatch();
    if (readBytes > 0) this.lastBatchAtMs = Date.now();
    const isRecorded = chunks.length === 0 || (await this.writer.append(chunks));
    giveBackChunkBuffers(buffers);
    if (isRecorded) return readBytes;
    await this.restart();
    return 0;
  }

  /** Takes a chunk from each stream in turn, so that neither waits for the other. */
  private async readBatch(): Promise<{ chunks: LogChunk[]; readBytes: number; buffers: Buffer[] }> {
    const chunks: LogChunk[] = [];
    const buffers: Buffer[] = [];
    let room = this.roomBytes;
    let readBytes = 0;
    for (
      let before = -1;
      readBytes !== before && readBytes + STREAMS.length * SPOOL_READ_BYTES <= BATCH_BYTES;
    ) {
      before = readBytes;
      for (const stream of STREAMS) {
        const buffer = takeChunkBuffer();
        const next = await this.intakes[stream].next(buffer);
        buffers.push(buffer);
        readBytes += next.readBytes;
        const bytes = next.masked.subarray(0, room);
        room -= bytes.length;
        if (bytes.length > 0) chunks.push({ stream, bytes });
      }
    }
    return { chunks, readBytes, buffers };
  }

  /** How much may still be recorded as it comes. */
  private get roomBytes(): number {
    return this.writer.isFinalized ? 0 : Math.max(0, this.options.quotaBytes - this.writer.recordedBytes);
  }

  /** Answers false where somebody else has written to the log: then it is to be looked at again. */
  private async recordRest(): Promise<boolean> {
    const gaps = this.gaps();
    if (gaps.length > 0 && !(await this.writer.append(gaps))) return false;
    for (const stream of STREAMS) {
      for await (const bytes of this.intakes[stream].again(this.writer.recorded[stream])) {
        if (!(await this.writer.append([{ stream, bytes }]))) return false;
      }
    }
    return true;
  }

  /** What cannot be kept. None where a server that is no more has recorded them already. */
  private gaps(): LogSkip[] {
    const { recorded } = this.writer;
    const left = (stream: OutputStream) => this.intakes[stream].offset - recorded[stream];
    const tails = keptTails(
      { stdout: left('stdout'), stderr: left('stderr') },
      this.roomBytes + this.options.tailBytes,
    );
    return STREAMS.map((stream) => {
      const { offset, firstOffset } = this.intakes[stream];
      return { stream, skipTo: Math.max(offset - tails[stream], firstOffset) };
    }).filter(({ stream, skipTo }) => skipTo > recorded[stream]);
  }

  private async restart(): Promise<void> {
    const { recorded, recordedSha256 } = this.writer;
    for (const stream of STREAMS) {
      await this.intakes[stream].restart(recorded[stream], recordedSha256?.[stream] ?? null);
    }
  }
}
