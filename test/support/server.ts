import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { Adapter } from '../../src/adapters/adapter';
import type { SettingName } from '../../src/config';
import { environmentForAgents, readConfig } from '../../src/config';
import { startServer } from '../../src/server';
import { PATIENCE_MS, worldSettings } from './world';
import { temporaryFolder } from './temporary-folder';

export interface Answer<Body> {
  status: number;
  headers: IncomingHttpHeaders;
  /** Parsed where the answer is JSON, otherwise its text; null where there is none. */
  body: Body;
  bytes: Buffer;
}

/** A server in this process, on a free port of the loopback interface. */
export interface TestServer {
  url: string;
  token: string;
  dataDir: string;
  /** What it has logged as an error: nothing, where all goes well. */
  errors: readonly string[];
  /**
   * Sends a request with the admin token.
   *
   * @param body an object is sent as JSON, text and bytes as they are (then the content type is up to `headers`)
   * @param headers come on top; undefined leaves out what would be sent otherwise
   */
  api<Body = unknown>(
    method: string,
    path: string,
    body?: object | string | Buffer,
    headers?: Record<string, string | undefined>,
  ): Promise<Answer<Body>>;
  close(): Promise<void>;
}

/**
 * Answers also what its router knows, as `GET /v1/runs/:runId`.
 *
 * @param options with `testClock`, `POST /v1/admin/tick {now}` sets the server's clock
 */
export async function startTestServer(
  options: {
    dataDir?: string;
    maxRuns?: number;
    auth?: 'token' | 'none';
    testClock?: boolean;
    adapters?: readonly Adapter[];
    /** More settings, as flags have them. */
    settings?: Partial<Record<SettingName, string>>;
  } = {},
): Promise<TestServer & { routes: readonly string[] }> {
  const dataDir = options.dataDir ?? temporaryFolder();
  const maxRuns = options.maxRuns === undefined ? undefined : `${options.maxRuns}`;
  const testClock = options.testClock === undefined ? undefined : `${options.testClock}`;
  const { auth, settings } = options;
  const flags = { host: '127.0.0.1', port: '0', dataDir, maxRuns, auth, testClock, ...settings };
  const config = readConfig(flags, worldSettings(dataDir));
  const errors: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
  const { adapters } = options;
  const server = await startServer(config, environmentForAgents(), logger, undefined, { adapters });
  const { api, disconnect } = apiOf(server.url, server.adminToken);
  const close = async () => {
    disconnect();
    await server.close();
  };
  const { url, adminToken: token, routes } = server;
  return { url, token, dataDir, routes, errors, api, close };
}

/** The API of a server, wherever that runs. */
export function apiOf(url: string, token: string): { api: TestServer['api']; disconnect: () => void } {
  const connections = new Agent({ keepAlive: true, maxSockets: 50 });
  const api: TestServer['api'] = (method, path, body, headers = {}) => {
    const sent = encode(body);
    const all = { authorization: `Bearer ${token}`, ...sent.headers, ...headers };
    return send(new URL(path, url), method, definedOnly(all), sent.bytes, connections);
  };
  return { api, disconnect: () => connections.destroy() };
}

/**
 * Answers the first value of `look` that is neither false, null nor undefined.
 *
 * @throws Error that says what was waited for and what was seen last, after `timeoutMs`
 */
export async function waitUntil<T>(
  look: () => T | Promise<T>,
  what: string,
  timeoutMs = PATIENCE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined)
      return seen as Exclude<T, false | null | undefined>;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await sleep(20);
  }
}

function encode(body: object | string | Buffer | undefined): {
  bytes: Buffer;
  headers: Record<string, string>;
} {
  if (body === undefined) return { bytes: Buffer.alloc(0), headers: {} };
  if (Buffer.isBuffer(body)) return { bytes: body, headers: {} };
  if (typeof body === 'string') return { bytes: Buffer.from(body), headers: {} };
  return { bytes: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } };
}

function definedOnly(headers: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** `fetch` would not let a test say which `Host` it asks. */
function send<Body>(
  url: URL,
  method: string,
  headers: Record<string, string>,
  bytes: Buffer,
  agent: Agent,
): Promise<Answer<Body>> {
  return new Promise((resolve, reject) => {
    const withLength = bytes.length > 0 ? { 'content-length': `${bytes.length}`, ...headers } : headers;
    const outgoing = request(url, { method, headers: withLength, agent }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const received = Buffer.concat(parts);
        const isJson = /\bjson\b/.test(incoming.headers['content-type'] ?? '');
        const text = received.length === 0 ? null : received.toString('utf8');
        const body = (isJson && text !== null ? JSON.parse(text) : text) as Body;
        resolve({ status: incoming.statusCode!, headers: incoming.headers, body, bytes: received });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}
