import { z } from 'zod';
import { DomainError } from '../kernel/errors';

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
