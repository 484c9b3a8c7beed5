import { z } from 'zod';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';

/** Whatever handles a value later (canonical JSON, templates) may go down as deep as the value does. */
const MAX_DEPTH = 100;
const TOO_DEEP = `body: nested deeper than ${MAX_DEPTH} levels`;

/**
 * Checks what a client has sent.
 *
 * @throws DomainError `bad_request`; `details.field` is the path of the first wrong field, `details.issues` has all
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  if (isDeeperThan(MAX_DEPTH, value))
    throw new DomainError('bad_request', TOO_DEEP, { field: '', issues: [] });
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues
    .flatMap(flatten)
    .map(({ path, message }) => ({ path: path.join('.'), message }));
  const [first] = issues;
  const detail = first ? `${first.path || 'body'}: ${first.message}` : 'invalid';
  throw new DomainError('bad_request', detail, { field: first?.path ?? '', issues });
}

interface Flat {
  path: PropertyKey[];
  message: string;
}

/** Unknown keys are reported under their own path, not under that of the object that holds them. */
function flatten(issue: z.core.$ZodIssue): Flat[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'unknown field' }));
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner));
}

const waitForSchema = z
  .string()
  .regex(/^\d{1,19}$/, 'a position is a decimal number')
  .transform(BigInt);

/** `?waitFor=`: the position that the answer must have seen; null where there is none. */
export function parseWaitFor(value: unknown): Position | null {
  if (value === undefined) return null;
  return parse(z.object({ waitFor: waitForSchema }), { waitFor: value }).waitFor;
}

/** A number in a query. Not what else JavaScript takes for one: an empty text, `0x10`, `1e3`. */
export const wholeNumber = z
  .string('a whole number')
  .regex(/^-?\d+$/, 'a whole number')
  .transform(Number);

/** A number in a query that is clamped, not refused, where it is out of range. */
export function clampedNumber(range: { fallback: number; min: number; max: number }) {
  return wholeNumber
    .transform((value) => Math.min(Math.max(value, range.min), range.max))
    .default(range.fallback);
}

/** A page's `limit`. */
export function limitSchema(fallback: number, max: number) {
  return clampedNumber({ fallback, min: 1, max });
}
