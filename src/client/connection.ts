import { Patience } from './backoff';
import { isTemporary, refusalOf, ReveilleError } from './reveille-error';

/** The server bounds everything that it does for an answer by far less. */
const ANSWER_TIMEOUT_MS = 30_000;
const DEFAULT_PATIENCE_MS = 10_000;

export interface ConnectionOptions {
  /** Where the server is: `http://127.0.0.1:7717`. */
  url: string;
  /** null: none is sent. */
  token?: string | null;
  /**
   * For how long a call is tried again while nothing answers, or the server says 503. Only calls that may be repeated
   * are. Default 10 s; 0: never.
   */
  patienceMs?: number;
  /** Instead of the global one. */
  fetch?: typeof fetch;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  query?: Query;
  body?: object;
  contentType?: string;
  headers?: Readonly<Record<string, string | undefined>>;
  /** Whether doing it twice is the same as doing it once. Default: true. */
  isRepeatable?: boolean;
  /** A status that is an answer like any other. */
  accepts?: number;
  signal?: AbortSignal | undefined;
}

/** Asks one server. Every call @throws ReveilleError, and the reason of its signal */
export class Connection {
  readonly url: string;
  readonly patienceMs: number;
  private readonly token: string | null;
  private readonly fetch: typeof fetch;

  constructor({
    url,
    token = null,
    patienceMs = DEFAULT_PATIENCE_MS,
    fetch = globalThis.fetch,
  }: ConnectionOptions) {
    this.url = url.replace(/\/+$/, '');
    this.token = token;
    this.patienceMs = patienceMs;
    // A browser's `fetch` wants to be called without an object.
    this.fetch = (...args) => fetch(...args);
  }

  /** The JSON of an answer. */
  async json<T>(address: string, call: Call = {}): Promise<T> {
    const { isRepeatable = true, signal } = call;
    const patience = new Patience(isRepeatable ? this.patienceMs : 0, isTemporary);
    for (;;) {
      try {
        return await this.once<T>(address, call);
      } catch (error) {
        const { retryAfterMs = null } = error as Partial<ReveilleError>;
        await patience.afterFailure(error, retryAfterMs, signal);
      }
    }
  }

  /** @param patch a JSON merge patch @param version that it is meant for; undefined: any */
  merge<T>(address: string, patch: object, version?: number): Promise<T> {
    return this.json(address, {
      method: 'PATCH',
      body: patch,
      contentType: 'application/merge-patch+json',
      headers: { 'If-Match': version === undefined ? undefined : `"${version}"` },
      // The first attempt may have been what changed the version.
      isRepeatable: version === undefined,
    });
  }

  /** An answer whose body is still to come. It is asked for once. */
  async open(address: string, call: Call): Promise<Response> {
    const response = await this.send(address, call, call.signal);
    if (!response.ok) throw await refusalOf(response);
    return response;
  }

  /** Whatever fails while something is read from the server. */
  failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason as unknown;
    if (error instanceof ReveilleError) return error;
    const why = `cannot reach ${this.url} (${reasonOf(error)})`;
    return new ReveilleError('unreachable', why, null, {}, null, { cause: error });
  }

  private async once<T>(address: string, call: Call): Promise<T> {
    const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout;
    const response = await this.send(address, call, signal);
    if (!response.ok && response.status !== call.accepts) throw await refusalOf(response);
    const text = await response.text().catch((error: unknown) => {
      throw this.failure(error, call.signal);
    });
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const why = `what answers at ${this.url} is not a Reveille server`;
      throw new ReveilleError('not_reveille', why, response.status, {}, null, { cause: error });
    }
  }

  private async send(address: string, call: Call, signal: AbortSignal | undefined): Promise<Response> {
    const { method = 'GET', query = {}, body, contentType = 'application/json' } = call;
    const headers = new Headers(definedOnly(call.headers ?? {}));
    if (this.token !== null) headers.set('authorization', `Bearer ${this.token}`);
    if (body) headers.set('content-type', contentType);
    const init = { method, headers, signal: signal ?? null, ...(body && { body: JSON.stringify(body) }) };
    try {
      return await this.fetch(this.url + address + encode(query), init);
    } catch (error) {
      throw this.failure(error, call.signal);
    }
  }
}

/** A path whose parts are whatever ids are. */
export function path(parts: TemplateStringsArray, ...ids: string[]): string {
  return String.raw({ raw: parts }, ...ids.map(encodeURIComponent));
}

function encode(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, `${value}`);
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

function definedOnly(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** `fetch` says no more than that it failed; the reason is what caused that, or its code. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? inner ?? message;
}
