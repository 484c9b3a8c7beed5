import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as requestHttp, validateHeaderValue } from 'node:http';
import { request as requestHttps } from 'node:https';
import { looksSecret } from '../../adapters/secret-value';
import { messageOf, RunFailure } from '../run-failure';
import { PrivateAddress, publicLookup, refusePrivateHost } from './address-guard';

/** From the name to the end of the TLS handshake. */
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 3;
const MAX_HEADER_BYTES = 32 * 1024;
/** A peer that is gone without a word is noticed some time. */
const KEEP_ALIVE_MS = 30_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface HttpRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string | null;
}

/** What the operator lets http agents do. */
export interface HttpRules {
  /** Whether they may be on this machine and in its private networks. */
  allowsPrivateAddresses: boolean;
  /** Longer answers are cut off, and fail their run. */
  maxAnswerBytes: number;
}

/**
 * Sends a request and answers when the head of its answer is there. Redirects are followed within the origin only: what
 * the headers hold was meant for nobody else. The method and the body stay the same, but for 303.
 *
 * @throws RunFailure `adapter_failed`
 */
export async function sendRequest(
  first: HttpRequest,
  rules: HttpRules,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await sendOnce(request, rules, signal);
    const { location } = answer.headers;
    if (!REDIRECTS.has(answer.statusCode!) || location === undefined) return answer;
    answer.destroy();
    if (redirects === MAX_REDIRECTS)
      throw failed(`${first.url.host} redirects more than ${MAX_REDIRECTS} times`);
    request = redirected(request, location, answer.statusCode!);
  }
}

/** A URL as it may be shown: without the values of what looks secret. */
export function shownUrl(url: URL): string {
  const shown = new URL(url.href);
  for (const name of new Set(shown.searchParams.keys())) {
    if (looksSecret(name)) shown.searchParams.set(name, '***');
  }
  shown.hash = '';
  return shown.href;
}

/** @throws RunFailure that names the header, and not its value */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderValue(name, value);
    } catch (cause) {
      throw failed(`The header "${name}" has a character that no header can have`, cause);
    }
  }
}

export function failed(message: string, cause?: unknown): RunFailure {
  return new RunFailure('adapter_failed', message, { cause });
}

function redirected(request: HttpRequest, location: string, status: number): HttpRequest {
  if (!URL.canParse(location, request.url.href))
    throw failed(`${request.url.host} redirects to something that is no URL`);
  const url = new URL(location, request.url);
  if (url.origin !== request.url.origin) {
    throw failed(
      `${request.url.host} redirects to ${url.origin}: only redirects within one origin are followed`,
    );
  }
  if (status !== 303) return { ...request, url };
  const { 'content-type': _type, ...headers } = request.headers;
  return { method: 'GET', url, headers, body: null };
}

async function sendOnce(
  { method, url, headers, body }: HttpRequest,
  rules: HttpRules,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isTls = url.protocol === 'https:';
  const send = isTls ? requestHttps : requestHttp;
  const bytes = body === null ? null : Buffer.from(body);
  const length: Record<string, string> = bytes === null ? {} : { 'content-length': `${bytes.length}` };
  try {
    if (!rules.allowsPrivateAddresses) refusePrivateHost(url);
    const request = send(url, {
      method,
      headers: { ...headers, ...length },
      agent: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      signal,
      ...(rules.allowsPrivateAddresses ? {} : { lookup: publicLookup }),
    });
    limitConnecting(request, isTls ? 'secureConnect' : 'connect', url.host);
    request.end(bytes);
    return await answerTo(request);
  } catch (error) {
    if (error instanceof RunFailure || signal.aborted) throw error;
    if (error instanceof PrivateAddress) throw failed(error.message, error);
    throw failed(`${method} ${shownUrl(url)} failed: ${describe(error)}`, error);
  }
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.once('response', resolve);
    // Nobody has asked for another protocol.
    request.once('upgrade', (_answer, socket) => {
      socket.destroy();
      reject(new Error('the answer changes the protocol'));
    });
  });
}

function limitConnecting(request: ClientRequest, connected: 'connect' | 'secureConnect', host: string): void {
  const giveUp = () =>
    request.destroy(failed(`${host} could not be reached within ${CONNECT_TIMEOUT_MS / 1000} s`));
  const timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
  request.once('close', () => clearTimeout(timer));
  request.once('socket', (socket) => {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once(connected, () => clearTimeout(timer));
  });
}

/** Several addresses of one name fail together, with no message of their own. */
function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
