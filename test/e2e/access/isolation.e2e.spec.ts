import type { Role } from '../../../src/auth/access';
import { roles } from '../../../src/auth/access';
import type { JsonSchema, OpenApiDocument, Operation } from '../../../src/openapi/openapi-document';
import type { Client } from '../../support/access';
import { clientOf, disconnectClients } from '../../support/access';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { Answer, TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Company, Page, Woken } from '../http/client';
import {
  expectProblem,
  head,
  openCompany,
  registerAgent,
  shell,
  UNKNOWN_ID,
  untilFinal,
} from '../http/client';

/** Nothing crosses companies: every route, and every live event, with the tokens of a company that has nothing there. */

type Ids = Record<string, string>;

let server: TestServer;
let document: OpenApiDocument;
/** Whose things are asked for, and who asks. */
let mine: Company;
let foreign: Company;
let ids: Ids;
let foreigners: Record<Role, Client>;
let owners: Record<Role, Client>;

beforeAll(async () => {
  server = await startTestServer();
  document = (await server.api<OpenApiDocument>('GET', '/openapi.json')).body;
  [mine, foreign] = [await openCompany(server, 'Mine'), await openCompany(server, 'Foreign')];
  const agent = await registerAgent(server, mine.id, { adapterConfig: shell('echo mine') });
  const { body } = await server.api<Woken>('POST', `/v1/agents/${agent.id}/wakeups`, { taskKey: 'x' });
  await untilFinal(server, body.run!.id);
  owners = await clientsOf(mine, agent);
  foreigners = await clientsOf(foreign, await registerAgent(server, foreign.id));
  ids = {
    companyId: mine.id,
    agentId: agent.id,
    wakeupId: body.wakeup.id,
    runId: body.run!.id,
    tokenId: owners.viewer.id,
    jobId: UNKNOWN_ID,
    name: 'a-name',
  };
});
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await server.close();
});

async function clientsOf(company: Company, agent: Agent): Promise<Record<Role, Client>> {
  const clients = roles.map(async (role) => {
    const more = role === 'agent' ? { agentId: agent.id } : {};
    return [role, await clientOf(server, company.id, role, more)] as const;
  });
  return Object.fromEntries(await Promise.all(clients)) as Record<Role, Client>;
}

interface Place {
  id: string;
  method: string;
  path: string;
  operation: Operation;
  /** Of whom it may be called. */
  takes: string[];
  /** The id in the query that says whose it is, where the path names none. */
  subject: string | null;
}

function places(): Place[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      subjectsOf(path, operation).map((subject) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        operation,
        takes: (operation.security ?? []).flatMap(({ token = [] }) => token),
        subject,
      })),
    ),
  );
}

/** Where the path says whose it is, or nothing does: null alone. */
function subjectsOf(path: string, { parameters = [] }: Operation): (string | null)[] {
  const owned = ['companyId', 'agentId', 'runId', 'wakeupId'];
  if (owned.some((name) => path.includes(`{${name}}`))) return [null];
  const named = parameters.filter((parameter) => parameter.in === 'query' && owned.includes(parameter.name));
  return named.length === 0 ? [null] : named.map(({ name }) => name);
}

/** @throws Error for a parameter that this test knows no value of */
function addressed(path: string, values: Ids): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${path}: whose is a ${name}?`);
    return value;
  });
}

function ask({ api }: Pick<Client, 'api'>, { method, path, operation, subject }: Place, values: Ids) {
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body = content && JSON.stringify(exampleOf(content.schema));
  const query = subject === null ? '' : `?${subject}=${values[subject]}`;
  return api<unknown>(method, `${addressed(path, values)}${query}`, body, { 'content-type': type });
}

function exampleOf({ $ref, examples }: JsonSchema): unknown {
  if (typeof $ref === 'string') return exampleOf(document.components.schemas[$ref.split('/').at(-1)!]!);
  return (examples as unknown[])[0];
}

const unknown = (values: Ids): Ids =>
  Object.fromEntries(Object.keys(values).map((name) => [name, UNKNOWN_ID]));

/** All that a client can tell answers apart by. */
function seen({ status, headers, bytes }: Answer<unknown>) {
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { status, headers: rest, text: bytes.toString() };
}

test('the document says of every route whom it takes', () => {
  expect(places().length).toBeGreaterThan(40);
  for (const { id, path, takes } of places()) {
    const isOpen = /^\/(health\/|openapi\.json|docs)/.test(path);
    expect({ id, says: takes.length > 0 || isOpen }).toEqual({ id, says: true });
    expect(takes.filter((role) => !['server', ...roles].includes(role as Role))).toEqual([]);
  }
});

describe.each(roles)('a foreign token with the role %s', (role) => {
  test('finds nothing, on any route, and cannot tell that there is something', async () => {
    const before = await head(server);
    for (const place of places().filter(({ takes }) => takes.length > 0)) {
      const answer = await ask(foreigners[role], place, ids);
      const expected = place.takes.includes('server')
        ? [403, 'forbidden']
        : [404, expect.stringMatching(/_not_found$/)];
      expect({ id: place.id, got: [answer.status, (answer.body as { code: string }).code] }).toEqual({
        id: place.id,
        got: expected,
      });
      const nothing = await ask(foreigners[role], place, unknown(ids));
      expect({ id: place.id, ...seen(answer) }).toEqual({ id: place.id, ...seen(nothing) });
    }
    expect(await head(server)).toBe(before);
  });

  test('finds nothing of others under its own company either', async () => {
    const own = { ...ids, companyId: foreign.id };
    for (const { id, path, operation, takes } of places().filter(({ path }) =>
      path.includes('{companyId}'),
    )) {
      const names = (operation.parameters ?? []).filter(({ in: place }) => place === 'query');
      for (const name of ['agentId', 'runId'].filter((name) => names.some((query) => query.name === name))) {
        if (!takes.includes('viewer')) continue;
        const at = (value: string) => `${addressed(path, own)}?${name}=${value}`;
        const theirs = await foreigners[role].api('GET', at(ids[name]!));
        const none = await foreigners[role].api('GET', at(UNKNOWN_ID));
        expect({ id, name, ...seen(theirs) }).toEqual({ id, name, ...seen(none) });
        expect({ id, name, status: theirs.status }).toEqual({
          id,
          name,
          status: role === 'agent' && id === 'listRuns' ? 403 : 404,
        });
      }
    }
  });
});

test('a token of another company in the path is not there', async () => {
  const answer = await foreigners.admin.api('DELETE', `/v1/companies/${foreign.id}/tokens/${ids['tokenId']}`);
  expectProblem(answer, 404, 'token_not_found');
  const agentId = ids['agentId'];
  const wanted = { name: 'x', role: 'agent', agentId };
  expectProblem(
    await foreigners.admin.api('POST', `/v1/companies/${foreign.id}/tokens`, wanted),
    404,
    'agent_not_found',
  );
});

test.each(roles)(
  'in its own company a %s is let in where the document says so, and else is told why not',
  async (role) => {
    // What cannot be undone is left out: the others ask for the same things.
    const undoable = places().filter(({ id }) => id !== 'revokeToken' && id !== 'terminateAgent');
    for (const place of undoable.filter(({ takes }) => takes.length > 0)) {
      const { status, body } = await ask(owners[role], place, ids);
      const mayCall = rolesThatMay(place.takes).includes(role);
      const { code } = (body ?? {}) as { code?: string };
      // An agent must also mean itself; what that is is not in the document.
      if (role === 'agent' && mayCall) continue;
      expect({ id: place.id, isRefused: code === 'forbidden' && status === 403 }).toEqual({
        id: place.id,
        isRefused: !mayCall,
      });
      expect({ id: place.id, status }).not.toEqual({ id: place.id, status: 401 });
    }
  },
);

function rolesThatMay(takes: readonly string[]): Role[] {
  const ladder: Role[] = ['viewer', 'operator', 'admin'];
  const least = ladder.findIndex((role) => takes.includes(role));
  return [...(least < 0 ? [] : ladder.slice(least)), ...(takes.includes('agent') ? ['agent' as const] : [])];
}

describe('live', () => {
  const scopes = ['companyId', 'agentId', 'runId'] as const;

  /** The ids that an event of a type is found by, as its schema says. */
  function scopesOf(type: string): (typeof scopes)[number][] {
    const { properties = {} } = document['x-live-events'][type] as { properties?: object };
    return scopes.filter((name) => name === 'companyId' || name in properties);
  }

  test('no event of the table can be subscribed to, whatever it is found by', async () => {
    const types = Object.keys(document['x-live-events']);
    expect(types.length).toBeGreaterThan(20);
    const socket = await connectLive(foreigners.admin);
    for (const type of types) {
      for (const scope of scopesOf(type)) {
        const theirs = await socket.ask('subscribe', { [scope]: ids[scope], after: '0', logs: true });
        const none = await socket.ask('subscribe', { [scope]: UNKNOWN_ID, after: '0', logs: true });
        expect({ type, scope, answer: theirs }).toEqual({ type, scope, answer: none });
        expect(theirs).toMatchObject({ error: `${scope.slice(0, -2)}_not_found` });
        await expectNoFeed(scope);
      }
    }
    expect(socket.messages).toEqual([]);
  });

  async function expectNoFeed(scope: (typeof scopes)[number]): Promise<void> {
    const narrowed = scope === 'companyId' ? '' : `&${scope}=${ids[scope]}`;
    const companyId = scope === 'companyId' ? mine.id : foreign.id;
    const path = `/v1/companies/${companyId}/events?after=0&logs=true${narrowed}`;
    for (const accept of ['application/json', 'text/event-stream']) {
      const answer = await foreigners.admin.api('GET', path, undefined, { accept });
      expectProblem(answer, 404, `${scope.slice(0, -2)}_not_found`);
    }
  }

  test('who follows one company is told of no other', async () => {
    const [theirs, ours] = [await connectLive(foreigners.viewer), await connectLive(owners.viewer)];
    await theirs.ask('subscribe', { companyId: foreign.id, after: '0', logs: true });
    await ours.ask('subscribe', { companyId: mine.id, after: '0', logs: true });
    const { id } = await registerAgent(server, mine.id, { adapterConfig: shell('echo more') });
    const { body } = await server.api<Woken>('POST', `/v1/agents/${id}/wakeups`);
    await untilFinal(server, body.run!.id);
    const marker = await registerAgent(server, foreign.id);
    await waitUntil(
      () => theirs.messages.some(({ payload }) => 'agentId' in payload && payload.agentId === marker.id),
      'the marker',
    );
    await waitUntil(() => ours.messages.some(({ type }) => type === 'log.finalized'), 'the end of a run');
    expect(new Set(ours.messages.map(({ type }) => type)).size).toBeGreaterThan(10);
    expect(new Set(ours.messages.map(({ companyId }) => companyId))).toEqual(new Set([mine.id]));
    expect(new Set(theirs.messages.map(({ companyId }) => companyId))).toEqual(new Set([foreign.id]));
    expect(JSON.stringify(theirs.messages)).not.toContain(mine.id);
  });

  test('lists of one company have nothing of another', async () => {
    for (const path of ['agents', 'runs', 'secrets', 'events?after=0&limit=1000', 'tokens']) {
      const { bytes, body } = await foreigners.admin.api<Page<unknown>>(
        'GET',
        `/v1/companies/${foreign.id}/${path}`,
      );
      expect(body.items).toBeDefined();
      for (const id of [mine.id, ids['agentId']!, ids['runId']!, owners.viewer.id]) {
        expect(bytes.toString()).not.toContain(id);
      }
    }
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
