import type { FieldType } from './document-store';

export type FieldValue = string | number | bigint | null;

const SMALLEST_INTEGER = -(2n ** 63n);
const LARGEST_INTEGER = 2n ** 63n - 1n;
const DECIMAL = /^(0|[1-9][0-9]{0,18})$/;

/** No value of the type sorts before it; null does. */
export const smallestValues: Readonly<Record<FieldType, FieldValue>> = {
  text: '',
  integer: SMALLEST_INTEGER,
  position: SMALLEST_INTEGER,
};

/**
 * What a backend compares and orders by for a value from a document, a query or a cursor; null where it is absent.
 *
 * @throws TypeError where the value is not of the declared type
 */
export function fieldValue(field: string, type: FieldType, value: unknown): FieldValue {
  if (value === null || value === undefined) return null;
  if (type === 'text' && typeof value === 'string') return value;
  if (type === 'integer' && typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (type === 'position' && typeof value === 'string' && DECIMAL.test(value)) {
    const position = BigInt(value);
    if (position <= LARGEST_INTEGER) return position;
  }
  throw new TypeError(`field ${field} is declared as ${type}, which a ${typeof value} in it is not`);
}
