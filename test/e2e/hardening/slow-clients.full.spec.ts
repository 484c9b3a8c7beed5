import { httpLimits } from '../../../src/http/limits';
import { sendRaw } from '../../support/raw-http';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { expectStatus } from '../http/client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test('bodies that drip and connections that are kept for nothing end in time, while others are answered', async () => {
  const head = (token: string) =>
    `POST /v1/companies HTTP/1.1\r\nHost: localhost\r\n${token}Content-Type: application/json\r\nContent-Length: 400000\r\n\r\n`;
  const drip = { text: ' ', everyMs: 100 };
  const options = { drip, leavesAfterMs: 120_000 };
  const slow = Array.from({ length: 100 }, () =>
    sendRaw(server.url, head(`Authorization: Bearer ${server.token}\r\n`), options),
  );
  const stranger = sendRaw(server.url, head(''), options);
  const idle = sendRaw(server.url, 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n', {
    leavesAfterMs: 120_000,
  });
  expectStatus(await server.api('GET', '/health/live'), 200);
  for (const answer of await Promise.all(slow)) {
    expect(answer.status).toBe(408);
    expect(answer.ms).toBeLessThan(httpLimits.requestMs + 10_000);
  }
  const refused = await stranger;
  expect(refused.status).toBe(401);
  expect(refused.ms).toBeLessThan(httpLimits.requestMs + 10_000);
  const kept = await idle;
  expect(kept.status).toBe(200);
  expect(kept.ms).toBeGreaterThan(httpLimits.keepAliveMs - 5_000);
  expect(kept.ms).toBeLessThan(httpLimits.keepAliveMs + 10_000);
}, 150_000);
