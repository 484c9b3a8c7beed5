import { createHmac } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../support/access';
import { clientWith, disconnectClients } from '../../support/access';
import { HttpAgent } from '../../support/http-agent';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Agent, Company, LogPage, Page, Run, RunEvent, Woken } from '../http/client';
import {
  expectProblem,
  expectStatus,
  Gate,
  get,
  getRun,
  getWakeup,
  caughtUp,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  untilFinal,
  untilOutput,
  untilRunning,
  wake,
} from '../http/client';

/** What a run gets as `REVEILLE_API_KEY`, tried from outside and from within. */

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer({ testClock: true, settings: { httpPrivateAddresses: 'allow' } });
  company = await openCompany(server);
});
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await server.close();
});

interface Claims {
  iss: string;
  sub: string;
  company: string;
  run: string;
  adapter: string;
  iat: number;
  exp: number;
}

const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims;
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What is recorded in the place of a key: all of it that is not the same for every run. */
function hidden(key: string): string {
  const said = 'eyJhbGciOiJIUzI1NiIsInR5cCI6Ikp';
  expect(key.startsWith(said)).toBe(true);
  return said + '*'.repeat(key.length - said.length);
}

/** A run that goes on until its gate is opened, and what it was given. */
class GoingOn {
  readonly gate = new Gate();
  readonly keyFile = join(temporaryFolder(), 'key');
  agent!: Agent;
  woken!: Woken;
  client!: Pick<Client, 'url' | 'token' | 'api'>;

  static async start(more: { permissions?: object; heartbeat?: object } = {}): Promise<GoingOn> {
    const run = new GoingOn();
    const script = `printf %s "$REVEILLE_API_KEY" > '${run.keyFile}.part'; mv '${run.keyFile}.part' '${run.keyFile}'; echo "key: $REVEILLE_API_KEY"; ${run.gate.wait}`;
    run.agent = await registerAgent(server, company.id, {
      adapterConfig: shell(script),
      ...(more.heartbeat && { heartbeat: more.heartbeat }),
    });
    if (more.permissions) {
      const patch = { runtimeConfig: { permissions: more.permissions } };
      expectStatus(await server.api('PATCH', `/v1/agents/${run.agent.id}`, patch), 200);
    }
    run.woken = await wake(server, run.agent.id);
    await waitUntil(() => existsSync(run.keyFile), 'the agent has its key');
    run.client = clientWith(server.url, readFileSync(run.keyFile, 'utf8'));
    return run;
  }

  get id(): string {
    return this.woken.run!.id;
  }

  get key(): string {
    return this.client.token;
  }

  async end(): Promise<Run> {
    this.gate.open();
    return untilFinal(server, this.id);
  }
}

describe('the key of a run', () => {
  let run: GoingOn;

  beforeAll(async () => {
    run = await GoingOn.start({ heartbeat: { timeoutSec: 600, graceSec: 5 } });
  });
  afterAll(() => run.end());

  test('is a signed token that says which run it is of, and not longer than that may take', () => {
    const [header, payload, signature] = run.key.split('.');
    expect(decoded(header!)).toEqual({ alg: 'HS256', typ: 'JWT' });
    const claims = decoded(payload!);
    expect(claims).toMatchObject({ sub: run.agent.id, company: company.id, run: run.id, adapter: 'process' });
    expect(claims.exp - claims.iat).toBe(600 + 5 + 300);
    expect(Buffer.from(signature!, 'base64url')).toHaveLength(32);
  });

  test('reads what is its own', async () => {
    const { agent, woken, client } = run;
    for (const path of [
      `/v1/runs/${run.id}`,
      `/v1/runs/${run.id}/events`,
      `/v1/runs/${run.id}/log`,
      `/v1/agents/${agent.id}`,
      `/v1/agents/${agent.id}/runtime-state`,
      `/v1/agents/${agent.id}/active-run`,
      `/v1/agents/${agent.id}/wakeups`,
      `/v1/wakeups/${woken.wakeup.id}`,
      `/v1/companies/${company.id}/runs?agentId=${agent.id}`,
      `/v1/companies/${company.id}/events?runId=${run.id}`,
    ]) {
      expect({ path, status: (await client.api('GET', path)).status }).toEqual({ path, status: 200 });
    }
  });

  test('is refused what is of others, and finds nothing of other companies', async () => {
    const other = await registerAgent(server, company.id);
    const theirs = await runOnce(server, other.id);
    const foreign = await registerAgent(server, (await openCompany(server, 'Foreign')).id);
    const foreignRun = await runOnce(server, foreign.id);
    const before = await caughtUp(server);
    const asked: [string, string, number][] = [
      ['GET', `/v1/agents/${other.id}`, 403],
      ['GET', `/v1/agents/${other.id}/runtime-state`, 403],
      ['GET', `/v1/runs/${theirs.id}/log`, 403],
      ['GET', `/v1/wakeups/${theirs.wakeupIds[0]}`, 403],
      ['POST', `/v1/runs/${theirs.id}/usage`, 403],
      ['POST', `/v1/runs/${theirs.id}/cancel`, 403],
      ['POST', `/v1/runs/${run.id}/cancel`, 403],
      ['POST', `/v1/agents/${run.agent.id}/pause`, 403],
      ['PATCH', `/v1/agents/${run.agent.id}`, 403],
      ['POST', `/v1/agents/${run.agent.id}/invoke`, 403],
      ['GET', `/v1/companies/${company.id}`, 403],
      ['GET', `/v1/companies/${company.id}/agents`, 403],
      ['GET', `/v1/companies/${company.id}/runs`, 403],
      ['GET', `/v1/companies/${company.id}/runs?agentId=${other.id}`, 403],
      ['GET', `/v1/companies/${company.id}/events`, 403],
      ['GET', `/v1/companies/${company.id}/secrets`, 403],
      ['GET', `/v1/companies/${company.id}/tokens`, 403],
      ['GET', '/v1/admin/projections', 403],
      ['GET', '/metrics', 403],
      ['GET', `/v1/agents/${foreign.id}`, 404],
      ['GET', `/v1/runs/${foreignRun.id}`, 404],
      ['POST', `/v1/agents/${foreign.id}/wakeups`, 404],
      ['GET', `/v1/companies/${foreign.companyId}`, 404],
    ];
    for (const [method, path, status] of asked) {
      const answer = await run.client.api(method, path, method === 'GET' ? undefined : {});
      expect({ method, path, status: answer.status }).toEqual({ method, path, status });
    }
    expect(await caughtUp(server)).toBe(before);
  });

  test.each<[string, (key: string) => string]>([
    ['another agent in it', (key) => changed(key, { sub: '01890000-0000-7000-8000-000000000000' })],
    ['a longer life', (key) => changed(key, { exp: 4_102_444_800 })],
    ['no algorithm', (key) => `${encoded({ alg: 'none', typ: 'JWT' })}.${key.split('.')[1]}.`],
    [
      'no algorithm, but the signature',
      (key) => `${encoded({ alg: 'none', typ: 'JWT' })}.${key.split('.').slice(1).join('.')}`,
    ],
    [
      'the same algorithm, said differently',
      (key) => `${encoded({ typ: 'JWT', alg: 'HS256' })}.${key.split('.').slice(1).join('.')}`,
    ],
    ['no signature', (key) => key.split('.').slice(0, 2).join('.')],
    ['an empty signature', (key) => `${key.split('.').slice(0, 2).join('.')}.`],
    ['a shorter signature', (key) => key.slice(0, -1)],
    ['a longer signature', (key) => `${key}A`],
    ['a signature with a known secret', (key) => signed(key.split('.').slice(0, 2).join('.'), '')],
    ['a signature with the admin token', (key) => signed(key.split('.').slice(0, 2).join('.'), server.token)],
    ['claims that are no JSON', () => signed(`${encoded({ alg: 'HS256', typ: 'JWT' })}.x`, '')],
  ])('with %s it is none', async (_what, tamper) => {
    const key = tamper(run.key);
    expect(key).not.toBe(run.key);
    const answer = await clientWith(server.url, key).api('GET', `/v1/runs/${run.id}`);
    expectProblem(answer, 401, 'unauthorized');
  });

  test('is shown nowhere: not in what is recorded, not on a disk', async () => {
    const page = expectStatus(await server.api<LogPage>('GET', `/v1/runs/${run.id}/log`), 200);
    expect(page.content).toBe(`key: ${hidden(run.key)}\n`);
    const signature = run.key.split('.')[2]!;
    const feed = await server.api('GET', `/v1/companies/${company.id}/events?logs=true&limit=1000`);
    expect(feed.bytes.includes(signature)).toBe(false);
    for (const file of readdirSync(join(server.dataDir, 'stores'), { recursive: true, encoding: 'utf8' })) {
      const path = join(server.dataDir, 'stores', file);
      if (statSync(path).isFile())
        expect({ file, holds: readFileSync(path).includes(signature) }).toEqual({ file, holds: false });
    }
    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
    const invoked = items.find(({ eventType }) => eventType === 'adapter.invoke')!;
    expect(invoked.payload!['envNames']).toContain('REVEILLE_API_KEY');
  });

  test('the secret that signs is for the owner of the server only', () => {
    const file = join(server.dataDir, 'run-tokens.key');
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(readFileSync(file, 'utf8').trim()).toMatch(/^[0-9a-f]{64}$/);
  });

  function changed(key: string, claims: Partial<Claims>): string {
    const [header, payload, signature] = key.split('.');
    return `${header}.${encoded({ ...decoded(payload!), ...claims })}.${signature}`;
  }

  function signed(content: string, secret: string): string {
    return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
  }
});

test('output is not kept back for looking like the beginning of a key', async () => {
  const gate = new Gate();
  const agent = await registerAgent(server, company.id, {
    adapterConfig: shell(`printf alive; ${gate.wait}`),
  });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'alive');
  gate.open();
  await untilFinal(server, run!.id);
});

describe('what a run reports', () => {
  test('is on its events and in the books, once for a key, and settled at its end', async () => {
    const run = await GoingOn.start();
    const { api } = run.client;
    const [notes, usage] = [`/v1/runs/${run.id}/events`, `/v1/runs/${run.id}/usage`];
    const note = { message: `half way with ${run.key}`, level: 'warn', payload: { key: run.key, done: 50 } };
    const said = expectStatus(await api<{ seq: number; position: string }>('POST', notes, note), 201);
    const spent = { inputTokens: 1_000, costUsd: 0.25, provider: 'p', model: 'm' };
    const once = { 'idempotency-key': 'call-1' };
    const first = expectStatus(await api<{ seq: number }>('POST', usage, spent, once), 201);
    expect(expectStatus(await api('POST', usage, spent, once), 201)).toEqual(first);
    expectProblem(await api('POST', usage, { costUsd: 9 }, once), 422, 'idempotency_key_reused');
    expectStatus(await api('POST', usage, { ...spent, costUsd: 0.5 }), 201);

    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events?waitFor=${said.position}`);
    expect(items.find(({ seq }) => seq === said.seq)).toMatchObject({
      eventType: 'note',
      level: 'warn',
      message: `half way with ${hidden(run.key)}`,
      payload: { key: hidden(run.key), done: 50 },
    });
    expect(
      items.filter(({ eventType }) => eventType === 'usage').map(({ payload }) => payload!['costMicros']),
    ).toEqual([250_000, 500_000]);
    await run.end();
    const costs = await get<{ items: { key: string; costMicros: number; inputTokens: number }[] }>(
      server,
      `/v1/companies/${company.id}/costs?groupBy=run&waitFor=${await caughtUp(server)}`,
    );
    expect(costs.items.find(({ key }) => key === run.id)).toMatchObject({
      costMicros: 750_000,
      inputTokens: 2_000,
    });
  });

  test.each<[string, string, object, string]>([
    ['a note without a message', 'events', {}, 'message'],
    ['another kind of event', 'events', { message: 'x', eventType: 'lifecycle' }, 'eventType'],
    [
      'a deep payload',
      'events',
      { message: 'x', payload: { a: { a: { a: { a: { a: { a: { a: { a: {} } } } } } } } } },
      'payload',
    ],
    ['negative tokens', 'usage', { inputTokens: -1 }, 'inputTokens'],
    ['an unknown field', 'usage', { tokens: 1 }, 'tokens'],
  ])('is refused where it is %s', async (_what, kind, body, field) => {
    const run = await GoingOn.start();
    const problem = expectProblem(
      await run.client.api('POST', `/v1/runs/${run.id}/${kind}`, body),
      400,
      'bad_request',
    );
    expect(problem.details.field).toBe(field);
    await run.end();
    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
    expect(items.filter(({ eventType }) => ['note', 'usage'].includes(eventType))).toEqual([]);
  });

  test('is about itself only: an earlier run of the same agent is over, and another one', async () => {
    const run = await GoingOn.start();
    await run.end();
    const gate = new Gate();
    const keyFile = join(temporaryFolder(), 'key');
    const adapterConfig = shell(`printf %s "$REVEILLE_API_KEY" > '${keyFile}'; ${gate.wait}`);
    expectStatus(await server.api('PATCH', `/v1/agents/${run.agent.id}`, { adapterConfig }), 200);
    const second = await wake(server, run.agent.id);
    const key = await waitUntil(
      () => existsSync(keyFile) && (readFileSync(keyFile, 'utf8') || null),
      'the key',
    );
    const { api } = clientWith(server.url, key);
    expectStatus(await api('GET', `/v1/runs/${run.id}`), 200);
    expectProblem(await api('POST', `/v1/runs/${run.id}/usage`, { costUsd: 1 }), 403, 'forbidden');
    // People may, where the run is still going on.
    expectProblem(await server.api('POST', `/v1/runs/${run.id}/usage`, { costUsd: 1 }), 409, 'run_not_open');
    expectStatus(await server.api('POST', `/v1/runs/${second.run!.id}/events`, { message: 'seen' }), 201);
    gate.open();
    await untilFinal(server, second.run!.id);
  });

  test('goes on after a restart, and a key still counts once', async () => {
    const run = await GoingOn.start();
    const usage = `/v1/runs/${run.id}/usage`;
    const [spent, once] = [{ costUsd: 0.1 }, { 'idempotency-key': 'k' }];
    const first = expectStatus(await run.client.api('POST', usage, spent, once), 201);
    const { dataDir } = server;
    await server.close();
    server = await startTestServer({ dataDir, testClock: true, settings: { httpPrivateAddresses: 'allow' } });
    const { api } = clientWith(server.url, run.key);
    const again = await waitUntil(async () => {
      const answer = await api('POST', usage, spent, once);
      return answer.status !== 503 && answer;
    }, 'the run is taken up');
    expect(expectStatus(again, 201)).toEqual(first);
    expectStatus(await api('POST', `/v1/runs/${run.id}/events`, { message: run.key }), 201);
    await run.end();
    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
    expect(items.filter(({ eventType }) => eventType === 'usage')).toHaveLength(1);
    expect(JSON.stringify(items)).not.toContain(run.key.split('.')[2]);
    const page = expectStatus(await server.api<LogPage>('GET', `/v1/runs/${run.id}/log`), 200);
    expect(page.content).toBe(`key: ${hidden(run.key)}\n`);
  });
});

describe('whom a run wakes', () => {
  test('itself, later or now, and nobody believes that it was somebody else', async () => {
    const run = await GoingOn.start();
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const forged = { requestedByActorType: 'user', requestedByActorId: 'boss', source: 'automation' };
    const wakeups = `/v1/agents/${run.agent.id}/wakeups`;
    const later = expectStatus(
      await run.client.api<Woken>('POST', wakeups, { ...forged, notBefore, reason: 'tomorrow' }),
      202,
    );
    expect(later.wakeup).toMatchObject({
      status: 'deferred',
      dueAt: notBefore,
      requestedByActorType: 'agent',
      requestedByActorId: run.agent.id,
    });
    expectProblem(await run.client.api('POST', wakeups, { triggerDetail: 'manual' }), 403, 'forbidden');
    await run.end();
  });

  test('others where its agent may, and nobody where that may not', async () => {
    const other = await registerAgent(server, company.id);
    const foreign = await registerAgent(server, (await openCompany(server, 'Foreign')).id);
    const at = ({ id }: Agent) => `/v1/agents/${id}/wakeups`;
    const [none, self, all] = [
      await GoingOn.start({ permissions: { wake: 'none' } }),
      await GoingOn.start(),
      await GoingOn.start({ permissions: { wake: 'company' } }),
    ];
    expectProblem(await none.client.api('POST', at(none.agent)), 403, 'forbidden');
    expectProblem(await none.client.api('POST', at(other)), 403, 'forbidden');
    expectStatus(await self.client.api('POST', at(self.agent)), 202);
    expectProblem(await self.client.api('POST', at(other)), 403, 'forbidden');
    const woken = expectStatus(await all.client.api<Woken>('POST', at(other)), 202);
    expect(woken.wakeup.requestedByActorId).toBe(all.agent.id);
    expectProblem(await all.client.api('POST', at(foreign)), 404, 'agent_not_found');
    await untilFinal(server, woken.run!.id);
    for (const run of [none, self, all]) await run.end();
  });
});

describe('when the run is over', () => {
  test('its key is none, and what is open with it is closed', async () => {
    const run = await GoingOn.start();
    const socket = await connectLive(run.client);
    expect(await socket.ask('subscribe', { runId: run.id })).toHaveProperty('position');
    expect(await socket.ask('subscribe', { companyId: company.id })).toMatchObject({ error: 'forbidden' });
    await run.end();
    for (const [method, path] of [
      ['GET', `/v1/runs/${run.id}`],
      ['POST', `/v1/runs/${run.id}/usage`],
      ['POST', `/v1/agents/${run.agent.id}/wakeups`],
    ] as const) {
      expectProblem(
        await run.client.api(method, path, method === 'GET' ? undefined : {}),
        401,
        'unauthorized',
      );
    }
    await waitUntil(() => socket.closed, 'the socket is told');
    expect(socket.closed).toEqual({ reason: 'token_revoked' });
    await expect(connectLive(run.client)).rejects.toMatchObject({ data: { error: 'unauthorized' } });
  });

  test('because somebody has cancelled it, the same', async () => {
    const run = await GoingOn.start({ heartbeat: { graceSec: 1 } });
    expectStatus(await server.api('POST', `/v1/runs/${run.id}/cancel`), 202);
    await untilFinal(server, run.id);
    expectProblem(await run.client.api('GET', `/v1/runs/${run.id}`), 401, 'unauthorized');
  });
});

test('an agent calls the API from within its run', async () => {
  const script = `
    const { REVEILLE_API_URL: url, REVEILLE_API_KEY: key, REVEILLE_RUN_ID: run, REVEILLE_AGENT_ID: agent } = process.env;
    const headers = { authorization: 'Bearer ' + key, 'content-type': 'application/json' };
    const post = (path, body) => fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    (async () => {
      const own = await (await fetch(url + '/v1/runs/' + run, { headers })).json();
      const note = await post('/v1/runs/' + run + '/events', { message: 'I am ' + own.status });
      const usage = await post('/v1/runs/' + run + '/usage', { costUsd: 0.01 });
      const notBefore = new Date(Date.now() + 3600e3);
      const wakeup = await (await post('/v1/agents/' + agent + '/wakeups', { notBefore, reason: 'go on' })).json();
      console.log(JSON.stringify({ note: note.status, usage: usage.status, wakeupId: wakeup.wakeup.id }));
    })();`;
  const adapterConfig = { command: process.execPath, args: ['-e', script] };
  const agent = await registerAgent(server, company.id, { adapterConfig });
  const run = await runOnce(server, agent.id);
  expect(run).toMatchObject({ status: 'succeeded' });
  const { note, usage, wakeupId } = JSON.parse(run.stdoutExcerpt) as Record<string, unknown>;
  expect({ note, usage }).toEqual({ note: 201, usage: 201 });
  expect(await getWakeup(server, wakeupId as string)).toMatchObject({
    ...{ status: 'deferred', reason: 'go on', requestedByActorType: 'agent', requestedByActorId: agent.id },
  });
  const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
  expect(items.map(({ message }) => message)).toContain('I am running');
});

describe('an agent that is reached by HTTP', () => {
  let agent: HttpAgent;

  beforeAll(async () => {
    agent = await HttpAgent.start();
  });
  afterAll(() => agent.close());

  test('gets its key as a bearer token, and can use it while it works', async () => {
    const url = agent.on('/works', async (response, { headers }) => {
      const key = headers.authorization!.replace('Bearer ', '');
      const { api } = clientWith(headers['reveille-api-url'] as string, key);
      const { status } = await api('POST', `/v1/runs/${String(headers['reveille-run-id'])}/usage`, {
        costUsd: 0.02,
      });
      response.setHeader('content-type', 'text/plain');
      response.end(`booked: ${status}, my key is ${key}`);
    });
    const { id } = await registerAgent(server, company.id, {
      adapterType: 'http',
      adapterConfig: { url },
    } as never);
    const run = await runOnce(server, id);
    const key = agent.requestsTo('/works')[0]!.headers.authorization!.replace('Bearer ', '');
    expect(run.stdoutExcerpt).toBe(`booked: 201, my key is ${hidden(key)}`);
    expectProblem(await clientWith(server.url, key).api('GET', `/v1/runs/${run.id}`), 401, 'unauthorized');
  });

  test('that wants a token of its own gets that, and the key beside it', async () => {
    await server.api('PUT', `/v1/companies/${company.id}/secrets/theirs`, {
      value: 'Bearer their-own-token',
    });
    const url = agent.on('/theirs', (response) => response.end());
    const adapterConfig = { url, headers: { Authorization: { secret: 'theirs' } } };
    const { id } = await registerAgent(server, company.id, { adapterType: 'http', adapterConfig } as never);
    const run = await runOnce(server, id);
    const { headers } = agent.requestsTo('/theirs')[0]!;
    expect(headers.authorization).toBe('Bearer their-own-token');
    expect(decoded((headers['reveille-api-key'] as string).split('.')[1]!).run).toBe(run.id);
  });
});

test('the key of a run without a timeout is none after a day', async () => {
  const run = await GoingOn.start();
  const claims = decoded(run.key.split('.')[1]!);
  expect(claims.exp - claims.iat).toBe(86_400);
  await server.api('POST', '/v1/admin/tick', { now: new Date((claims.exp + 1) * 1_000).toISOString() });
  expectProblem(await run.client.api('GET', `/v1/runs/${run.id}`), 401, 'unauthorized');
  await untilRunning(server, run.id);
  await run.end();
  expect((await getRun(server, run.id)).status).toBe('succeeded');
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
