import type { Collection, FieldType, Query } from '../document-store';
import type { PageKey } from '../cursor';
import { fieldValue, smallestValues, type FieldValue } from '../field-value';
import { columnOf, indexOf, tableOf } from './names';

/** A statement that yields rows of `id` and `body`; its last parameter, not among these, is the limit. */
export interface Select {
  sql: string;
  parameters: FieldValue[];
}

interface Term {
  condition: string;
  parameters: FieldValue[];
}

/**
 * The statements that give the rest of a query after a key, to be read one after the other until the page is full.
 * Each is one range of the index, so a page costs the same however deep it is.
 */
export function pageSelects(
  collection: Collection,
  index: readonly string[],
  query: Query,
  after: PageKey | null,
): Select[] {
  const from = `${tableOf(collection.name)} INDEXED BY ${indexOf(collection.name, index)}`;
  const order = query.direction === 'asc' ? 'ASC' : 'DESC';
  const orderBy = `${columnOf(query.orderBy)} ${order}, id ${order}`;
  const filters = filterTerms(collection, index, query);
  return rangesAfter(after, query, collection.fields[query.orderBy]!).map((range) => {
    const terms = [...filters, range];
    const condition = terms.map((term) => term.condition).join(' AND ');
    return {
      sql: `SELECT id, body FROM ${from} WHERE ${condition} ORDER BY ${orderBy} LIMIT ?`,
      parameters: terms.flatMap((term) => term.parameters),
    };
  });
}

/** In the order of the index, so that the same query written in another order is the same statement. */
function filterTerms({ fields }: Collection, index: readonly string[], { where }: Query): Term[] {
  return index
    .filter((field) => Object.hasOwn(where, field))
    .map((field) => {
      // A filter that was forgotten must not turn into a filter for null.
      if (where[field] === undefined) throw new TypeError(`the query's value for ${field} is undefined`);
      return {
        condition: `${columnOf(field)} IS ?`,
        parameters: [fieldValue(field, fields[field]!, where[field])],
      };
    });
}

/**
 * What lies after the key, in order. Nulls come before all values, and compare with nothing in SQL, so they are a range
 * of their own.
 */
function rangesAfter(key: PageKey | null, { orderBy, direction }: Query, type: FieldType): Term[] {
  if (key === null) return [{ condition: 'TRUE', parameters: [] }];
  const column = columnOf(orderBy);
  const beyond = direction === 'asc' ? '>' : '<';
  const rest: Term =
    key.value === null
      ? { condition: `${column} IS NULL AND id ${beyond} ?`, parameters: [key.id] }
      : { condition: `(${column}, id) ${beyond} (?, ?)`, parameters: [key.value, key.id] };
  // `>= smallest` instead of `IS NOT NULL`, which would walk over all the nulls.
  const values: Term = { condition: `${column} >= ?`, parameters: [smallestValues[type]] };
  const nulls: Term = { condition: `${column} IS NULL`, parameters: [] };
  if (direction === 'asc') return key.value === null ? [rest, values] : [rest];
  return key.value === null ? [rest] : [rest, nulls];
}
