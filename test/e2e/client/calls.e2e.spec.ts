import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ReveilleClient, ReveilleError } from '../../../src/client';
import { CuttingProxy } from '../../support/cutting-proxy';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { openCompany, registerAgent, UNKNOWN_ID } from '../http/client';

let server: TestServer;
let api: ReveilleClient;

beforeAll(async () => {
  server = await startTestServer();
  api = new ReveilleClient({ url: `${server.url}/`, token: server.token });
});
afterAll(() => server.close());

/** A server that answers as it is told, and notes what it is asked. */
async function pretend(
  answer: (request: IncomingMessage & { body: string }, response: ServerResponse) => void,
): Promise<{ url: string; close: () => Promise<void> }> {
  const pretender = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => answer(Object.assign(request, { body }), response));
  });
  await new Promise<void>((resolve) => pretender.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    pretender.closeAllConnections();
    await new Promise((resolve) => pretender.close(resolve));
  };
  return { url: `http://127.0.0.1:${(pretender.address() as AddressInfo).port}`, close };
}

describe('wake', () => {
  test('over a line that is cut after the request: one wakeup, not two', async () => {
    const company = await openCompany(server);
    const agent = await registerAgent(server, company.id, { heartbeat: { whenBusy: 'enqueue' } });
    const proxy = await CuttingProxy.before(server.url);
    let attempts = 0;
    const overProxy = new ReveilleClient({
      url: proxy.url,
      token: server.token,
      fetch: async (...args) => {
        attempts += 1;
        const response = await fetch(...args);
        if (attempts < 3) throw new TypeError('the line was cut before the answer came');
        return response;
      },
    });
    const { wakeup } = await overProxy.wake(agent.id, { reason: 'once' });
    await proxy.close();
    expect(attempts).toBe(3);
    const { items } = await api.wakeups(agent.id);
    expect(items.map(({ id, reason }) => [id, reason])).toEqual([[wakeup.id, 'once']]);
  });

  test('while the server says 503 it waits as long as it is told, and asks the same again', async () => {
    const bodies: string[] = [];
    const times: number[] = [];
    const busy = await pretend(({ body }, response) => {
      bodies.push(body);
      times.push(Date.now());
      if (bodies.length === 1)
        response.writeHead(503, { 'retry-after': '1' }).end('{"code":"log_unavailable"}');
      else response.writeHead(202).end('{"wakeup":{},"run":null,"position":"1"}');
    });
    await new ReveilleClient({ url: busy.url, token: null }).wake('a', { reason: 'r' });
    await busy.close();
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toBe(bodies[0]);
    expect((JSON.parse(bodies[0]!) as { idempotencyKey: string }).idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1_000);
  });

  test("the caller's own key is left as it is", async () => {
    const company = await openCompany(server);
    const agent = await registerAgent(server, company.id);
    const first = await api.wake(agent.id, { idempotencyKey: 'mine' });
    const again = await api.wake(agent.id, { idempotencyKey: 'mine' });
    expect(again.wakeup.id).toBe(first.wakeup.id);
    expect(first.wakeup.idempotencyKey).toBe('mine');
  });

  test('waiting for what becomes of it', async () => {
    const company = await openCompany(server);
    const agent = await registerAgent(server, company.id);
    const { wakeup } = await api.wake(agent.id, {}, { invoke: true });
    expect(wakeup.triggerDetail).toBe('manual');
    expect((await api.untilRun(wakeup.id)).runId).not.toBeNull();
    expect(await api.untilSettled(wakeup.id)).toMatchObject({ status: 'completed', runStatus: 'succeeded' });
  });
});

describe('what goes wrong is a ReveilleError', () => {
  test('a refusal has status, code and details', async () => {
    const error = await api.registerCompany({ name: '' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ReveilleError);
    expect(error).toMatchObject({
      status: 400,
      code: 'bad_request',
      isTemporary: false,
      details: { field: 'name' },
    });
    await expect(api.run(UNKNOWN_ID)).rejects.toMatchObject({ status: 404, code: 'run_not_found' });
    const stranger = new ReveilleClient({ url: server.url, token: 'wrong' });
    await expect(stranger.company(UNKNOWN_ID)).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
  });

  test('nobody there: unreachable, after the patience of the caller', async () => {
    const gone = await pretend(() => undefined);
    await gone.close();
    const started = Date.now();
    const client = new ReveilleClient({ url: gone.url, patienceMs: 500 });
    await expect(client.company(UNKNOWN_ID)).rejects.toMatchObject({
      status: null,
      code: 'unreachable',
      isTemporary: true,
    });
    expect(Date.now() - started).toBeGreaterThan(100);
    const impatient = new ReveilleClient({ url: gone.url, patienceMs: 0 });
    await expect(impatient.company(UNKNOWN_ID)).rejects.toThrow(/cannot reach .*ECONNREFUSED/);
  });

  test('something else than Reveille is said to be that', async () => {
    const other = await pretend((_request, response) => response.end('<html>'));
    const client = new ReveilleClient({ url: other.url });
    await expect(client.company(UNKNOWN_ID)).rejects.toMatchObject({ code: 'not_reveille', status: 200 });
    await other.close();
  });

  test('what must not be done twice is asked once', async () => {
    let asked = 0;
    const busy = await pretend((_request, response) => {
      asked += 1;
      response.writeHead(503).end('{"code":"log_unavailable"}');
    });
    const client = new ReveilleClient({ url: busy.url });
    await expect(client.registerCompany({ name: 'Acme' })).rejects.toMatchObject({ status: 503 });
    await expect(client.patchAgent('a', { name: 'b' }, 3)).rejects.toMatchObject({ status: 503 });
    await busy.close();
    expect(asked).toBe(2);
  });
});

test('every other call, on a real server', async () => {
  const company = await api.registerCompany({ name: 'Acme', externalKey: 'client' });
  expect((await api.changeCompanyStatus(company.id, 'pause')).status).toBe('paused');
  expect((await api.changeCompanyStatus(company.id, 'resume')).status).toBe('active');
  const request = { name: 'Ada', adapterType: 'process', adapterConfig: { command: 'true' } };
  const agent = await api.registerAgent(company.id, request);
  expect((await api.agents(company.id, { status: 'idle' })).items).toEqual([agent]);
  expect((await api.patchAgent(agent.id, { name: 'Bea' }, agent.version)).name).toBe('Bea');
  await expect(api.patchAgent(agent.id, { name: 'C' }, agent.version)).rejects.toMatchObject({ status: 412 });
  expect((await api.changeAgentStatus(agent.id, 'pause')).cancelledRuns).toEqual([]);
  await api.changeAgentStatus(agent.id, 'resume');
  expect((await api.runtimeState(agent.id, { taskKey: 't' })).taskKey).toBe('t');
  expect((await api.resetSession(agent.id)).sessionId).toBeNull();
  expect(await api.activeRun(agent.id)).toBeNull();
  const { wakeup, run } = await api.wake(agent.id);
  await api.untilSettled(wakeup.id);
  expect((await api.cancelWakeup(wakeup.id)).status).toBe('completed');
  expect((await api.cancelRun(run!.id)).status).toBe('succeeded');
  expect((await api.runs(company.id, { agentId: agent.id })).items.map(({ id }) => id)).toEqual([run!.id]);
  expect((await api.logPage(run!.id, { offset: 0 })).eof).toBe(true);
  expect((await api.putSecret(company.id, 'key', 'value')).name).toBe('key');
  expect((await api.secrets(company.id)).items).toHaveLength(1);
  const perMillion = { inputMicros: 1, outputMicros: 2, cachedInputMicros: 3 };
  const prices = [{ provider: 'p', model: 'm', validFrom: '2026-01-01T00:00:00.000Z', ...perMillion }];
  expect(await api.putPrices(company.id, { prices })).toEqual({ prices });
  expect(await api.prices(company.id)).toEqual({ prices });
  expect((await api.costs(company.id, { groupBy: 'agent' })).items.map(({ key }) => key)).toEqual([agent.id]);
  expect(await api.tick()).toMatchObject({ checked: 0 });
  expect(await api.reap()).toEqual({ reaped: 0, runIds: [] });
  expect((await api.ready()).status).toBe('ok');
});
