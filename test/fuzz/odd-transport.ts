import type { Dice } from '../support/dice';
import type { FuzzRequest } from './fuzz-request';
import { tampered } from './odd-targets';

type Change = (request: FuzzRequest, dice: Dice) => Partial<FuzzRequest> & { kind: string };

/** A header more, in place of one of that name. */
function header(name: string, value: string, kind = `${name}: ${value}`): Change {
  return (request) => ({ kind, headers: [...without(request, name), [name, value]] });
}

function without({ headers }: FuzzRequest, name: string): FuzzRequest['headers'] {
  return headers.filter(([given]) => given.toLowerCase() !== name.toLowerCase());
}

function bearerOf({ headers }: FuzzRequest): string {
  return headers.find(([name]) => name === 'Authorization')?.[1].slice('Bearer '.length) ?? 'x';
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const soon = 4_000_000_000;

const identities: readonly Change[] = [
  (request) => ({ kind: 'no token', headers: without(request, 'Authorization') }),
  header('Authorization', 'Basic YWRtaW46YWRtaW4='),
  header('Authorization', 'Bearer '),
  header('Authorization', 'Bearer null'),
  header(
    'Authorization',
    `Bearer ${base64url({ alg: 'none' })}.${base64url({ exp: soon, companyId: 'x' })}.`,
    'a token without a signature',
  ),
  header(
    'Authorization',
    `Bearer ${base64url({ alg: 'HS256' })}.${base64url({ exp: soon })}.${'A'.repeat(43)}`,
    'a token with a wrong signature',
  ),
  header('Authorization', `Bearer ${base64url([])}.${base64url(null)}.e30`, 'a token of nothing'),
  header('Authorization', `Bearer ${'a'.repeat(4_000)}`, 'a long token'),
  (request, dice) =>
    header('Authorization', `Bearer ${tampered(bearerOf(request), dice)}`, 'a tampered token')(request, dice),
  (request) => ({ kind: 'two tokens', headers: [...request.headers, ['Authorization', 'Bearer other']] }),
  (request, dice) =>
    header('Authorization', `bearer   ${bearerOf(request)}`, 'a token after small letters')(request, dice),
];

const conditions: readonly Change[] = [
  header('Idempotency-Key', ''),
  header('Idempotency-Key', 'k'.repeat(501), 'a long idempotency key'),
  header('Idempotency-Key', '\xff\xfe'),
  header('Idempotency-Key', 'same'),
  (request) => ({
    kind: 'two idempotency keys',
    headers: [...request.headers, ['Idempotency-Key', 'a'], ['Idempotency-Key', 'b']],
  }),
  header('If-Match', '"1"'),
  header('If-Match', '*'),
  header('If-Match', 'abc'),
  header('If-Match', '"99999999999999999999"'),
  header('If-None-Match', '*'),
  header('If-Modified-Since', 'Sat, 01 Jan 2050 00:00:00 GMT'),
  header('Range', 'bytes=0-1,5-2'),
  header('Last-Event-ID', 'x'),
  header('Last-Event-ID', '1.1.1'),
  header('Last-Event-ID', '9'.repeat(60), 'a Last-Event-ID past everything'),
  header('Accept', 'text/event-stream'),
  header('Accept', 'text/plain'),
  header('Accept', 'application/x-ndjson'),
  header('Accept', '*/*;q=zzz, ,,'),
  header('Accept-Encoding', 'gzip, br'),
  header('X-Request-Id', 'a b c'),
  header('X-Request-Id', '__proto__'),
  header('X-HTTP-Method-Override', 'DELETE'),
  header('X-Forwarded-For', '1.2.3.4'),
  header('traceparent', '00-00000000000000000000000000000000-0000000000000000-00'),
  header('Host', 'evil.example'),
  header('Host', ''),
  header('Host', '127.0.0.1:99999999'),
  header('Origin', 'http://evil.example'),
  header('Origin', 'null'),
  header('Cookie', '__proto__=1; a=b'),
  header('Upgrade', 'h2c'),
  header('Connection', 'close, x'),
  header('__proto__', 'x'),
  header('X-Odd', '\xf0\x9f\x98\x80'),
];

const bodies: readonly Change[] = [
  header('Content-Type', 'text/plain'),
  header('Content-Type', 'application/xml'),
  header('Content-Type', 'application/json; charset=utf-16'),
  header('Content-Type', 'application/json; charset="'),
  header('Content-Type', 'APPLICATION/JSON'),
  header('Content-Type', 'application/merge-patch+json'),
  header('Content-Type', 'application/'),
  header('Content-Type', 'multipart/form-data; boundary=x'),
  header('Content-Type', '\xff'),
  header('Content-Encoding', 'gzip'),
  (request) => ({ kind: 'a body of no type', headers: without(request, 'Content-Type') }),
  () => ({ kind: 'no body', body: null }),
  () => ({ kind: 'an empty body', body: Buffer.alloc(0) }),
  (request) => ({ kind: 'a body where there may be none', body: request.body ?? Buffer.from('{"a":1}') }),
];

/** After these nothing can follow on the connection. */
const framings: readonly Change[] = [
  withLength((length) => [`${length + 10}`], 'fewer bytes than said'),
  withLength((length) => [`${Math.max(0, length - 1)}`], 'more bytes than said'),
  withLength(() => ['-1'], 'less than nothing'),
  withLength(() => ['ten'], 'a length in words'),
  withLength(() => ['1e2'], 'a length with an exponent'),
  withLength((length) => [`${length}`, `${length + 1}`], 'two lengths'),
  withLength(() => ['99999999999999999999'], 'a length beyond all numbers'),
  chunked(
    (body) =>
      Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]),
    'in chunks',
  ),
  chunked((body) => Buffer.concat([Buffer.from('zz\r\n'), body]), 'in broken chunks'),
  chunked((body) => Buffer.concat([Buffer.from('ffff\r\n'), body]), 'in a chunk that is cut off'),
  (request) => ({
    kind: 'a length and chunks',
    isUnframed: true,
    headers: [...request.headers, ['Content-Length', '3'], ['Transfer-Encoding', 'chunked']],
    body: Buffer.from('0\r\n\r\n'),
  }),
  (request) => ({
    kind: 'an encoding that is unknown',
    isUnframed: true,
    headers: [...request.headers, ['Transfer-Encoding', 'gzip']],
  }),
  (request) => ({ kind: 'a method that is none', isUnframed: true, method: `${request.method}X` }),
  (request) => ({ kind: 'a space in the path', isUnframed: true, target: `${request.target} x` }),
  (request) => ({
    kind: 'a header without a colon',
    isUnframed: true,
    headers: [...request.headers, ['X\r\nbroken', 'x']],
  }),
  (request) => ({
    kind: 'expects a continue',
    isUnframed: true,
    headers: [
      ...request.headers,
      ['Expect', '100-continue'],
      ['Content-Length', `${request.body?.length ?? 0}`],
    ],
  }),
  (request) => ({
    kind: 'expects something else',
    isUnframed: true,
    headers: [...request.headers, ['Expect', 'a pony'], ['Content-Length', `${request.body?.length ?? 0}`]],
  }),
];

function withLength(lengths: (length: number) => string[], kind: string): Change {
  return (request) => {
    const body = request.body ?? Buffer.from('{}');
    const said = lengths(body.length).map((length) => ['Content-Length', length] as const);
    return { kind, isUnframed: true, body, headers: [...request.headers, ...said] };
  };
}

function chunked(encode: (body: Buffer) => Buffer, kind: string): Change {
  return (request) => ({
    kind,
    isUnframed: true,
    body: encode(request.body ?? Buffer.from('{}')),
    headers: [...request.headers, ['Transfer-Encoding', 'chunked']],
  });
}

const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'LOCK',
  'SEARCH',
  'QUERY',
];

/** The same request with something odd about how it is sent. */
export function oddlySent(request: FuzzRequest, dice: Dice): FuzzRequest {
  if (dice.upTo(8) === 0) {
    const method = dice.oneOf(methods);
    return { ...request, method, kind: `by ${method}` };
  }
  const change = dice.oneOf(dice.oneOf([identities, conditions, bodies, framings]));
  return { ...request, ...change(request, dice) };
}
