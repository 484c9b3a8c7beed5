import { sendRaw } from '../../support/raw-http';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Company } from '../http/client';
import { head, openCompany } from '../http/client';

/** What a page in the browser of somebody who may use the server can do with it: nothing, and see nothing. */

const EVIL = 'http://evil.example';
const SOCKET = '/socket.io/?EIO=4&transport=';
const UPGRADE =
  'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

let server: TestServer;
let open: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer();
  // Where nobody is asked for a token, a page needs none either.
  open = await startTestServer({ auth: 'none' });
  company = await openCompany(server);
});
afterAll(() => Promise.all([server.close(), open.close()]));

describe('every answer', () => {
  const answers: [string, string, string, number][] = [
    ['a list', 'GET', '/v1/companies/ID/agents', 200],
    ['a write', 'POST', '/v1/companies', 400],
    ['a route that there is not', 'GET', '/nothing', 404],
    ['a path that cannot be decoded', 'GET', '/%zz', 400],
    ['one that is too long', 'GET', `/v1/runs/${'a'.repeat(3_000)}`, 414],
    ['health', 'GET', '/health/live', 200],
    ['metrics', 'GET', '/metrics', 200],
    ['the description', 'GET', '/openapi.json', 200],
    ['its page', 'GET', '/docs', 200],
    ['the handshake of a socket', 'GET', `${SOCKET}polling`, 200],
    ['one that is refused', 'PUT', `${SOCKET}polling`, 400],
    ['a preflight', 'OPTIONS', '/v1/companies', 404],
  ];

  test.each(answers)('%s says that it is for nobody else', async (_what, method, path, status) => {
    const answer = await server.api(method, path.replace('ID', company.id));
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });

  test('an event stream, too', async () => {
    const text = [
      `GET /v1/companies/${company.id}/events HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${server.token}`,
      'Accept: text/event-stream\r\n\r\n',
    ].join('\r\n');
    const { status, headers } = await sendRaw(server.url, text, { leavesAfterMs: 500 });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['too large a head', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('to %s is not taken for another type, nor kept', async (_what, text) => {
    const { headers } = await sendRaw(server.url, text);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
});

describe.each([
  ['with tokens', () => server],
  ['without tokens', () => open],
])('a page of another origin, %s', (_what, target) => {
  const from = (line: string, headers: string) =>
    sendRaw(target().url, `${line} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`, { leavesAfterMs: 3_000 });

  test.each([
    ['Origin', `Origin: ${EVIL}\r\nConnection: close\r\n`],
    ['Origin: null', 'Origin: null\r\nConnection: close\r\n'],
    ['preflight', `Origin: ${EVIL}\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n`],
  ])('is refused on every way in: %s', async (_kind, headers) => {
    const lines = [
      'GET /v1/companies/x',
      'OPTIONS /v1/companies',
      'GET /v1/companies/x/events',
      'GET /health/live',
      'GET /docs',
      `GET ${SOCKET}polling`,
      `POST ${SOCKET}polling`,
    ];
    for (const line of lines) {
      const { status, text } = await from(line, headers);
      // What does not begin a session at /socket.io is refused before anybody asks where it is from.
      expect({ line, status }).toEqual({ line, status: line.startsWith('POST') ? 400 : 403 });
      expect(text.toLowerCase()).not.toContain('access-control-allow');
    }
  });

  test.each(['/socket.io', '/live', '/v1/companies'])('gets no WebSocket at %s', async (path) => {
    const line = `GET ${path}/?EIO=4&transport=websocket`;
    const { text } = await from(line, `Origin: ${EVIL}\r\nConnection: Upgrade\r\n${UPGRADE}`);
    expect(text).not.toMatch(/101 Switching/);
  });

  test('that has made its own name point here is refused by the Host, sockets included', async () => {
    for (const path of ['/v1/companies/x', '/docs', `${SOCKET}polling`, `${SOCKET}websocket`]) {
      const lines = `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n`;
      const ending = path.endsWith('websocket')
        ? `Connection: Upgrade\r\n${UPGRADE}`
        : 'Connection: close\r\n';
      const { status, text } = await sendRaw(target().url, `${lines}${ending}\r\n`, { leavesAfterMs: 3_000 });
      expect([400, 403]).toContain(status);
      expect(text).not.toMatch(/101 Switching/);
    }
  });

  test('changes nothing by what a form can send', async () => {
    const before = await head(target());
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const body = '{"name":"Evil"}';
      const headers = `Origin: ${EVIL}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n`;
      const text = `POST /v1/companies HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`;
      expect((await sendRaw(target().url, text)).status).toBe(403);
    }
    expect(await head(target())).toBe(before);
  });
});

test('none of this was an error of the server', () => {
  expect([...server.errors, ...open.errors]).toEqual([]);
});
