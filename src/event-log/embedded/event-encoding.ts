import type { EventMetadata, EventToAppend, Revision, StoredEvent } from '../../kernel/event';
import { categoryOf } from '../../kernel/streams';
import type { AppendRequest, EncodedEvent, EventRow, WriteRequest } from './store-messages';

/**
 * An append as the store takes it. Whatever is wrong with an event is found here, where it concerns its own append
 * only: inside the store it would fail the whole group.
 *
 * @throws Error on a mistake of the caller
 */
export function encodeAppend(
  stream: string,
  events: readonly EventToAppend[],
  expected: Revision,
): AppendRequest {
  if (events.length === 0) throw new Error(`an append to ${stream} without events`);
  return { stream, category: categoryOf(stream), expected, events: events.map(encodeEvent) };
}

/** Metadata that somebody has made unreadable fails who looks at it, not who passes over it. */
export function decodeRow(row: EventRow): StoredEvent {
  const { id, type, data, stream, revision, position } = row;
  const metadata = parsedMetadata(row.metadata);
  const event = { id, type, data, metadata, stream, revision, position: BigInt(position) } as StoredEvent;
  if (metadata === undefined) {
    Object.defineProperty(event, 'metadata', {
      enumerable: true,
      get: () => JSON.parse(row.metadata) as never,
    });
  }
  const misfiled = misfilingOf(row);
  if (misfiled !== undefined) event.misfiled = misfiled;
  return event;
}

function parsedMetadata(text: string): EventMetadata | undefined {
  try {
    return JSON.parse(text) as EventMetadata;
  } catch {
    return undefined;
  }
}

/** Neither column is under the event's hash, and both decide who gets to see it: they only repeat what is. */
function misfilingOf({ stream, metadata, category, atMs }: EventRow): string | undefined {
  if (category === undefined || atMs === undefined) return undefined;
  // Whatever somebody has made of the name, to read it must not fail.
  if (category !== stream.slice(0, stream.indexOf('-'))) return `it is filed under the category ${category}`;
  return isTimeOf(metadata, atMs) ? undefined : `it is filed under the time ${atMs}`;
}

/** Nearly always a look at the text says so. Metadata that cannot be parsed have no time to be compared with. */
function isTimeOf(metadata: string, atMs: number): boolean {
  const time = new Date(atMs);
  if (!Number.isNaN(time.getTime()) && metadata.includes(`"at":"${time.toISOString()}"`)) return true;
  try {
    return Date.parse((JSON.parse(metadata) as EventMetadata).at) === atMs;
  } catch {
    return true;
  }
}

/** About how much memory a request takes. */
export function bytesOf(request: WriteRequest): number {
  if (!('events' in request)) return 0;
  return request.events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
}

/** What of a request can be handed over to another thread instead of being copied. */
export function chunkBuffers(request: WriteRequest): ArrayBuffer[] {
  if (!('events' in request)) return [];
  return request.events.flatMap(({ data }) => (typeof data === 'string' ? [] : [data.buffer as ArrayBuffer]));
}

function encodeEvent({ id, type, data, metadata }: EventToAppend): EncodedEvent {
  const atMs = Date.parse(metadata.at);
  if (Number.isNaN(atMs)) throw new Error(`event ${id} (${type}) has no valid time: ${metadata.at}`);
  // JSON text never holds a NUL, and SQLite would silently cut the text off there.
  if (typeof data === 'string' && data.includes('\0')) throw new Error(`event ${id} (${type}) is not JSON`);
  // A copy of the bytes, because they are handed over to the thread that writes, and may have to be sent again.
  const owned = typeof data === 'string' ? data : new Uint8Array(data);
  return { id, type, atMs, metadata: JSON.stringify(metadata), data: owned };
}
