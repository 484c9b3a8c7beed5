import { request } from 'node:http';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent } from '../http/client';
import { head, openCompany, registerAgent, runOnce, shell, UNKNOWN_ID } from '../http/client';
import { readFeed } from './feed';

let server: TestServer;
let companyId: string;
let agent: Agent;
let other: Agent;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
  const adapterConfig = shell('echo out; echo err >&2');
  agent = await registerAgent(server, companyId, { adapterConfig });
  other = await registerAgent(server, companyId);
});
afterEach(() => closeLiveSockets());
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server.close();
});

describe('the handshake', () => {
  test.each([
    ['no token', {}],
    ['a wrong token', { token: 'wrong' }],
    ['something else than a token', { token: { toString: 1 } }],
  ])('with %s is refused', async (_what, auth) => {
    await expect(connectLive(server, { auth })).rejects.toMatchObject({
      message: 'unauthorized',
      data: { error: 'unauthorized', message: 'A valid token is needed' },
    });
  });

  test('of another namespace is refused, with any token', async () => {
    await expect(connectLive(server, {}, '/')).rejects.toThrow('the namespace is /live');
    await expect(connectLive(server, {}, '/other')).rejects.toThrow('Invalid namespace');
  });

  test('of a foreign Origin or Host is refused, over both transports', async () => {
    const foreign = { extraHeaders: { origin: 'http://evil.example' } };
    for (const transport of ['polling', 'websocket']) {
      await expect(connectLive(server, { ...foreign, transports: [transport] })).rejects.toThrow();
    }
    const extraHeaders = { host: 'evil.example' };
    await expect(connectLive(server, { extraHeaders, transports: ['websocket'] })).rejects.toThrow();
    const path = '/socket.io/?EIO=4&transport=polling';
    expect(await server.api('GET', path, undefined, extraHeaders)).toMatchObject({ status: 403 });
    expect(await server.api('GET', path)).toMatchObject({ status: 200 });
  });

  test('does not let web pages of others read anything', async () => {
    const headers = await new Promise<object>((resolve, reject) => {
      const path = `${server.url}/socket.io/?EIO=4&transport=polling`;
      request(path, (answer) => resolve(answer.resume().headers))
        .on('error', reject)
        .end();
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

test.each(['polling', 'websocket'])('messages come over %s, the same as in the feed', async (transport) => {
  const live = await connectLive(server, { transports: [transport] });
  expect(await live.ask('subscribe', { companyId, after: '0', logs: true })).toEqual({ position: '0' });
  await runOnce(server, agent.id);
  await head(server);
  const expected = await readFeed(server, companyId);
  await waitUntil(() => live.messages.length >= expected.length, 'all messages are there');
  expect(live.messages).toEqual(expected);
});

test('a socket has several subscriptions, is told each message once, and can end them', async () => {
  const from = await head(server);
  const live = await connectLive(server);
  for (const scope of [{ companyId }, { agentId: agent.id }, { agentId: other.id }]) {
    expect(await live.ask('subscribe', scope)).toEqual({ position: from });
  }
  const run = await runOnce(server, agent.id);
  expect(await live.ask('subscribe', { runId: run.id, after: from })).toEqual({ position: from });
  const told = (await readFeed(server, companyId)).filter(({ position }) => BigInt(position) > BigInt(from));
  await waitUntil(() => live.messages.length >= told.length, 'all messages are there');
  expect(live.messages.map(({ cursor }) => cursor).sort()).toEqual(told.map(({ cursor }) => cursor).sort());

  expect(await live.ask('unsubscribe', { companyId })).toEqual({ unsubscribed: true });
  expect(await live.ask('unsubscribe', { companyId })).toEqual({ unsubscribed: false });
  expect(await live.ask('unsubscribe', { agentId: other.id })).toEqual({ unsubscribed: true });
  live.messages.length = 0;
  await runOnce(server, other.id);
  const { body } = await server.api<{ position: string }>('POST', `/v1/agents/${agent.id}/wakeups`);
  await waitUntil(
    () => live.messages.some(({ position }) => position === body.position),
    'the wakeup is told',
  );
  expect(live.messages.filter(({ payload }) => 'agentId' in payload && payload.agentId !== agent.id)).toEqual(
    [],
  );
});

test('what a subscription cannot be is said', async () => {
  const live = await connectLive(server);
  const ask = (body: unknown) => live.ask('subscribe', body);
  expect(await ask({ companyId, logs: 'yes' })).toMatchObject({ error: 'bad_request', field: 'logs' });
  expect(await ask({ companyId, after: 'yesterday' })).toMatchObject({
    error: 'bad_request',
    field: 'after',
  });
  expect(await ask({ companyId, after: 4 })).toMatchObject({ error: 'bad_request', field: 'after' });
  expect(await ask({ companyId, agentId: agent.id })).toMatchObject({
    error: 'bad_request',
    field: 'agentId',
  });
  expect(await ask({})).toMatchObject({ error: 'bad_request', field: 'companyId' });
  expect(await ask(null)).toMatchObject({ error: 'bad_request' });
  expect(await ask({ companyId, colour: 'red' })).toMatchObject({ error: 'bad_request', field: 'colour' });
  expect(await ask({ companyId: UNKNOWN_ID })).toMatchObject({ error: 'company_not_found' });
  expect(await ask({ agentId: UNKNOWN_ID })).toMatchObject({ error: 'agent_not_found' });
  expect(await ask({ runId: 'x' })).toMatchObject({ error: 'run_not_found' });
  expect(await ask({ companyId, after: '999999999999' })).toMatchObject({
    error: 'position_past_head',
    field: 'after',
  });
  expect(await live.ask('unsubscribe', {})).toMatchObject({ error: 'bad_request', field: 'companyId' });
  // Nobody waits for an answer: nothing happens.
  live.socket.emit('subscribe', { companyId: UNKNOWN_ID });
  live.socket.emit('subscribe');
  expect(await ask({ companyId })).toEqual({ position: expect.any(String) });
});

test('a company that was registered a moment ago can be followed', async () => {
  const live = await connectLive(server);
  const company = await openCompany(server);
  await live.ask('subscribe', { companyId: company.id, after: '0' });
  await waitUntil(() => live.messages.length > 0, 'its registration is told');
  expect(live.messages[0]).toMatchObject({ type: 'company.registered', companyId: company.id });
});

test('a server that stops says so and lets go of its sockets; without a token everybody may follow', async () => {
  const open = await startTestServer({ auth: 'none' });
  const { id } = await openCompany(open);
  const live = await connectLive(open, { auth: {} });
  await live.ask('subscribe', { companyId: id });
  const polling = await connectLive(open, { transports: ['polling'] });
  const disconnected = [live, polling].map(
    ({ socket }) => new Promise((resolve) => socket.once('disconnect', resolve)),
  );
  await open.close();
  await Promise.all(disconnected);
  expect(live.closed).toEqual({ reason: 'server_stopping' });
});
