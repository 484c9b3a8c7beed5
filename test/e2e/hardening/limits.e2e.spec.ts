import { httpLimits } from '../../../src/http/limits';
import type { RawAnswer } from '../../support/raw-http';
import { sendRaw } from '../../support/raw-http';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Company } from '../http/client';
import { expectProblem, expectStatus, head, openCompany, registerAgent } from '../http/client';

/** What one client can make the server take in, asked for from outside, up to the limit and one step over it. */

let server: TestServer;
let company: Company;
let sleeper: Agent;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
  sleeper = await registerAgent(server, company.id, { heartbeat: { wakeOnDemand: false } });
});
afterAll(() => server.close());

const json = { 'content-type': 'application/json' };
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

describe('a body', () => {
  const wakeups = () => `/v1/agents/${sleeper.id}/wakeups`;
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  test('as deep as it may be is taken', async () => {
    // The body and the payload are levels, too.
    const text = `{"payload":{"a":${nested(httpLimits.jsonDepth - 2)}}}`;
    expectStatus(await server.api('POST', wakeups(), text, json), 202);
  });

  test.each([
    ['one level deeper', 'payload', () => nested(httpLimits.jsonDepth - 1)],
    ['a hundred thousand lists', 'contextSnapshot', () => nested(100_000)],
    ['as many objects', 'payload', () => `${'{"a":'.repeat(60_000)}1${'}'.repeat(60_000)}`],
  ])('%s: 400 that names the field, at once', async (_what, field, value) => {
    const before = await head(server);
    const begunAt = performance.now();
    const answer = await server.api('POST', wakeups(), `{"${field}":{"a":${value()}}}`, json);
    const { details, detail } = expectProblem(answer, 400, 'bad_request');
    expect(details.field).toBe(field);
    expect(detail).toMatch(/nested deeper than 100 levels/);
    expect(performance.now() - begunAt).toBeLessThan(2_000);
    expect(await head(server)).toBe(before);
  });

  test('what is no object, and too deep, is named as the body', async () => {
    const answer = await server.api('POST', wakeups(), nested(5_000), json);
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
    const headers = { ...json, 'content-encoding': 'gzip' };
    expectProblem(await server.api('POST', wakeups(), '{}', headers), 415, 'unsupported_media_type');
  });

  test.each([
    ['cut off', (secret: string) => `{"value": "${secret}`],
    ['with a comma too much', (secret: string) => `{"value": "${secret}",}`],
    ['without quotes', (secret: string) => secret],
  ])('%s is refused without any of it', async (_what, text) => {
    const secret = 'hunter2-in-a-broken-body';
    const path = `/v1/companies/${company.id}/secrets/NAME`;
    const answer = await server.api('PUT', path, text(secret), json);
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
