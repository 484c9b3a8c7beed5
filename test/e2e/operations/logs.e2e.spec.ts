import pino from 'pino';
import { environmentForAgents, readConfig } from '../../../src/config';
import type { RunningServer } from '../../../src/server';
import { startServer } from '../../../src/server';
import { HttpAgent } from '../../support/http-agent';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

type Line = Record<string, unknown>;

const lines: Line[] = [];
let server: RunningServer;
let closed: Promise<void> | undefined;

const close = () => (closed ??= server.close());

beforeAll(async () => {
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Line) },
  );
  const flags = { port: '0', dataDir: temporaryFolder(), httpPrivateAddresses: 'allow' };
  server = await startServer(readConfig(flags, {}), environmentForAgents(), logger);
});
afterAll(close);

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json', ...headers },
    body: body && JSON.stringify(body),
  });
  return { requestId: answer.headers.get('x-request-id'), body: (await answer.json()) as Line };
}

const lineOf = (requestId: string) =>
  waitUntil(() => lines.find((line) => line['requestId'] === requestId), `${requestId} is logged`);

test('a request keeps the id it comes with, gets that of its trace, or a new one', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
  const named = await ask('GET', '/v1/runs/nobody?waitFor=0', undefined, {
    'x-request-id': 'my-id:1',
    traceparent,
  });
  expect(named.requestId).toBe('my-id:1');
  expect((await ask('GET', '/health/live', undefined, { traceparent })).requestId).toBe(trace);
  const fresh = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;
  expect((await ask('GET', '/health/live')).requestId).toMatch(fresh);
  const long = await ask('GET', '/health/live', undefined, {
    'x-request-id': 'x'.repeat(129),
    traceparent: 'no',
  });
  expect(long.requestId).toMatch(fresh);
  expect(await lineOf('my-id:1')).toMatchObject({
    msg: 'request answered',
    nodeId: expect.any(String),
    method: 'GET',
    path: '/v1/runs/nobody',
    route: '/v1/runs/:runId',
    ms: expect.any(Number),
  });
});

test('the id of a request is on what it leads to, down to the lines about its run', async () => {
  const agent = await HttpAgent.start();
  try {
    const url = agent.on('/hang', () => undefined);
    const company = await ask('POST', '/v1/companies', { name: 'Initech' });
    const path = `/v1/companies/${company.body['id'] as string}/agents`;
    const registered = await ask('POST', path, { name: 'Ada', adapterType: 'http', adapterConfig: { url } });
    const agentId = registered.body['id'] as string;
    const invoked = await ask('POST', `/v1/agents/${agentId}/invoke`, {}, { 'x-request-id': 'who-asked' });
    const { id: runId } = invoked.body['run'] as { id: string };
    await waitUntil(() => agent.received.length > 0, 'the agent is asked');
    await close();
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'run left to itself', runId, agentId, correlationId: 'who-asked' }),
    );
  } finally {
    await agent.close();
  }
});

test('no line has a token, a header or a query in it', () => {
  const text = JSON.stringify(lines);
  expect(lines.length).toBeGreaterThan(5);
  expect(text).not.toContain(server.adminToken);
  expect(text).not.toMatch(/authorization|waitFor/i);
});
