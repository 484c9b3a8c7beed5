import type { Collection, Query } from './document-store';

/**
 * The index whose leading fields are those of `where`, in any order, and whose last one is that of `orderBy`.
 *
 * @throws Error where none is declared
 */
export function servingIndex({ name, indexes }: Collection, { where, orderBy }: Query): readonly string[] {
  const filtered = new Set(Object.keys(where));
  filtered.delete(orderBy);
  const serves = (index: readonly string[]) =>
    index.length === filtered.size + 1 &&
    index.at(-1) === orderBy &&
    index.slice(0, -1).every((field) => filtered.has(field));
  const index = indexes.find(serves);
  if (index) return index;
  throw new Error(
    `no index of ${name} serves a query by [${[...filtered].join(', ')}] in the order of ${orderBy}`,
  );
}
