import type { ConfiguredValue, InvocationContext, RemoteAdapter } from '../adapter';
import { fillFromContext, fillJsonFromContext } from '../context-template';
import type { HttpConfig } from './http-config';
import { httpConfigSchema } from './http-config';

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

/** Runs an agent that is reached by HTTP: one request is one run, and the answer says what came of it. */
export const httpAdapter: RemoteAdapter<HttpConfig> = {
  type: 'http',
  kind: 'remote',
  configSchema: httpConfigSchema,
  prepare(config, run) {
    const { context } = run;
    const method = config.method ?? 'POST';
    const body = method === 'GET' ? null : bodyOf(config.body, run);
    const headers: Record<string, ConfiguredValue> = {};
    if (body !== null) headers['content-type'] = typeof config.body === 'string' ? TEXT_TYPE : JSON_TYPE;
    for (const [name, value] of Object.entries(config.headers ?? {})) {
      headers[name.toLowerCase()] = typeof value === 'string' ? fillFromContext(value, context) : value;
    }
    const url = new URL(fillFromContext(config.url, context, asUrlPart));
    return { method, url, headers, body };
  },
};

/** A value stays inside the part of the URL that it was meant for. */
function asUrlPart(text: string): string {
  if (text === '.' || text === '..')
    throw new Error(`the context puts "${text}" into the URL, which means another path`);
  return encodeURIComponent(text);
}

/** Without a body of its own, a request says what every agent has to know. */
function bodyOf(configured: unknown, run: InvocationContext): string {
  const { runId, agentId, companyId, sessionId, context } = run;
  if (configured === undefined) return JSON.stringify({ runId, agentId, companyId, sessionId, context });
  if (typeof configured === 'string') return fillFromContext(configured, context);
  return JSON.stringify(fillJsonFromContext(configured, context));
}
