import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { LogSummary, StreamDigest } from '../agents/domain/agent.events';
import type { EventLog } from '../event-log/event-log';
import { RevisionConflict } from '../event-log/event-log';
import type { UnsealedEvent } from '../event-log/seal';
import { sha256Hex } from '../kernel/canonical-json';
import type { Clock } from '../kernel/clock';
import type { StoredEvent } from '../kernel/event';
import { derivedUuid } from '../kernel/ids';
import { runLogStream } from '../kernel/streams';
import type {
  LogChunkHeader,
  LogFinalizedData,
  LogGapData,
  OutputStream,
} from '../runs/domain/run-log.events';
import { decodeLogChunk, encodeLogChunk, runLogEventShapes } from '../runs/domain/run-log.events';
import { ChunkAllocations } from './chunk-buffers';
import type { RunWriterSource } from './run-event-writer';
import { StreamTail } from '../event-log/stream-tail';
import { untilAvailable } from '../event-log/until-available';

export interface LogChunk {
  stream: OutputStream;
  bytes: Uint8Array;
}

/** Takes the place of the bytes of a stream up to an offset, which are not recorded. */
export interface LogSkip {
  stream: OutputStream;
  skipTo: number;
}

/** How much the agent wrote to a stream, and the SHA-256 (hex) over it. */
export type WrittenBytes = Pick<StreamDigest, 'bytes' | 'sha256'>;
export type WrittenOutput = Record<OutputStream, WrittenBytes>;

/** Over what is recorded. */
type Hashes = Record<OutputStream | 'combined', Hash>;

/** Where the log stands. */
interface Extent {
  /** Of each stream, in bytes that the agent wrote: gaps count. */
  offsets: Record<OutputStream, number>;
  /** Of both together, in bytes that are recorded. */
  recordedBytes: number;
}

const NOTHING_RECORDED: Extent = { offsets: { stdout: 0, stderr: 0 }, recordedBytes: 0 };

/**
 * Appends a run's output to its log stream. The last event there is the only checkpoint: whoever opens the stream
 * goes on where the bytes on it end.
 */
export class RunLogWriter {
  private readonly stream: string;
  private tail!: StreamTail;
  private extent = NOTHING_RECORDED;
  private hashes: Hashes = newHashes();
  private finalized: LogSummary | null = null;

  private constructor(
    private readonly deps: { log: EventLog; clock: Clock },
    private readonly source: RunWriterSource,
    private readonly signal: AbortSignal,
  ) {
    this.stream = runLogStream(source.run.companyId, source.run.runId);
  }

  /**
   * Of a run that was claimed just now: its stream is not looked for. Whoever has written to it all the same is met as
   * a conflict.
   *
   * @param signal ends the waiting for a log that does not answer; whatever waits then rejects
   */
  static ofNew(
    deps: { log: EventLog; clock: Clock },
    source: RunWriterSource,
    signal: AbortSignal,
  ): RunLogWriter {
    const writer = new RunLogWriter(deps, source, signal);
    writer.tail = StreamTail.ofNew(deps.log, writer.stream, signal);
    return writer;
  }

  /** Of any run. @param signal see `ofNew` */
  static async open(
    deps: { log: EventLog; clock: Clock },
    source: RunWriterSource,
    signal: AbortSignal,
  ): Promise<RunLogWriter> {
    const writer = new RunLogWriter(deps, source, signal);
    await writer.resume();
    return writer;
  }

  /** How far each stream is on the log, in bytes that the agent wrote. */
  get recorded(): Readonly<Record<OutputStream, number>> {
    return this.extent.offsets;
  }

  /** How many bytes are on the log, of both streams together. */
  get recordedBytes(): number {
    return this.extent.recordedBytes;
  }

  /** Over the recorded bytes of each stream; null where some were left out, or the log is closed. */
  get recordedSha256(): Readonly<Record<OutputStream, string>> | null {
    const { offsets, recordedBytes } = this.extent;
    if (this.isFinalized || offsets.stdout + offsets.stderr !== recordedBytes) return null;
    return { stdout: digest(this.hashes.stdout), stderr: digest(this.hashes.stderr) };
  }

  get isFinalized(): boolean {
    return this.finalized !== null;
  }

  /**
   * Appends entries (together at most 1 MiB with their headers) behind what is recorded. Answers false where somebody
   * else has written to the stream: then nothing is appended, and the caller reads its output again from `recorded`.
   */
  async append(entries: readonly (LogChunk | LogSkip)[]): Promise<boolean> {
    // Only what could not be ended still writes by then, and the log has been closed without it.
    if (this.isFinalized) return true;
    const buffers = new ChunkAllocations();
    const { events, extent } = this.toEvents(entries, buffers);
    const isAppended = await this.appendedAtTail(events);
    buffers.giveBack();
    if (!isAppended) return false;
    this.extent = extent;
    for (const entry of entries) if ('bytes' in entry) this.updateHashes(entry);
    return true;
  }

  /**
   * Says that nothing follows. Repeating it answers the same.
   *
   * @param written what the agent wrote; null where that cannot be known beyond what is recorded
   */
  async finalize(written: WrittenOutput | null): Promise<LogSummary> {
    while (!this.finalized) {
      const data = this.finalData(written);
      const event = this.unsealed('LogFinalized', data, [this.tail.revision]);
      if (await this.appendedAtTail([event])) this.finalized = this.summary(data, this.tail.hash);
    }
    return this.finalized;
  }

  private async appendedAtTail(events: readonly UnsealedEvent[]): Promise<boolean> {
    try {
      await this.tail.append(events);
      return true;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      await this.resume();
      return false;
    }
  }

  private async resume(): Promise<void> {
    const { tail, last } = await StreamTail.find(this.deps.log, this.stream, this.signal);
    this.tail = tail;
    this.extent = NOTHING_RECORDED;
    this.hashes = newHashes();
    if (last?.type === 'LogFinalized') {
      const data = JSON.parse(last.data as string) as LogFinalizedData;
      const { stdout, stderr } = data.logs;
      this.extent = {
        offsets: { stdout: stdout.bytes, stderr: stderr.bytes },
        recordedBytes: data.recordedBytes,
      };
      this.finalized = this.summary(data, last.metadata.hash);
    } else if (last) {
      await untilAvailable(() => this.rehash(last), this.signal);
    }
  }

  /** The digests live in memory only; after a restart they are computed again over what is on the log. */
  private async rehash(last: StoredEvent): Promise<void> {
    this.hashes = newHashes();
    for await (const event of this.deps.log.read(this.stream, { limit: last.revision + 1 })) {
      if (event.type === 'LogGap') {
        this.extent = afterGap(JSON.parse(event.data as string) as LogGapData);
      } else if (event.type === 'LogChunked') {
        const { header, bytes } = decodeLogChunk(event.data as Uint8Array);
        this.extent = afterChunk(header);
        this.updateHashes({ stream: header.stream, bytes });
      } else throw new Error(`unexpected ${event.type} in ${this.stream}`);
    }
  }

  private updateHashes({ stream, bytes }: LogChunk): void {
    this.hashes[stream].update(bytes);
    this.hashes.combined.update(bytes);
  }

  private toEvents(
    entries: readonly (LogChunk | LogSkip)[],
    buffers: ChunkAllocations,
  ): { events: UnsealedEvent[]; extent: Extent } {
    const { agentId, runId } = this.source.run;
    let { extent } = this;
    const events = entries.map((entry) => {
      const place = {
        agentId,
        runId,
        otherOffset: extent.offsets[otherOf(entry.stream)],
        logOffset: extent.recordedBytes,
      };
      const from = extent.offsets[entry.stream];
      if ('bytes' in entry) {
        const { stream, bytes } = entry;
        const header = { stream, offset: from, length: bytes.length, ...place, enc: null };
        extent = afterChunk(header);
        return this.chunkEvent(header, bytes, buffers);
      }
      const gap = { stream: entry.stream, from, to: entry.skipTo, ...place };
      extent = afterGap(gap);
      return this.gapEvent(gap);
    });
    return { events, extent };
  }

  private chunkEvent(header: LogChunkHeader, bytes: Uint8Array, buffers: ChunkAllocations): UnsealedEvent {
    const { stream, offset, length } = header;
    return this.unsealed('LogChunked', encodeLogChunk(header, bytes, buffers.allocate), [
      stream,
      offset,
      length,
      sha256Hex(bytes),
    ]);
  }

  private gapEvent(gap: LogGapData): UnsealedEvent {
    return this.unsealed('LogGap', gap, [gap.stream, gap.from, gap.to]);
  }

  /**
   * The time is part of the id: an event that another life of this server wrote in the same place, at another time, is
   * another one, with another hash, and must be met as a conflict.
   */
  private unsealed(
    type: keyof typeof runLogEventShapes,
    data: object | Uint8Array,
    idParts: readonly (string | number)[],
  ): UnsealedEvent {
    const { run, origin } = this.source;
    const at = this.deps.clock.now().toISOString();
    const id = derivedUuid(run.runId, type, ...idParts, at);
    const metadata = {
      ...origin,
      schemaVersion: runLogEventShapes[type].version,
      at,
      companyId: run.companyId,
    };
    return { id, type, data, metadata };
  }

  private finalData(written: WrittenOutput | null): LogFinalizedData {
    const { companyId, agentId, runId } = this.source.run;
    const logs = { stdout: this.digestOf('stdout', written), stderr: this.digestOf('stderr', written) };
    return {
      companyId,
      agentId,
      runId,
      logs,
      logBytes: logs.stdout.bytes + logs.stderr.bytes,
      recordedBytes: this.extent.recordedBytes,
      logSha256: digest(this.hashes.combined),
      previousHash: this.tail.hash,
    };
  }

  private digestOf(stream: OutputStream, written: WrittenOutput | null): StreamDigest {
    const stored = digest(this.hashes[stream]);
    const { bytes, sha256 } = written?.[stream] ?? { bytes: this.extent.offsets[stream], sha256: stored };
    return { bytes, sha256, storedSha256: stored === sha256 ? null : stored };
  }

  private summary({ logs, logBytes, logSha256 }: LogFinalizedData, chainHead: string): LogSummary {
    return { logs, logBytes, logSha256, chainHead };
  }
}

function otherOf(stream: OutputStream): OutputStream {
  return stream === 'stdout' ? 'stderr' : 'stdout';
}

function afterChunk({ stream, offset, length, otherOffset, logOffset }: LogChunkHeader): Extent {
  return extentOf(stream, offset + length, otherOffset, logOffset + length);
}

function afterGap({ stream, to, otherOffset, logOffset }: LogGapData): Extent {
  return extentOf(stream, to, otherOffset, logOffset);
}

function extentOf(stream: OutputStream, own: number, other: number, recordedBytes: number): Extent {
  const offsets = stream === 'stdout' ? { stdout: own, stderr: other } : { stdout: other, stderr: own };
  return { offsets, recordedBytes };
}

function newHashes(): Hashes {
  return { stdout: createHash('sha256'), stderr: createHash('sha256'), combined: createHash('sha256') };
}

/** The digest so far; the hash can go on. */
function digest(hash: Hash): string {
  return hash.copy().digest('hex');
}
