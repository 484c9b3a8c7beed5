import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { LogSummary } from '../agents/domain/agent.events';
import type { EventLog } from '../event-log/event-log';
import { RevisionConflict } from '../event-log/event-log';
import type { UnsealedEvent } from '../event-log/seal';
import { sha256Hex } from '../kernel/canonical-json';
import type { Clock } from '../kernel/clock';
import type { StoredEvent } from '../kernel/event';
import { derivedUuid } from '../kernel/ids';
import { runLogStream } from '../kernel/streams';
import type { LogChunkHeader, LogFinalizedData, OutputStream } from '../runs/domain/run-log.events';
import { decodeLogChunk, encodeLogChunk, RUN_LOG_SCHEMA_VERSION } from '../runs/domain/run-log.events';
import type { RunWriterSource } from './run-event-writer';
import { StreamTail } from '../event-log/stream-tail';
import { untilAvailable } from '../event-log/until-available';

export interface LogChunk {
  stream: OutputStream;
  bytes: Uint8Array;
}

type Hashes = Record<OutputStream | 'combined', Hash>;
type Offsets = Record<OutputStream, number>;

/**
 * Appends a run's output to its log stream. The last event there is the only checkpoint: whoever opens the stream
 * goes on where the bytes on it end.
 */
export class RunLogWriter {
  private readonly stream: string;
  private tail!: StreamTail;
  private offsets: Offsets = { stdout: 0, stderr: 0 };
  private hashes: Hashes = newHashes();
  private finalized: LogSummary | null = null;

  private constructor(
    private readonly deps: { log: EventLog; clock: Clock },
    private readonly source: RunWriterSource,
    private readonly signal: AbortSignal,
  ) {
    this.stream = runLogStream(source.run.companyId, source.run.runId);
  }

  /** @param signal ends the waiting for a log that does not answer; whatever waits then rejects */
  static async open(
    deps: { log: EventLog; clock: Clock },
    source: RunWriterSource,
    signal: AbortSignal,
  ): Promise<RunLogWriter> {
    const writer = new RunLogWriter(deps, source, signal);
    await writer.resume();
    return writer;
  }

  /** How many bytes of each stream are on the log. */
  get recorded(): Readonly<Offsets> {
    return this.offsets;
  }

  get isFinalized(): boolean {
    return this.finalized !== null;
  }

  /**
   * Appends chunks (together at most 1 MiB with their headers) behind what is recorded. Answers false where somebody
   * else has written to the stream: then nothing is appended, and the caller reads its output again from `recorded`.
   */
  async append(chunks: readonly LogChunk[]): Promise<boolean> {
    const { events, offsets } = this.toEvents(chunks);
    if (!(await this.appendedAtTail(events))) return false;
    this.offsets = offsets;
    for (const { stream, bytes } of chunks) {
      this.hashes[stream].update(bytes);
      this.hashes.combined.update(bytes);
    }
    return true;
  }

  /** Says that nothing follows. Repeating it answers the same. */
  async finalize(): Promise<LogSummary> {
    while (!this.finalized) {
      const data = this.finalData();
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
    this.offsets = { stdout: 0, stderr: 0 };
    this.hashes = newHashes();
    if (last?.type === 'LogFinalized') {
      const data = JSON.parse(last.data as string) as LogFinalizedData;
      this.offsets = { stdout: data.logs.stdout.bytes, stderr: data.logs.stderr.bytes };
      this.finalized = this.summary(data, last.metadata.hash);
    } else if (last) {
      await untilAvailable(() => this.rehash(last), this.signal);
    }
  }

  /** The digests live in memory only; after a restart they are computed again over what is on the log. */
  private async rehash(last: StoredEvent): Promise<void> {
    this.hashes = newHashes();
    for await (const event of this.deps.log.read(this.stream, { limit: last.revision + 1 })) {
      if (event.type !== 'LogChunked') throw new Error(`unexpected ${event.type} in ${this.stream}`);
      const { header, bytes } = decodeLogChunk(event.data as Uint8Array);
      this.offsets[header.stream] = header.offset + header.length;
      this.hashes[header.stream].update(bytes);
      this.hashes.combined.update(bytes);
    }
  }

  // A log quota (`limits.logQuotaBytes`) belongs here: past it, a LogGap takes the place of chunks.
  private toEvents(chunks: readonly LogChunk[]): { events: UnsealedEvent[]; offsets: Offsets } {
    const offsets = { ...this.offsets };
    const events = chunks.map(({ stream, bytes }) => {
      const header: LogChunkHeader = {
        stream,
        offset: offsets[stream],
        length: bytes.length,
        otherOffset: offsets[stream === 'stdout' ? 'stderr' : 'stdout'],
        logOffset: offsets.stdout + offsets.stderr,
        enc: null,
      };
      offsets[stream] += bytes.length;
      const idParts = [stream, header.offset, header.length, sha256Hex(bytes)];
      return this.unsealed('LogChunked', encodeLogChunk(header, bytes), idParts);
    });
    return { events, offsets };
  }

  /**
   * The time is part of the id: an event that another life of this server wrote in the same place, at another time, is
   * another one, with another hash, and must be met as a conflict.
   */
  private unsealed(
    type: string,
    data: object | Uint8Array,
    idParts: readonly (string | number)[],
  ): UnsealedEvent {
    const { run, origin } = this.source;
    const at = this.deps.clock.now().toISOString();
    const id = derivedUuid(run.runId, type, ...idParts, at);
    const metadata = { ...origin, schemaVersion: RUN_LOG_SCHEMA_VERSION, at, companyId: run.companyId };
    return { id, type, data, metadata };
  }

  private finalData(): LogFinalizedData {
    const { stdout, stderr } = this.offsets;
    const { companyId, agentId, runId } = this.source.run;
    return {
      companyId,
      agentId,
      runId,
      logs: {
        stdout: { bytes: stdout, sha256: digest(this.hashes.stdout) },
        stderr: { bytes: stderr, sha256: digest(this.hashes.stderr) },
      },
      logBytes: stdout + stderr,
      logSha256: digest(this.hashes.combined),
    };
  }

  private summary({ logs, logBytes, logSha256 }: LogFinalizedData, chainHead: string): LogSummary {
    return { logs, logBytes, logSha256, chainHead };
  }
}

function newHashes(): Hashes {
  return { stdout: createHash('sha256'), stderr: createHash('sha256'), combined: createHash('sha256') };
}

/** The digest so far; the hash can go on. */
function digest(hash: Hash): string {
  return hash.copy().digest('hex');
}
