import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';
import { join } from 'node:path';
import type { NewTokenView, TokenView } from '../../../src/auth/token.view';
import type { Client } from '../../support/access';
import { clientOf, clientWith, disconnectClients } from '../../support/access';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Company, Page } from '../http/client';
import {
  agentBody,
  expectProblem,
  expectStatus,
  head,
  ISO_TIME,
  openCompany,
  registerAgent,
  UNKNOWN_ID,
  UUID_V7,
} from '../http/client';

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer({ testClock: true });
  company = await openCompany(server);
});
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await server.close();
});

const tokensOf = (companyId: string) => `/v1/companies/${companyId}/tokens`;

function create(wanted: object) {
  return server.api<NewTokenView>('POST', tokensOf(company.id), wanted);
}

function revoke({ id }: { id: string }) {
  return server.api<TokenView>('DELETE', `${tokensOf(company.id)}/${id}`);
}

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

describe('a token', () => {
  test('is answered once, with all that is known of it', async () => {
    const answer = await create({ name: 'dashboard', role: 'viewer' });
    const made = expectStatus(answer, 201);
    const { token, ...shown } = made;
    expect(token).toMatch(/^rvl_[\w-]{43}$/);
    expect(shown).toEqual({
      id: expect.stringMatching(UUID_V7) as string,
      companyId: company.id,
      name: 'dashboard',
      role: 'viewer',
      agentId: null,
      createdAt: expect.stringMatching(ISO_TIME) as string,
      expiresAt: expect.stringMatching(ISO_TIME) as string,
      revokedAt: null,
    });
    const days = (Date.parse(shown.expiresAt) - Date.parse(shown.createdAt)) / 86_400_000;
    expect(days).toBe(90);
    const list = await server.api<Page<TokenView>>(
      'GET',
      `${tokensOf(company.id)}?waitFor=${String(answer.headers['reveille-position'])}`,
    );
    expect(list.body.items[0]).toEqual(shown);
    expect(list.bytes.toString()).not.toContain(token);
  });

  test('is on no disk: not in a file, not on the log', async () => {
    const { token } = await clientOf(server, company.id, 'admin');
    for (const file of readdirSync(server.dataDir, { recursive: true, encoding: 'utf8' })) {
      const path = join(server.dataDir, file);
      if (!statSync(path).isFile()) continue;
      expect({ file, holds: readFileSync(path).includes(token) }).toEqual({ file, holds: false });
    }
    const feed = await server.api('GET', `/v1/companies/${company.id}/events?limit=1000`);
    expect(feed.bytes.toString()).not.toContain(token);
    expect(feed.bytes.toString()).toContain('token.created');
  });

  test.each<[string, object, string]>([
    ['an unknown role', { name: 'x', role: 'king' }, 'role'],
    ['no role', { name: 'x' }, 'role'],
    ['no name', { role: 'viewer' }, 'name'],
    ['an end that is no time', { name: 'x', role: 'viewer', expiresAt: 'soon' }, 'expiresAt'],
    ['an end in the past', { name: 'x', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['an agent for a person', { name: 'x', role: 'viewer', agentId: UNKNOWN_ID }, 'agentId'],
    ['an agent without one', { name: 'x', role: 'agent' }, 'agentId'],
    ['a token of their own', { name: 'x', role: 'viewer', token: 'rvl_mine' }, 'token'],
  ])('with %s is refused', async (_what, wanted, field) => {
    const before = await head(server);
    const problem = expectProblem(await create(wanted), 400, 'bad_request');
    expect(problem.details.field).toBe(field);
    expect(await head(server)).toBe(before);
  });

  test('of an agent needs an agent of the company', async () => {
    const wanted = { name: 'x', role: 'agent', agentId: UNKNOWN_ID };
    expectProblem(await create(wanted), 404, 'agent_not_found');
  });
});

describe('roles', () => {
  let clients: Record<'viewer' | 'operator' | 'admin', Client>;

  beforeAll(async () => {
    clients = {
      viewer: await clientOf(server, company.id, 'viewer'),
      operator: await clientOf(server, company.id, 'operator'),
      admin: await clientOf(server, company.id, 'admin'),
    };
  });

  test('a viewer reads, and changes nothing', async () => {
    const agent = await registerAgent(server, company.id);
    const { api } = clients.viewer;
    expectStatus(await api('GET', `/v1/agents/${agent.id}`), 200);
    const before = await head(server);
    const problem = expectProblem(await api('POST', `/v1/agents/${agent.id}/wakeups`), 403, 'forbidden');
    expect(problem.details).toEqual({ role: 'operator', agents: 'company' });
    expectProblem(await api('POST', `/v1/companies/${company.id}/pause`), 403, 'forbidden');
    expectProblem(await api('GET', tokensOf(company.id)), 403, 'forbidden');
    expect(await head(server)).toBe(before);
  });

  test('an operator changes all of an agent but what is executed', async () => {
    const agent = await registerAgent(server, company.id);
    const at = `/v1/agents/${agent.id}`;
    const { api } = clients.operator;
    expectStatus(await api('POST', `${at}/invoke`), 202);
    expectStatus(await api('PATCH', at, { name: 'Bea', runtimeConfig: { heartbeat: { graceSec: 1 } } }), 200);
    for (const patch of [
      { adapterConfig: { command: 'evil' } },
      { adapterConfig: null },
      { name: 'Cleo', adapterType: 'http' },
    ]) {
      expectProblem(await api('PATCH', at, patch), 403, 'forbidden');
    }
    const { name, adapterConfig } = expectStatus(await server.api<typeof agent>('GET', at), 200);
    expect({ name, adapterConfig }).toEqual({ name: 'Bea', adapterConfig: agent.adapterConfig });
    expectProblem(await api('POST', `/v1/companies/${company.id}/agents`, agentBody()), 403, 'forbidden');
    const secret = `/v1/companies/${company.id}/secrets/key`;
    expectProblem(await api('PUT', secret, { value: 'x' }), 403, 'forbidden');
  });

  test('an admin does what there is to do in the company, and nothing outside of it', async () => {
    const { api } = clients.admin;
    const agents = `/v1/companies/${company.id}/agents`;
    const { id } = expectStatus(await api<{ id: string }>('POST', agents, agentBody()), 201);
    expectStatus(await api('PATCH', `/v1/agents/${id}`, { adapterConfig: { command: 'false' } }), 200);
    expectStatus(await api('PUT', `/v1/companies/${company.id}/secrets/key`, { value: 'x' }), 200);
    const more = expectStatus(
      await api<NewTokenView>('POST', tokensOf(company.id), { name: 'y', role: 'viewer' }),
      201,
    );
    expectStatus(await api('DELETE', `${tokensOf(company.id)}/${more.id}`), 200);
    for (const [method, path] of [
      ['POST', '/v1/companies'],
      ['POST', '/v1/admin/tick'],
      ['POST', '/v1/admin/reap'],
      ['GET', '/v1/admin/projections'],
      ['GET', '/metrics'],
    ] as const) {
      expectProblem(await api(method, path, method === 'POST' ? {} : undefined), 403, 'forbidden');
    }
  });
});

describe('the end of a token', () => {
  test('revoked: refused from the answer on, again and again', async () => {
    const client = await clientOf(server, company.id, 'viewer');
    const at = `/v1/companies/${company.id}`;
    expectStatus(await client.api('GET', at), 200);
    const first = expectStatus(await revoke(client), 200);
    expect(first.revokedAt).toMatch(ISO_TIME);
    expectProblem(await client.api('GET', at), 401, 'unauthorized');
    const before = await head(server);
    expect(expectStatus(await revoke(client), 200)).toEqual(first);
    expect(await head(server)).toBe(before);
    await expect(connectLive(client)).rejects.toMatchObject({ data: { error: 'unauthorized' } });
  });

  test('revoked: also by itself', async () => {
    const client = await clientOf(server, company.id, 'admin');
    expectStatus(await client.api('DELETE', `${tokensOf(company.id)}/${client.id}`), 200);
    expectProblem(await client.api('GET', tokensOf(company.id)), 401, 'unauthorized');
  });

  test('revoked: what is open with it is closed, with the reason, and nothing else is', async () => {
    const [client, other] = [
      await clientOf(server, company.id, 'viewer'),
      await clientOf(server, company.id, 'viewer'),
    ];
    const [socket, stays] = [await connectLive(client), await connectLive(other)];
    await socket.ask('subscribe', { companyId: company.id });
    await stays.ask('subscribe', { companyId: company.id });
    const [stream, goesOn] = [await openStream(client), await openStream(other)];
    await revoke(client);
    await waitUntil(() => socket.closed, 'the socket is told');
    expect(socket.closed).toEqual({ reason: 'token_revoked' });
    await waitUntil(() => socket.socket.disconnected, 'the socket is closed');
    await waitUntil(() => stream.hasEnded, 'the stream is closed');
    expect(stream.text).toMatch(/event: live\.closed\ndata: \{"reason":"token_revoked"\}/);
    const { id } = await registerAgent(server, company.id);
    await waitUntil(
      () => stays.messages.some(({ payload }) => 'agentId' in payload && payload.agentId === id),
      'the other is told',
    );
    await waitUntil(() => goesOn.text.includes(id), 'the other stream is told');
    expect(JSON.stringify(socket.messages) + stream.text).not.toContain(id);
    expect({ closed: stays.closed, hasEnded: goesOn.hasEnded }).toEqual({ closed: null, hasEnded: false });
  });

  test('in time: refused, and what is open with it is closed', async () => {
    const client = await clientOf(server, company.id, 'viewer', { expiresAt: inMs(60_000) });
    const socket = await connectLive(client);
    const stream = await openStream(client);
    await server.api('POST', '/v1/admin/tick', { now: inMs(61_000) });
    expectProblem(await client.api('GET', `/v1/companies/${company.id}`), 401, 'unauthorized');
    await waitUntil(() => socket.closed, 'the socket is told');
    expect(socket.closed).toEqual({ reason: 'token_expired' });
    await waitUntil(() => stream.hasEnded, 'the stream is closed');
    expect(stream.text).toContain('"reason":"token_expired"');
  });

  test('a restart forgets no token, and no end of one', async () => {
    const dataDir = server.dataDir;
    const [kept, gone] = [
      await clientOf(server, company.id, 'viewer'),
      await clientOf(server, company.id, 'viewer'),
    ];
    await revoke(gone);
    await server.close();
    server = await startTestServer({ dataDir, testClock: true });
    const at = `/v1/companies/${company.id}`;
    expectStatus(await clientWith(server.url, kept.token).api('GET', at), 200);
    expectProblem(await clientWith(server.url, gone.token).api('GET', at), 401, 'unauthorized');
  });
});

test('refusals are counted', async () => {
  const { api } = await clientOf(server, company.id, 'viewer');
  const count = async (code: string) => {
    const { body } = await server.api<string>('GET', '/metrics');
    return Number(
      new RegExp(`^reveille_refusals_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0,
    );
  };
  const [forbidden, unauthorized] = [await count('forbidden'), await count('unauthorized')];
  await api('POST', `/v1/companies/${company.id}/pause`);
  await clientWith(server.url, 'rvl_nobody').api('GET', '/v1/nothing');
  await waitUntil(async () => (await count('forbidden')) === forbidden + 1, 'the 403 is counted');
  await waitUntil(async () => (await count('unauthorized')) === unauthorized + 1, 'the 401 is counted');
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});

/** A feed as an `EventSource` has it. */
async function openStream({ url, token }: Client): Promise<{ text: string; hasEnded: boolean }> {
  const stream = { text: '', hasEnded: false };
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const request = get(`${url}/v1/companies/${company.id}/events`, { headers, agent: false });
  const [incoming] = (await once(request, 'response')) as [IncomingMessage];
  incoming.on('data', (part: Buffer) => (stream.text += part.toString()));
  incoming.on('close', () => (stream.hasEnded = true));
  await waitUntil(() => stream.text.includes(': connected'), 'the stream has begun');
  return stream;
}
