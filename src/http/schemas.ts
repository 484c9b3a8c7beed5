import { z } from 'zod';
import type { Position } from '../kernel/event';

/** What requests and answers have in common. */

/**
 * How a schema is documented where what it takes says little: a number in a query is a text that looks like one. It
 * goes with the schema, on the outermost layer (`default`, `optional`).
 */
export const documentedAs = z.registry<Readonly<Record<string, unknown>>>();

function documented<S extends z.ZodType>(schema: S, as: Readonly<Record<string, unknown>>): S {
  documentedAs.add(schema, as);
  return schema;
}

export const id = z.uuid().describe('UUIDv7');
export const timestamp = z.iso.datetime({ precision: 3 }).describe('ISO 8601, UTC, with milliseconds');
export const position = z.string().regex(/^\d+$/).describe('A place in the whole log: a decimal number');
export const jsonObject = z.record(z.string(), z.unknown());
export const count = z.int().min(0);
/** A sum may be negative for a while: a settlement takes back what was booked too much. */
export const amount = z.int();

export function pageOf<S extends z.ZodType>(component: string, item: S) {
  return z
    .object({
      items: z.array(item),
      nextCursor: z.string().nullable().describe('For the next page; null: this is the last one'),
    })
    .meta({ id: component });
}

/** A number in a query. Not what else JavaScript takes for one: an empty text, `0x10`, `1e3`. */
const wholeNumber = z
  .string('a whole number')
  .regex(/^-?\d+$/, 'a whole number')
  .transform(Number);

/** A number in a query that is clamped, not refused, where it is out of range. */
export function clampedNumber(range: { fallback: number; min: number; max: number }, about: string) {
  const { fallback, min, max } = range;
  return documented(wholeNumber.transform((value) => Math.min(Math.max(value, min), max)).default(fallback), {
    type: 'integer',
    default: fallback,
    description: `${about}; clamped to ${min} … ${max}`,
  });
}

/** A number in a query that counts from 0. */
export function offset(about: string) {
  return documented(wholeNumber.pipe(z.number().int().min(0)).default(0), {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: about,
  });
}

/** `?waitFor=`: the position that the answer must have seen; null where there is none. */
export const waitFor = documented(
  z
    .string()
    .regex(/^\d{1,19}$/, 'a position is a decimal number')
    .transform((value): Position | null => BigInt(value))
    .default(null),
  {
    type: 'string',
    pattern: '^\\d{1,19}$',
    description:
      'A position: the answer has seen everything up to it. At most 5 s are waited, then it is 503.',
  },
);

/** Where an event stands. */
export const eventPlace = z.object({ type: z.string(), position, stream: z.string(), revision: count });

/** The query of a route that answers pages. */
export function paging(fallback: number, max: number) {
  return {
    limit: clampedNumber({ fallback, min: 1, max }, 'Items on the page'),
    cursor: z.string().max(500).optional().describe('`nextCursor` of the page before'),
    waitFor,
  };
}

/** A time in a request, with its zone. */
export const instant = z.iso.datetime({ offset: true });

/** A day stands for its beginning. */
export const dayOrInstant = documented(
  z
    .union([z.iso.date(), instant], 'an ISO 8601 date, or time with its zone')
    .transform((value) => new Date(value).toISOString()),
  { type: 'string', description: 'ISO 8601: a date (its beginning, in UTC), or a time with its zone' },
);
