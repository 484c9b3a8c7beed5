import type { EventLog } from '../event-log/event-log';
import type { Revision, StoredEvent } from '../kernel/event';
import { runLogStream } from '../kernel/streams';
import type { LogChunkHeader, LogFinalizedData, OutputStream } from './domain/run-log.events';
import { decodeLogChunk } from './domain/run-log.events';

/** Which log: of one stream, or without `stream` the combined one, in the order in which it was recorded. */
export interface LogSource {
  companyId: string;
  runId: string;
  stream?: OutputStream;
}

export interface LogPage {
  bytes: Buffer;
  /** In bytes, in the log that was asked for. */
  offset: number;
  nextOffset: number;
  /** What is recorded so far. */
  totalBytes: number;
  /** The log is finalized and this page reaches its end. */
  eof: boolean;
}

/** So many chunks of the other stream are read over before the next one of the stream is looked up. */
const MAX_FOREIGN_CHUNKS = 8;

/** Reads a run's output back from its log stream. Seeking costs a binary search, however long the log is. */
export class RunLogReader {
  constructor(private readonly log: EventLog) {}

  /** A piece of a log, live or finalized; empty where there is none, or not yet. */
  async read(source: LogSource & { offset: number; limitBytes: number }): Promise<LogPage> {
    const end = await this.end(source);
    const offset = Math.min(Math.max(0, source.offset), end.totalBytes);
    const parts: Buffer[] = [];
    let wanted = Math.max(0, source.limitBytes);
    for await (const part of this.parts(source, offset, end)) {
      parts.push(part.subarray(0, wanted));
      wanted -= Math.min(wanted, part.length);
      if (wanted === 0) break;
    }
    const bytes = Buffer.concat(parts);
    const nextOffset = offset + bytes.length;
    return {
      bytes,
      offset,
      nextOffset,
      totalBytes: end.totalBytes,
      eof: end.isFinalized && nextOffset === end.totalBytes,
    };
  }

  /** The raw bytes from an offset to what is recorded when this is called, in pieces of at most 64 KiB. */
  async *stream(source: LogSource, offset = 0): AsyncGenerator<Buffer> {
    yield* this.parts(source, Math.max(0, offset), await this.end(source));
  }

  /** The last bytes of a log, at most `limitBytes`. */
  async excerpt(source: LogSource, limitBytes: number): Promise<Buffer> {
    const end = await this.end(source);
    const parts: Buffer[] = [];
    for await (const part of this.parts(source, Math.max(0, end.totalBytes - limitBytes), end))
      parts.push(part);
    return Buffer.concat(parts);
  }

  private async *parts(source: LogSource, offset: number, end: LogEnd): AsyncGenerator<Buffer> {
    const stream = runLogStream(source.companyId, source.runId);
    let next = offset;
    let from: Revision = 0;
    let lost = next < end.totalBytes;
    while (lost) {
      lost = false;
      from = await this.revisionOf(stream, source.stream, next, from, end.revision);
      let foreign = 0;
      for await (const event of this.log.read(stream, { from, limit: end.revision - from + 1 })) {
        const part = partFrom(event, source.stream, next);
        if (part) {
          next += part.length;
          foreign = 0;
          yield part;
          continue;
        }
        from = event.revision;
        lost = next < end.totalBytes && ++foreign > MAX_FOREIGN_CHUNKS;
        if (lost) break;
      }
    }
  }

  private async end({ companyId, runId, stream }: LogSource): Promise<LogEnd> {
    const options = { direction: 'backwards', limit: 1 } as const;
    for await (const last of this.log.read(runLogStream(companyId, runId), options)) {
      return { revision: last.revision, ...extent(last, stream) };
    }
    return { revision: -1, totalBytes: 0, isFinalized: false };
  }

  /** The last revision whose chunk begins at or before `offset`, which is the one that holds its byte. */
  private async revisionOf(
    stream: string,
    wanted: OutputStream | undefined,
    offset: number,
    lowest: Revision,
    highest: Revision,
  ): Promise<Revision> {
    let [low, high] = [lowest, highest];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const begins = await this.beginOf(stream, wanted, middle);
      if (begins !== null && begins <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the wanted log stood before this revision; null where no chunk is there. */
  private async beginOf(
    stream: string,
    wanted: OutputStream | undefined,
    revision: Revision,
  ): Promise<number | null> {
    for await (const event of this.log.read(stream, { from: revision, limit: 1 })) {
      if (event.type === 'LogChunked')
        return beginsAt(decodeLogChunk(event.data as Uint8Array).header, wanted);
    }
    return null;
  }
}

interface LogEnd {
  revision: Revision;
  totalBytes: number;
  isFinalized: boolean;
}

function extent(last: StoredEvent, wanted: OutputStream | undefined): Omit<LogEnd, 'revision'> {
  if (last.type === 'LogFinalized') {
    const { logs, logBytes } = JSON.parse(last.data as string) as LogFinalizedData;
    return { totalBytes: wanted ? logs[wanted].bytes : logBytes, isFinalized: true };
  }
  const { header } = decodeLogChunk(last.data as Uint8Array);
  const grown = wanted === undefined || wanted === header.stream ? header.length : 0;
  return { totalBytes: beginsAt(header, wanted) + grown, isFinalized: false };
}

function beginsAt(header: LogChunkHeader, wanted: OutputStream | undefined): number {
  if (wanted === undefined) return header.logOffset;
  return wanted === header.stream ? header.offset : header.otherOffset;
}

/** The bytes of an event from `next` on; null where it holds none of them. */
function partFrom(event: StoredEvent, wanted: OutputStream | undefined, next: number): Buffer | null {
  if (event.type !== 'LogChunked') return null;
  const { header, bytes } = decodeLogChunk(event.data as Uint8Array);
  if (wanted !== undefined && wanted !== header.stream) return null;
  const skipped = next - beginsAt(header, wanted);
  return skipped >= bytes.length
    ? null
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(skipped);
}
