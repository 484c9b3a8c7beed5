import { validateHeaderName } from 'node:http';
import { z } from 'zod';
import { isDeeperThan } from '../../kernel/json-depth';
import { fillFromContext } from '../context-template';
import { configuredValue, refuseSecrets } from '../secret-value';

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** The JSON of a body that is not a text. It has to fit into the append of its agent's registration. */
const MAX_BODY_DEPTH = 32;

/** What says how a message is sent, not what it says, is up to the client; and so is what names the run. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|accept-encoding|proxy-.*|reveille-.*)$/i;

const headers = z
  .record(z.string(), configuredValue)
  .superRefine(refuseSecrets)
  .superRefine((values, context) => {
    const seen = new Set<string>();
    for (const name of Object.keys(values)) {
      const problem = headerProblem(name, seen);
      if (problem !== null) context.addIssue({ code: 'custom', path: [name], message: problem });
      seen.add(name.toLowerCase());
    }
  });

/** A text is sent as it is, anything else as JSON. */
const body = z.unknown().superRefine((value, context) => {
  if (isDeeperThan(MAX_BODY_DEPTH, value)) {
    context.addIssue({ code: 'custom', message: `must not be nested deeper than ${MAX_BODY_DEPTH} levels` });
  }
});

/** `adapterConfig` of `http`: the request that stands for a run. */
export const httpConfigSchema = z
  .strictObject({
    url: z.string().superRefine((url, context) => {
      const problem = urlProblem(url);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }),
    method: z.enum(METHODS).optional(),
    headers: headers.optional(),
    body: body.optional(),
  })
  .refine(({ method, body }) => method !== 'GET' || body === undefined, {
    path: ['body'],
    message: 'a GET request has none',
  });

export type HttpConfig = z.infer<typeof httpConfigSchema>;

/**
 * Whoever wakes an agent decides about its context, and must not decide where its secrets are sent: so the context has
 * a say only in what comes after the host.
 */
function urlProblem(template: string): string | null {
  const [origin] = /^[a-z]+:\/\/[^/?#\\]+/i.exec(template) ?? [];
  const filled = fillFromContext(template, {});
  // White space is taken out of a URL before it is read, and could put another host in the place of the one we see.
  if (origin === undefined || /\s/.test(filled) || !URL.canParse(filled))
    return 'must be a URL, as in https://host/path';
  if (fillFromContext(origin, {}) !== origin) return 'the host cannot come from the context';
  const { protocol, username, password } = new URL(filled);
  if (protocol !== 'http:' && protocol !== 'https:') return 'must begin with http:// or https://';
  if (username !== '' || password !== '')
    return 'must not hold a user or password; use a header with {secret: name}';
  return null;
}

/** @param seen other names of the same request, in lower case */
function headerProblem(name: string, seen: ReadonlySet<string>): string | null {
  if (seen.has(name.toLowerCase())) return 'is there twice';
  if (RESERVED_HEADERS.test(name)) return 'is set by Reveille and cannot be configured';
  try {
    validateHeaderName(name);
    return null;
  } catch {
    return 'must be a name that a header can have';
  }
}
