import type { Collection } from '../document-store';

const COLLECTION_NAME = /^[A-Za-z][A-Za-z0-9_.@-]{0,99}$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,99}$/;

/**
 * The table of a collection, quoted for SQL. The store's own tables start with an underscore, which no collection can.
 *
 * @throws Error where the name is not one that can be quoted safely
 */
export function tableOf(collection: string): string {
  return quoted(collection, COLLECTION_NAME);
}

/** The column of a declared field, quoted for SQL; the prefix keeps it apart from `id`, `position`, `version`, `body`. */
export function columnOf(field: string): string {
  return `"f_${quoted(field, FIELD_NAME).slice(1)}`;
}

/** The index over these fields, quoted for SQL. */
export function indexOf(collection: string, fields: readonly string[]): string {
  const parts = [tableOf(collection), ...fields.map(columnOf)];
  return `"ix:${parts.map((part) => part.slice(1, -1)).join(':')}"`;
}

/** @throws Error where a name is not allowed, or an index names a field that the collection does not declare */
export function assertDeclaration({ name, fields, indexes }: Collection): void {
  tableOf(name);
  Object.keys(fields).forEach(columnOf);
  for (const index of indexes) {
    const declared = index.length > 0 && index.every((field) => Object.hasOwn(fields, field));
    if (!declared)
      throw new Error(`collection ${name} has an index over undeclared fields: [${index.join(', ')}]`);
  }
}

function quoted(name: string, pattern: RegExp): string {
  if (!pattern.test(name)) throw new Error(`not a valid name: ${JSON.stringify(name)}`);
  return `"${name}"`;
}
