import { createHash } from 'node:crypto';
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
  return createHash('sha256')
    .update(JSON.stringify([previous, event.type, event.id, event.at]))
    .update('\n')
    .update(event.data)
    .digest('hex');
}
