import { createHash } from 'node:crypto';
import { sha256Hex } from './canonical-json';
import type { EventToAppend } from './event';

/** The hash before a stream's first event. */
export const CHAIN_START = '0'.repeat(64);

/**
 * One link of a stream's hash chain: SHA-256 over the previous hash, type, id and `at` (a JSON array, so that no two
 * tuples read the same), a line feed, and the bytes of the data exactly as written.
 */
export function chainHash(
  previous: string,
  event: { type: string; id: string; at: string; data: EventToAppend['data'] },
): string {
  const link = `${JSON.stringify([previous, event.type, event.id, event.at])}\n`;
  if (typeof event.data === 'string') return sha256Hex(link + event.data);
  return createHash('sha256').update(link).update(event.data).digest('hex');
}
