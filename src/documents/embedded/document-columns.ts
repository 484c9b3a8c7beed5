import type { Collection, Document } from '../document-store';
import { fieldValue } from '../field-value';
import type { DocumentColumns } from './document-messages';

/** @throws TypeError where a declared field holds a value of another type */
export function columnsOf({ fields }: Collection, document: Document): DocumentColumns {
  const values = document as Record<string, unknown>;
  return [
    JSON.stringify(document),
    ...Object.entries(fields).map(([field, type]) => fieldValue(field, type, values[field])),
  ];
}
