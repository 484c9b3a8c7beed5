import type { EventMetadata, EventToAppend, Revision, StoredEvent } from '../../kernel/event';
import { categoryOf } from '../../kernel/streams';
import type { AppendRequest, EncodedEvent, EventRow } from './store-messages';

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

export function decodeRow({ id, type, data, metadata, stream, revision, position }: EventRow): StoredEvent {
  return {
    id,
    type,
    data,
    metadata: JSON.parse(metadata) as EventMetadata,
    stream,
    revision,
    position: BigInt(position),
  };
}

function encodeEvent({ id, type, data, metadata }: EventToAppend): EncodedEvent {
  const atMs = Date.parse(metadata.at);
  if (Number.isNaN(atMs)) throw new Error(`event ${id} (${type}) has no valid time: ${metadata.at}`);
  // JSON text never holds a NUL, and SQLite would silently cut the text off there.
  if (typeof data === 'string' && data.includes('\0')) throw new Error(`event ${id} (${type}) is not JSON`);
  return { id, type, atMs, metadata: JSON.stringify(metadata), data };
}
