import type { Filter } from 'mongodb';
import type { PageKey } from '../cursor';
import type { Collection, FieldType, Query } from '../document-store';
import { fieldValue, smallestValues } from '../field-value';
import type { StoredDocument } from './stored-document';

/** How a collection is ordered for a query: by the field, ties by id. */
export function pageOrder({ orderBy, direction }: Query): Record<string, 1 | -1> {
  const order = direction === 'asc' ? 1 : -1;
  return { [`fields.${orderBy}`]: order, _id: order };
}

/**
 * The filters that give the rest of a query after a key, to be read one after the other until the page is full. Each is
 * one range of the index, so a page costs the same however deep it is.
 */
export function pageFilters(
  { fields }: Collection,
  query: Query,
  after: PageKey | null,
): Filter<StoredDocument>[] {
  const filters = Object.entries(query.where).map(([field, value]) => {
    // A filter that was forgotten must not turn into a filter for null.
    if (value === undefined) throw new TypeError(`the query's value for ${field} is undefined`);
    return [`fields.${field}`, fieldValue(field, fields[field]!, value)] as const;
  });
  const equal = Object.fromEntries(filters);
  return rangesAfter(after, query, fields[query.orderBy]!).map((range) => ({
    $and: [equal, range] as Filter<StoredDocument>[],
  }));
}

/** Nulls come before all values and are compared with none of them, so they are a range of their own. */
function rangesAfter(key: PageKey | null, { orderBy, direction }: Query, type: FieldType): object[] {
  if (key === null) return [{}];
  const field = `fields.${orderBy}`;
  const beyond = direction === 'asc' ? '$gt' : '$lt';
  const ties = { [field]: key.value, _id: { [beyond]: key.id } };
  const nulls = { [field]: null };
  if (key.value === null) {
    return direction === 'asc' ? [ties, { [field]: { $gte: smallestValues[type] } }] : [ties];
  }
  const rest = { [field]: { [beyond]: key.value } };
  return direction === 'asc' ? [ties, rest] : [ties, rest, nulls];
}
