import WebSocket from 'ws';
import { liveLimits } from '../../../src/http/limits';
import { clientOf, disconnectClients } from '../../support/access';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Company } from '../http/client';
import { expectProblem, Gate, openCompany, scriptedAgent, untilFinal, wake } from '../http/client';

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
});
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await server.close();
});

type Packet = string | Buffer;

/** Speaks the protocol of Engine.IO by hand, and answers what has come back when it was closed or `until` says so. */
async function speak(packets: readonly Packet[], until: RegExp, timeoutMs?: number): Promise<string[]> {
  const address = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(address);
  const received: string[] = [];
  let isClosed = false;
  socket.on('message', (data: Buffer) => received.push(data.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => (isClosed = true));
  await waitUntil(() => received.length > 0, 'the socket is open');
  for (const packet of packets) {
    socket.send(packet);
    const isJoining = packet === join();
    if (isJoining) await waitUntil(() => received.length > 1, 'the socket has come in');
  }
  const isDone = () => isClosed || received.some((text) => until.test(text));
  await waitUntil(isDone, `${until.source} or the end of the connection`, timeoutMs);
  socket.terminate();
  return received.slice(1);
}

const join = () => `40/live,${JSON.stringify({ token: server.token })}`;

describe('what is not a subscription', () => {
  const nested = '['.repeat(7_000) + ']'.repeat(7_000);

  test.each<[string, unknown, string]>([
    ['a list', [], ''],
    ['a text', 'companyId', ''],
    ['a number', 7, ''],
    ['nothing', {}, 'companyId'],
    ['two things', { companyId: 'a', runId: 'b' }, 'runId'],
    ['an operator', { companyId: { $ne: null } }, 'companyId'],
    ['a list of ids', { companyId: ['a', 'b'] }, 'companyId'],
    ['a huge id', { companyId: 'x'.repeat(15_000) }, 'companyId'],
    ['an unknown field', { companyId: 'a', admin: true }, 'admin'],
    ['a cursor that is none', { companyId: 'a', after: "1' OR 1" }, 'after'],
  ])('%s is refused by name', async (_what, request, field) => {
    const live = await connectLive(server);
    for (const event of ['subscribe', 'unsubscribe'].slice(0, field === 'after' ? 1 : 2)) {
      expect(await live.ask(event, request)).toMatchObject({ error: 'bad_request', field });
    }
    live.socket.close();
  });

  test.each([
    ['the prototype', '{"__proto__":{"companyId":"x"}}', '__proto__'],
    ['a constructor', '{"constructor":{"prototype":{"x":1}}}', 'constructor'],
    ['what is too deep', `{"companyId":${nested}}`, 'companyId'],
  ])('%s is refused by name', async (_what, request, field) => {
    const [, answer] = await speak([join(), `42/live,7["subscribe",${request}]`], /^43/);
    expect(answer).toMatch(/^43\/live,7/);
    expect(JSON.parse(answer!.slice('43/live,7'.length))).toMatchObject([{ error: 'bad_request', field }]);
    expect(({} as { companyId?: string }).companyId).toBeUndefined();
  });

  test.each<[string, Packet[]]>([
    ['too long a message', [`42/live,["subscribe","${'x'.repeat(liveLimits.messageBytes)}"]`]],
    [
      'a placeholder of the prototype',
      ['451-/live,["subscribe",{"_placeholder":true,"num":"__proto__"}]', Buffer.of(1)],
    ],
    ['a deep one', [`451-/live,["subscribe",{"_placeholder":true,"num":0},${nested}]`, Buffer.of(1)]],
    ['very many parts', ['459999999-/live,["subscribe",{"_placeholder":true,"num":0}]', Buffer.of(1), '2']],
    ['half a message', ['42/live,1["subscribe",']],
    ['a reserved event', ['42/live,["disconnecting"]']],
    ['nonsense', ['zzz']],
  ])('%s ends the connection, and nothing else', async (_what, packets) => {
    const received = await speak([join(), ...packets], /^never$/);
    expect(received.filter((text) => text.startsWith('43'))).toEqual([]);
    expect((await server.api('GET', '/health/live')).status).toBe(200);
  });

  test.each<[string, Packet[]]>([
    ['a subscription', ['42/live,1["subscribe",{"companyId":"x"}]']],
    ['another namespace', ['40/admin,{}', '40,{}']],
    ['a token that is no text', ['40/live,{"token":{"toString":1}}']],
    ['a list for a token', ['40/live,[["x"]]']],
  ])('without a token, %s leads nowhere', async (_what, packets) => {
    const received = await speak(packets, /^44/);
    expect(received.filter((text) => /^4[0-3]/.test(text))).toEqual([]);
  });
});

test('a socket has as many subscriptions as it may', async () => {
  const live = await connectLive(server);
  const companies = await Promise.all(
    Array.from({ length: liveLimits.subscriptionsPerSocket + 1 }, () => openCompany(server)),
  );
  const answers = await Promise.all(companies.map(({ id }) => live.ask('subscribe', { companyId: id })));
  const refused = answers.filter(({ error }) => error !== undefined);
  expect(refused).toEqual([expect.objectContaining({ error: 'bad_request' })]);
  live.socket.close();
});

describe('the token of a run', () => {
  test('opens as many streams as it may, sockets and event streams together, and others go on', async () => {
    const gate = new Gate();
    const script = `printf %s "$REVEILLE_API_KEY" | base64 -w0; ${gate.wait}`;
    const agent = await scriptedAgent(server, script);
    const { run } = await wake(server, agent.id);
    // Its token is masked in its own output, but not in another form.
    const token = await waitUntil(async () => {
      const { body } = await server.api<{ content: string }>('GET', `/v1/runs/${run!.id}/log?stream=stdout`);
      const shown = Buffer.from(body.content, 'base64').toString();
      return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(shown) && shown;
    }, 'the run has shown its token');
    const visitor = { url: server.url, token };
    for (let count = 0; count < liveLimits.streamsPerRun; count++) {
      await connectLive(visitor);
    }
    await expect(connectLive(visitor)).rejects.toMatchObject({ message: 'too_many_streams' });
    const events = `/v1/companies/${agent.companyId}/events?runId=${run!.id}`;
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    expectProblem(await server.api('GET', events, undefined, headers), 429, 'too_many_streams');

    const viewer = await clientOf(server, agent.companyId, 'viewer');
    (await connectLive(viewer)).socket.close();
    gate.open();
    await untilFinal(server, run!.id);
  });
});

test('a connection that never says where it wants to is closed', async () => {
  const begunAt = performance.now();
  expect(await speak([], /^never$/, liveLimits.connectMs + 5_000)).toEqual([]);
  expect(performance.now() - begunAt).toBeGreaterThan(liveLimits.connectMs - 1_000);
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
  expect(company.status).toBe('active');
});
