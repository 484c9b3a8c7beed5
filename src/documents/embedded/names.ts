import { assertCollectionName, assertFieldName } from '../declaration';

/**
 * The table of a collection, quoted for SQL. The store's own tables start with an underscore, which no collection can.
 *
 * @throws Error where the name is not one that can be quoted safely
 */
export function tableOf(collection: string): string {
  assertCollectionName(collection);
  return `"${collection}"`;
}

/** The column of a declared field, quoted for SQL; the prefix keeps it apart from `id`, `position`, `version`, `body`. */
export function columnOf(field: string): string {
  assertFieldName(field);
  return `"f_${field}"`;
}

/** The index over these fields, quoted for SQL. */
export function indexOf(collection: string, fields: readonly string[]): string {
  const parts = [tableOf(collection), ...fields.map(columnOf)];
  return `"ix:${parts.map((part) => part.slice(1, -1)).join(':')}"`;
}
