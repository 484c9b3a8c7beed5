import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { httpLimits } from '../../../src/http/limits';
import type { RawAnswer } from '../../support/raw-http';
import { sendRaw } from '../../support/raw-http';
import type { TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import type { Agent, Company } from '../http/client';
import { expectProblem, expectStatus, head, registerAgent } from '../http/client';
import { asJson, startWithSleeper } from '../http/sleeper';

/** What one client can make the server take in, asked for from outside, up to the limit and one step over it. */

let server: TestServer;
let company: Company;
let sleeper: Agent;

beforeAll(async () => {
  ({ server, company, sleeper } = await startWithSleeper());
});
afterAll(() => server.close());

const begin = (line: string, more = '') =>
  `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${server.token}\r\n${more}`;

function expectRawProblem(answer: RawAnswer, status: number, code: string): void {
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(JSON.parse(answer.body)).toMatchObject({ status, code });
}

describe('the head of a request', () => {
  test.each([
    ['one long header', () => `X: ${'x'.repeat(httpLimits.headerBytes)}\r\n`],
    ['many short ones', () => 'a: b\r\n'.repeat(httpLimits.headerBytes)],
    ['one without end', () => `X: ${'x'.repeat(httpLimits.headerBytes * 4)}`],
  ])('%s: 431', async (_what, headers) => {
    expectRawProblem(
      await sendRaw(server.url, `${begin('GET /health/live')}${headers()}\r\n\r\n`),
      431,
      'headers_too_large',
    );
  });

  test.each([
    ['a path', () => `/v1/companies/${'a'.repeat(httpLimits.urlBytes)}`],
    ['a name in a path', () => `/v1/companies/${'a'.repeat(httpLimits.pathParameterBytes + 1)}`],
    ['a path of many parts', () => '/a'.repeat(httpLimits.urlBytes * 0.75)],
    ['a query', () => `/v1/companies/x?cursor=${'a'.repeat(httpLimits.urlBytes)}`],
    ['the query of what needs no token', () => `/health/live?${'a'.repeat(httpLimits.urlBytes)}`],
  ])('%s that is too long: 414, without all of it', async (_what, path) => {
    const answer = await server.api('GET', path());
    expectProblem(answer, 414, 'uri_too_long');
    expect(answer.bytes.length).toBeLessThan(500);
  });

  test('a hundred parameters are a query, more are none', async () => {
    const path = (count: number) => `/v1/companies/${company.id}/agents?limit=5${'&limit'.repeat(count - 1)}`;
    const { details } = expectProblem(
      await server.api('GET', path(httpLimits.queryParameters)),
      400,
      'bad_request',
    );
    expect(details.field).toBe('limit');
    const refused = await server.api('GET', path(httpLimits.queryParameters + 1));
    expect(expectProblem(refused, 400, 'bad_request').details.field).toBe('query');
    const hidden = path(httpLimits.queryParameters + 1).replace('?limit=5', '?limit=5?');
    expect(expectProblem(await server.api('GET', hidden), 400, 'bad_request').details.field).toBe('query');
  });

  test('an expectation that nobody knows is refused with a problem document', async () => {
    const text = begin('POST /v1/companies', 'Expect: miracles\r\nContent-Length: 2\r\n\r\n{}');
    const answer = await sendRaw(server.url, text);
    expect({ status: answer.status, type: answer.headers['content-type'] }).toEqual({
      status: 400,
      type: 'application/problem+json',
    });
  });
});

describe('what is no HTTP, behind or in a request that is answered', () => {
  const list = () => `${begin(`GET /v1/audit/export?companyId=${company.id}`)}\r\n`;
  const register = (headers = '') =>
    `${begin('POST /v1/companies', `Content-Type: application/json\r\n${headers}`)}\r\n`;
  /** What a client that reads on takes for answers. */
  const statusesIn = (text: string) =>
    [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));

  test.each([
    ['a line of nonsense', () => `${list()}nonsense\r\n\r\n`],
    ['a body in broken chunks', () => `${list()}${register('Transfer-Encoding: chunked\r\n')}zz\r\n`],
  ])('%s is refused when the answer is whole', async (_what, request) => {
    const { text } = await sendRaw(server.url, request());
    expect(statusesIn(text)).toEqual([200, 400]);
    expect(text).toMatch(/\r\n0\r\n\r\nHTTP\/1\.1 400 [^]*"detail":"not HTTP: /);
  });

  test('what has been done is told', async () => {
    const { text } = await sendRaw(server.url, `${register('Content-Length: 16\r\n')}{"name":"Heard"}}`);
    expect(statusesIn(text)).toEqual([201, 400]);
    expect(text).toMatch(/"name":"Heard"[^]*HTTP\/1\.1 400 /);
  });

  describe('once the answer has begun', () => {
    let socket: Socket;
    let received: string;

    beforeEach(() => {
      const { hostname, port } = new URL(server.url);
      socket = connect(Number(port), hostname);
      received = '';
      socket.on('data', (part) => (received += part.toString()));
    });
    afterEach(() => socket.destroy());

    test.each([
      ['in the body', 'Transfer-Encoding: chunked\r\n\r\n', 'zz\r\n'],
      ['after the body', 'Content-Length: 1\r\n\r\n', '{}'],
      ['after the head', '\r\n', 'nonsense\r\n'],
    ])('wrong bytes %s do not break into it', async (_what, headers, rest) => {
      const path = `/v1/companies/${company.id}/events`;
      socket.write(begin(`GET ${path}`, `Accept: text/event-stream\r\n${headers}`));
      await waitUntil(() => received.includes('\r\n\r\n'), 'the stream of events begins');
      socket.write(rest);
      const { id } = await registerAgent(server, company.id);
      await waitUntil(() => received.includes(id), 'the stream goes on');
      expect(statusesIn(received)).toEqual([200]);
    });

    test('nothing is refused twice', async () => {
      socket.write(register('Transfer-Encoding: chunked\r\n').replace(server.token, 'nobody'));
      await waitUntil(() => received.includes('HTTP/1.1 401'), 'it is refused');
      socket.write('zz\r\n');
      await waitUntil(() => socket.closed, 'the connection is closed');
      expect(statusesIn(received)).toEqual([401]);
    });
  });
});

describe('a body', () => {
  const wakeups = () => `/v1/agents/${sleeper.id}/wakeups`;
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  test('as deep as it may be is taken', async () => {
    // The body and the payload are levels, too.
    const text = `{"payload":{"a":${nested(httpLimits.jsonDepth - 2)}}}`;
    expectStatus(await server.api('POST', wakeups(), text, asJson), 202);
  });

  test.each([
    ['one level deeper', 'payload', () => nested(httpLimits.jsonDepth - 1)],
    ['a hundred thousand lists', 'contextSnapshot', () => nested(100_000)],
    ['as many objects', 'payload', () => `${'{"a":'.repeat(60_000)}1${'}'.repeat(60_000)}`],
  ])('%s: 400 that names the field, at once', async (_what, field, value) => {
    const before = await head(server);
    const begunAt = performance.now();
    const answer = await server.api('POST', wakeups(), `{"${field}":{"a":${value()}}}`, asJson);
    const { details, detail } = expectProblem(answer, 400, 'bad_request');
    expect(details.field).toBe(field);
    expect(detail).toMatch(/nested deeper than 100 levels/);
    expect(performance.now() - begunAt).toBeLessThan(2_000);
    expect(await head(server)).toBe(before);
  });

  test('what is no object, and too deep, is named as the body', async () => {
    const answer = await server.api('POST', wakeups(), nested(5_000), asJson);
    expect(expectProblem(answer, 400, 'bad_request').details.field).toBe('0');
  });

  test('with very many wrong fields is refused with some of them', async () => {
    const fields = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field${index}`, 1]));
    const answer = await server.api('POST', '/v1/companies', fields);
    const { details } = expectProblem(answer, 400, 'bad_request');
    expect(details.issues).toHaveLength(httpLimits.issues);
    expect(answer.bytes.length).toBeLessThan(10_000);
  });

  test('that is encoded is not guessed at: 415', async () => {
    const headers = { ...asJson, 'content-encoding': 'gzip' };
    expectProblem(await server.api('POST', wakeups(), '{}', headers), 415, 'unsupported_media_type');
  });

  test.each([
    ['cut off', (secret: string) => `{"value": "${secret}`],
    ['with a comma too much', (secret: string) => `{"value": "${secret}",}`],
    ['without quotes', (secret: string) => secret],
  ])('%s is refused without any of it', async (_what, text) => {
    const secret = 'hunter2-in-a-broken-body';
    const path = `/v1/companies/${company.id}/secrets/NAME`;
    const answer = await server.api('PUT', path, text(secret), asJson);
    expectProblem(answer, 400, 'bad_request');
    expect(answer.bytes.toString()).not.toContain('hunter2');
  });
});

describe('a slow client', () => {
  const slack = 4 * httpLimits.checkMs;

  test('that says nothing, or not all of its head, is not waited for', async () => {
    const answers = await Promise.all([
      sendRaw(server.url, ''),
      sendRaw(server.url, 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n', {
        drip: { text: 'a: b\r\n', everyMs: 200 },
      }),
    ]);
    for (const answer of answers) {
      expectRawProblem(answer, 408, 'request_timeout');
      expect(answer.ms).toBeGreaterThan(httpLimits.headersMs - 1_000);
      expect(answer.ms).toBeLessThan(httpLimits.headersMs + slack);
    }
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
