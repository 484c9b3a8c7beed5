import { canonicalJson, sha256Hex } from '../kernel/canonical-json';
import { InvalidCursor, type FieldType, type Query } from './document-store';
import { fieldValue, type FieldValue } from './field-value';

/** Where a page ended: the order value and id of its last document. */
export interface PageKey {
  value: FieldValue;
  id: string;
}

/**
 * What makes a query the same query: all of it but the size of its pages. It stops mistakes, not forgery: a forged
 * cursor can only start a page of the query it is sent with somewhere else.
 *
 * @param collection the one it is a generation of, where it is one
 */
export function fingerprintOf(collection: string, { where, orderBy, direction }: Query): string {
  return sha256Hex(canonicalJson([collection, where, orderBy, direction])).slice(0, 12);
}

/** @param value as it stands in the document */
export function encodeCursor(fingerprint: string, value: unknown, id: string): string {
  return Buffer.from(JSON.stringify([fingerprint, value, id])).toString('base64url');
}

/** @throws InvalidCursor where the text is not a cursor of the query with this fingerprint */
export function decodeCursor(cursor: string, fingerprint: string, orderBy: string, type: FieldType): PageKey {
  try {
    const [, value, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    // The way back proves the fingerprint, and that Node's lenient decoder skipped nothing.
    if (typeof id === 'string' && encodeCursor(fingerprint, value, id) === cursor) {
      return { value: fieldValue(orderBy, type, value), id };
    }
  } catch {
    // Not base64url, not JSON, no list, a value of another type: not a cursor of this query.
  }
  throw new InvalidCursor();
}
