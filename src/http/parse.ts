import { z } from 'zod';
import { DomainError } from '../kernel/errors';
import { httpLimits } from './limits';

/** Path and message, as `details.issues` has them. */
interface Issue {
  path: string;
  message: string;
}

/**
 * Checks what a client has sent.
 *
 * @throws DomainError `bad_request`; `details.field` is the path of the first wrong field, `details.issues` has all
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const trouble = troubleIn(value, httpLimits.jsonDepth, '');
  if (trouble !== null) throw refusalOf([trouble]);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap(flatten);
  throw refusalOf(issues.map(({ path, message }) => ({ path: path.join('.'), message })));
}

/** As many of them as anybody reads: an answer is not to be many times what was asked. */
function refusalOf(issues: readonly Issue[]): DomainError {
  const [first] = issues;
  const detail = first ? `${first.path || 'body'}: ${first.message}` : 'invalid';
  const shown = issues.slice(0, httpLimits.issues);
  return new DomainError('bad_request', detail, { field: first?.path ?? '', issues: shown });
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

/**
 * What is wrong with a value wherever it is, before anybody has looked at what it says: that it is too deep (the
 * field at the top that is so is named), or names the prototype of objects. Null: nothing.
 */
function troubleIn(value: unknown, levels: number, top: string): Issue | null {
  if (typeof value !== 'object' || value === null) return null;
  if (levels === 0) return { path: top, message: `nested deeper than ${httpLimits.jsonDepth} levels` };
  for (const [name, inner] of Object.entries(value)) {
    const field = levels === httpLimits.jsonDepth ? name : top;
    if (namesPrototype(name, inner)) return { path: field, message: `"${name}" is no name for a field` };
    const trouble = troubleIn(inner, levels - 1, field);
    if (trouble !== null) return trouble;
  }
  return null;
}

/** `constructor` alone is a name like any other. */
function namesPrototype(name: string, inner: unknown): boolean {
  if (name === '__proto__') return true;
  return (
    name === 'constructor' && typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'prototype')
  );
}
