import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Company } from './client';
import { expectProblem, expectStatus, head, openCompany, UNKNOWN_ID } from './client';

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
});
afterAll(() => server.close());

describe('the admin token', () => {
  test('is in a file that only its owner can read', () => {
    const file = join(server.dataDir, 'admin-token');
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(readFileSync(file, 'utf8').trim()).toBe(server.token);
    expect(server.token.length).toBeGreaterThanOrEqual(32);
  });

  test('is in a folder that only its owner can enter', () => {
    const folder = join(server.dataDir, 'stores');
    expect((statSync(folder).mode & 0o077 & statSync(server.dataDir).mode).toString(8)).toBe('0');
  });
});

describe('without a valid token', () => {
  const routes: [string, string][] = [
    ['GET', `/v1/companies/${UNKNOWN_ID}`],
    ['POST', '/v1/companies'],
    ['GET', `/v1/companies/${UNKNOWN_ID}/agents`],
    ['POST', `/v1/companies/${UNKNOWN_ID}/agents`],
    ['GET', `/v1/agents/${UNKNOWN_ID}`],
    ['PATCH', `/v1/agents/${UNKNOWN_ID}`],
    ['POST', `/v1/agents/${UNKNOWN_ID}/wakeups`],
    ['GET', `/v1/runs/${UNKNOWN_ID}/log`],
    ['POST', '/v1/admin/reap'],
    ['GET', '/v1/nothing/of/the/kind'],
    ['GET', '/'],
    ['GET', '/metrics'],
    ['GET', '/health'],
    ['GET', '/health/live/more'],
    ['GET', '/health/live/'],
    ['GET', '/v1/companies/..%2f..%2fhealth%2flive'],
    ['GET', '/health/live/../../v1/companies'],
    ['OPTIONS', '/v1/companies'],
    ['DELETE', '/health/live/x'],
  ];

  test.each(routes)('%s %s is 401, also where there is nothing', async (method, path) => {
    const answer = await server.api(method, path, undefined, { authorization: undefined });
    expectProblem(answer, 401, 'unauthorized');
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  });

  test.each([
    ['another one', () => 'Bearer rvl_wrong'],
    ['none after the scheme', () => 'Bearer '],
    ['another scheme', () => `Basic ${server.token}`],
    ['the bare token', () => server.token],
    ['the token and more', () => `Bearer ${server.token} x`],
    ['the beginning of the token', () => `Bearer ${server.token.slice(0, -1)}`],
    ['the token, and a letter', () => `Bearer ${server.token}x`],
    ['the token in capitals', () => `Bearer ${server.token.toUpperCase()}`],
  ])('%s is 401', async (_what, authorization) => {
    const headers = { authorization: authorization() };
    expectProblem(
      await server.api('GET', `/v1/companies/${company.id}`, undefined, headers),
      401,
      'unauthorized',
    );
  });

  test('the token in the query is no token', async () => {
    const path = `/v1/companies/${company.id}?token=${server.token}&access_token=${server.token}`;
    expectProblem(
      await server.api('GET', path, undefined, { authorization: undefined }),
      401,
      'unauthorized',
    );
  });

  test('a refused write changes nothing', async () => {
    const before = await head(server);
    const answer = await server.api(
      'POST',
      '/v1/companies',
      { name: 'Evil' },
      { authorization: 'Bearer no' },
    );
    expectProblem(answer, 401, 'unauthorized');
    expect(await head(server)).toBe(before);
  });

  test('a body is not read before the token is: 401, not 413 or 400', async () => {
    const headers = { authorization: undefined, 'content-type': 'application/json' };
    const big = Buffer.alloc(2 * 1024 * 1024, ' ');
    expect([401, 'reset']).toContain(
      await statusOrReset(() => server.api('POST', '/v1/companies', big, headers)),
    );
    expectProblem(await server.api('POST', '/v1/companies', '{', headers), 401, 'unauthorized');
  });

  test.each(['/health/live', '/health/ready', '/health/live?x=1'])('%s is open', async (path) => {
    const answer = await server.api('GET', path, undefined, { authorization: undefined });
    expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('what is open tells nothing of the token or of the companies', async () => {
    const { bytes } = await server.api('GET', '/health/ready', undefined, { authorization: undefined });
    expect(bytes.toString()).not.toContain(server.token);
    expect(bytes.toString()).not.toContain(company.id);
  });
});

describe('a web page cannot drive the service', () => {
  const port = () => new URL(server.url).port;

  test.each([
    'evil.example',
    'evil.example:80',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '127.0.0.1@evil.example',
    'evil.example#127.0.0.1',
    'localhost:80:80',
  ])('Host %s is 403', async (host) => {
    for (const path of ['/v1/companies', '/health/live', '/nothing']) {
      expectProblem(await server.api('GET', path, undefined, { host }), 403, 'forbidden_host');
    }
  });

  test.each(['localhost', '127.0.0.1', 'LOCALHOST', hostname(), '[::1]'])('Host %s is fine', async (name) => {
    const headers = { host: `${name}:${port()}` };
    expectStatus(await server.api('GET', `/v1/companies/${company.id}`, undefined, headers), 200);
  });

  test.each([
    'http://evil.example',
    'https://evil.example',
    'null',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'http://localhost:1',
    'file://',
    '',
    'chrome-extension://abc',
  ])('Origin "%s" is 403, with the right token, and nothing happens', async (origin) => {
    const before = await head(server);
    const answer = await server.api('POST', '/v1/companies', { name: 'Evil' }, { origin });
    expectProblem(answer, 403, 'forbidden_host');
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(await head(server)).toBe(before);
  });

  test('its own origin is fine', async () => {
    const path = `/v1/companies/${company.id}`;
    expectStatus(await server.api('GET', path, undefined, { origin: server.url }), 200);
  });

  test('no answer allows another origin to read it', async () => {
    const { headers } = await server.api('GET', `/v1/companies/${company.id}`);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

test('without authentication a web page still cannot drive the service', async () => {
  const open = await startTestServer({ auth: 'none' });
  try {
    const anyone = { authorization: undefined };
    expectStatus(await open.api('POST', '/v1/companies', { name: 'Acme' }, anyone), 201);
    const before = await head(open);
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { host: 'evil.example' }]) {
      const answer = await open.api('POST', '/v1/companies', { name: 'Evil' }, { ...anyone, ...headers });
      expectProblem(answer, 403, 'forbidden_host');
    }
    // What a page may send to another origin without asking first.
    const form = { ...anyone, 'content-type': 'text/plain' };
    expect((await open.api('POST', '/v1/companies', '{"name":"Evil"}', form)).status).toBeGreaterThanOrEqual(
      400,
    );
    expect(await head(open)).toBe(before);
  } finally {
    await open.close();
  }
});

describe('a connection that does not speak HTTP', () => {
  test.each([
    ['garbage', 'hello\r\n\r\n'],
    ['HTTP/1.1 without Host', 'GET /health/live HTTP/1.1\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/companies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    ],
    [
      'a length and chunks',
      'POST /v1/companies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['headers without end', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`],
  ])('%s is refused, and the server goes on', async (_what, text) => {
    expect(await exchange(text)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    expectStatus(await server.api('GET', '/health/live'), 200);
  });

  test('one that goes away in the middle of its body writes nothing', async () => {
    const before = await head(server);
    const start = `POST /v1/companies HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${server.token}\r\n`;
    await exchange(
      `${start}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"name":"Half"`,
      true,
    );
    expect(await head(server)).toBe(before);
  });

  /** What the server answers before it closes the connection, or before we do. */
  function exchange(text: string, leaves = false): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(Number(port()), '127.0.0.1', () => {
        if (leaves) socket.end(text, () => socket.destroy());
        else socket.write(text);
      });
      let received = '';
      socket.on('data', (part) => (received += part.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(received));
    });
  }

  const port = () => new URL(server.url).port;
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});

async function statusOrReset(send: () => Promise<{ status: number }>): Promise<number | 'reset'> {
  try {
    return (await send()).status;
  } catch {
    return 'reset';
  }
}
