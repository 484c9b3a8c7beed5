import type { EventLog } from '../event-log/event-log';
import type { Revision, StoredEvent } from '../kernel/event';
import { runLogStream } from '../kernel/streams';
import type { LogChunkHeader, LogFinalizedData, LogGapData, OutputStream } from './domain/run-log.events';
import { decodeLogChunk } from './domain/run-log.events';

/**
 * Which log: of one stream, or without `stream` the combined one, in the order in which it was recorded. Offsets in a
 * stream count what the agent wrote, gaps included; in the combined log they count what is recorded.
 */
export interface LogSource {
  companyId: string;
  runId: string;
  stream?: OutputStream;
}

export interface LogPage {
  bytes: Buffer;
  /** Of the first byte, in the log that was asked for: behind what was asked for where that is in a gap. */
  offset: number;
  nextOffset: number;
  /** How far the log goes, in the same count as the offsets. */
  totalBytes: number;
  /** A page ends where a gap begins; the next one begins behind it. */
  endsAtGap: boolean;
  /** The log is finalized and this page reaches its end. */
  eof: boolean;
  /** There should be something here, and it has aged out; or there is nothing at all. */
  isMissing: boolean;
}

/** Bytes of a log and where they stand; none at the end of a gap. */
interface LogPart {
  offset: number;
  bytes: Buffer;
}

/** So many chunks of the other stream are read over before the next one of the stream is looked up. */
const MAX_FOREIGN_CHUNKS = 8;

/** Reads a run's output back from its log stream. Seeking costs a binary search, however long the log is. */
export class RunLogReader {
  constructor(private readonly log: EventLog) {}

  /** A piece of a log, live or finalized; empty where there is none, or not yet. */
  async read(source: LogSource & { offset: number; limitBytes: number }): Promise<LogPage> {
    const end = await this.end(source);
    let offset = Math.min(Math.max(0, source.offset), end.totalBytes);
    let wanted = Math.max(0, source.limitBytes);
    let endsAtGap = false;
    const found: Buffer[] = [];
    for await (const part of this.parts(source, offset, end)) {
      if (found.length === 0) offset = part.offset;
      else if (part.bytes.length === 0) endsAtGap = true;
      if (endsAtGap || wanted === 0) break;
      if (part.bytes.length > 0) found.push(part.bytes.subarray(0, wanted));
      wanted -= Math.min(wanted, part.bytes.length);
    }
    const bytes = Buffer.concat(found);
    const nextOffset = offset + bytes.length;
    const eof = end.isFinalized && nextOffset === end.totalBytes;
    const isMissing =
      end.revision < 0 || (end.isFinalized && found.length === 0 && !endsAtGap && offset < end.totalBytes);
    return { bytes, offset, nextOffset, totalBytes: end.totalBytes, endsAtGap, eof, isMissing };
  }

  /** The raw bytes from an offset to what is recorded when this is called, in pieces of at most 64 KiB, gaps left out. */
  async *stream(source: LogSource, offset = 0): AsyncGenerator<Buffer> {
    for await (const { bytes } of this.parts(source, Math.max(0, offset), await this.end(source))) {
      if (bytes.length > 0) yield bytes;
    }
  }

  /** The last bytes of a log, at most `limitBytes`. */
  async excerpt(source: LogSource, limitBytes: number): Promise<Buffer> {
    const end = await this.end(source);
    const found: Buffer[] = [];
    for await (const { bytes } of this.parts(source, Math.max(0, end.totalBytes - limitBytes), end)) {
      found.push(bytes);
    }
    return Buffer.concat(found);
  }

  private async *parts(source: LogSource, offset: number, end: LogEnd): AsyncGenerator<LogPart> {
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
          next = part.offset + part.bytes.length;
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

  /** The last revision whose chunk or gap begins at or before `offset`, which is the one that holds its byte. */
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

  /** Where the wanted log stood before this revision; null where no output is there. */
  private async beginOf(
    stream: string,
    wanted: OutputStream | undefined,
    revision: Revision,
  ): Promise<number | null> {
    for await (const event of this.log.read(stream, { from: revision, limit: 1 })) {
      if (event.type !== 'LogFinalized') return beginsAt(placeOf(event), wanted);
    }
    return null;
  }
}

interface LogEnd {
  revision: Revision;
  totalBytes: number;
  isFinalized: boolean;
}

/** What a chunk or a gap says of where it stands. */
interface Place extends Pick<LogChunkHeader, 'stream' | 'offset' | 'otherOffset' | 'logOffset'> {
  /** How far its own stream goes on, and the combined log. */
  length: number;
  recordedLength: number;
}

function placeOf(event: StoredEvent): Place {
  if (event.type === 'LogGap') {
    const { from, to, ...gap } = JSON.parse(event.data as string) as LogGapData;
    return { ...gap, offset: from, length: to - from, recordedLength: 0 };
  }
  const { header } = decodeLogChunk(event.data as Uint8Array);
  return { ...header, recordedLength: header.length };
}

function extent(last: StoredEvent, wanted: OutputStream | undefined): Omit<LogEnd, 'revision'> {
  if (last.type === 'LogFinalized') {
    const { logs, recordedBytes } = JSON.parse(last.data as string) as LogFinalizedData;
    return { totalBytes: wanted ? logs[wanted].bytes : recordedBytes, isFinalized: true };
  }
  return { totalBytes: endsAt(placeOf(last), wanted), isFinalized: false };
}

function beginsAt(
  { stream, offset, otherOffset, logOffset }: Place,
  wanted: OutputStream | undefined,
): number {
  if (wanted === undefined) return logOffset;
  return wanted === stream ? offset : otherOffset;
}

function endsAt(place: Place, wanted: OutputStream | undefined): number {
  const begin = beginsAt(place, wanted);
  if (wanted === undefined) return begin + place.recordedLength;
  return wanted === place.stream ? begin + place.length : begin;
}

/** What an event holds of the wanted log from `next` on; null where that is nothing. */
function partFrom(event: StoredEvent, wanted: OutputStream | undefined, next: number): LogPart | null {
  if (event.type === 'LogFinalized') return null;
  const place = placeOf(event);
  const end = endsAt(place, wanted);
  if (end <= next || (wanted !== undefined && wanted !== place.stream)) return null;
  if (event.type === 'LogGap') return { offset: end, bytes: Buffer.alloc(0) };
  const { bytes } = decodeLogChunk(event.data as Uint8Array);
  // What stood before it may have aged out.
  const begin = Math.max(next, beginsAt(place, wanted));
  const skipped = begin - beginsAt(place, wanted);
  return {
    offset: begin,
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(skipped),
  };
}
