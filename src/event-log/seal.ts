import { chainHash } from '../kernel/chain';
import type { EventMetadata, EventToAppend } from '../kernel/event';

/** What is to be written, before it has its link in the stream's hash chain. */
export interface UnsealedEvent {
  id: string;
  type: string;
  /** A JSON value, or raw bytes. */
  data: object | Uint8Array;
  metadata: Omit<EventMetadata, 'hash'>;
}

/** Serialises events and links them to the stream's last hash. The result is what is sent, and sent again. */
export function seal(events: readonly UnsealedEvent[], lastHash: string): EventToAppend[] {
  let previous = lastHash;
  return events.map(({ id, type, data: value, metadata }) => {
    const data = value instanceof Uint8Array ? value : JSON.stringify(value);
    previous = chainHash(previous, { type, id, at: metadata.at, data });
    return { id, type, data, metadata: { ...metadata, hash: previous } };
  });
}
