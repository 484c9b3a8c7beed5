import type { Collection } from './document-store';

const COLLECTION_NAME = /^[A-Za-z][A-Za-z0-9_.@-]{0,99}$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,99}$/;

/** @throws Error where the name is not one that every backend can take */
export function assertCollectionName(name: string): void {
  assertName(name, COLLECTION_NAME);
}

/** @throws Error where the name is not one that every backend can take */
export function assertFieldName(name: string): void {
  assertName(name, FIELD_NAME);
}

/** @throws Error where a name is not allowed, or an index names a field that the collection does not declare */
export function assertDeclaration({ name, fields, indexes }: Collection): void {
  assertCollectionName(name);
  Object.keys(fields).forEach(assertFieldName);
  for (const index of indexes) {
    const declared = index.length > 0 && index.every((field) => Object.hasOwn(fields, field));
    if (!declared)
      throw new Error(`collection ${name} has an index over undeclared fields: [${index.join(', ')}]`);
  }
}

function assertName(name: string, pattern: RegExp): void {
  if (!pattern.test(name)) throw new Error(`not a valid name: ${JSON.stringify(name)}`);
}
