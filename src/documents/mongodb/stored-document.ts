import type { Collection, Document } from '../document-store';
import { fieldValue, type FieldValue } from '../field-value';

/**
 * A document as MongoDB keeps it. `doc` is the document itself, so that whoever looks at the collection with a shell can
 * read it; `fields` holds what queries compare, with the types that the collection declares.
 */
export interface StoredDocument {
  _id: string;
  position: bigint;
  version: number;
  fields: Record<string, FieldValue>;
  /** null where BSON could not keep the document as it is: then it is in `json`. */
  doc: Document | null;
  json: string | null;
}

export type StoredBody = Pick<StoredDocument, 'fields' | 'doc' | 'json'>;

/** MongoDB nests 100 levels deep; some of these are ours. */
const MAX_DEPTH = 80;
/** Half of a pair: JSON can escape it, UTF-8 has no bytes for it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** @throws TypeError where a declared field holds a value of another type */
export function bodyOf({ fields }: Collection, document: Document): StoredBody {
  const values: [string, FieldValue][] = Object.entries(fields).map(([field, type]) => [
    field,
    fieldValue(field, type, (document as Record<string, unknown>)[field]),
  ]);
  const isNative = fitsBson(document, MAX_DEPTH);
  return {
    fields: Object.fromEntries(values),
    doc: isNative ? document : null,
    json: isNative ? null : JSON.stringify(document),
  };
}

export function documentOf<D extends Document>({ doc, json }: Pick<StoredDocument, 'doc' | 'json'>): D {
  return (json === null ? doc : JSON.parse(json)) as D;
}

/** Whether the value comes back from BSON as it would from JSON. What users send may have any key and any text. */
function fitsBson(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value);
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint';
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => item !== undefined && fitsBson(item, depth - 1));
  return Object.entries(value).every(([key, item]) => isPlainKey(key) && fitsBson(item, depth - 1));
}

/** Operators and paths of MongoDB's own begin with or contain these; a key with a NUL has no place in BSON at all. */
function isPlainKey(key: string): boolean {
  return key !== '' && key !== '__proto__' && !/^\$|[.\0]/.test(key) && !LONE_SURROGATE.test(key);
}
