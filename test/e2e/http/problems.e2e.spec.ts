import type { TestServer } from '../../support/server';
import type { Agent, Company, Wakeup, Woken } from './client';
import { expectBadField, expectProblem, expectStatus, getWakeup, head, UNKNOWN_ID } from './client';
import { asJson, startWithSleeper } from './sleeper';

let server: TestServer;
let company: Company;
let sleeper: Agent;

beforeAll(async () => {
  ({ server, company, sleeper } = await startWithSleeper());
});
afterAll(() => server.close());

const post = (body: string | Buffer | object | undefined, headers?: Record<string, string | undefined>) =>
  server.api('POST', '/v1/companies', body, headers);
const wakeups = () => `/v1/agents/${sleeper.id}/wakeups`;

describe('the body', () => {
  test.each([
    ['cut off', '{"name":'],
    ['not JSON', 'name=Acme'],
    ['single quotes', "{'name':'Acme'}"],
    ['a comma too much', '{"name":"Acme",}'],
    ['two values', '{"name":"A"}{"name":"B"}'],
    ['blank', '   '],
    ['not a value of JSON', '{"name": NaN}'],
    ['not UTF-8', Buffer.from('{"name":"Caf\xe9"}', 'latin1')],
  ])('%s: 400', async (_what, text) => {
    const before = await head(server);
    expectBadField(await post(text, asJson), '');
    expect(await head(server)).toBe(before);
  });

  test.each([['null'], ['7'], ['"Acme"'], ['true'], ['[{"name":"Acme"}]']])(
    '%s is no object: 400',
    async (text) => {
      expectBadField(await post(text, asJson), '');
      const before = await head(server);
      const answer = await server.api('POST', wakeups(), text, asJson);
      if (text === 'null') expectStatus(answer, 202);
      else {
        expectBadField(answer, '');
        expect(await head(server)).toBe(before);
      }
    },
  );

  test.each([
    ['text', 'text/plain', '{"name":"Acme"}'],
    ['a form', 'application/x-www-form-urlencoded', 'name=Acme'],
    ['a form with files', 'multipart/form-data; boundary=x', '--x\r\n\r\nAcme\r\n--x--'],
    ['XML', 'application/xml', '<name>Acme</name>'],
    ['what has no name', undefined, '{"name":"Acme"}'],
    ['nonsense', 'nonsense', '{"name":"Acme"}'],
  ])('%s is not JSON: 415', async (_what, type, text) => {
    const before = await head(server);
    expectProblem(await post(text, { 'content-type': type }), 415, 'unsupported_media_type');
    expect(await head(server)).toBe(before);
  });

  test.each(['application/json; charset=utf-8', 'application/json;charset=UTF-8', 'APPLICATION/JSON'])(
    '%s is JSON',
    async (type) => {
      expectStatus(await post('{"name":"Acme"}', { 'content-type': type }), 201);
    },
  );

  test('an empty body with the type of JSON is no body', async () => {
    expectStatus(await server.api('POST', wakeups(), '', asJson), 202);
    expectStatus(await server.api('POST', wakeups()), 202);
  });

  test('too large a one is 413', async () => {
    const before = await head(server);
    const name = 'n'.repeat(600 * 1024);
    expectProblem(await post({ name }), 413, 'payload_too_large');
    expectProblem(await server.api('POST', wakeups(), { payload: { name } }), 413, 'payload_too_large');
    expect(await head(server)).toBe(before);
  });

  test('a large one is taken whole', async () => {
    const payload = { text: '€'.repeat(160 * 1024) };
    const { wakeup } = expectStatus(await server.api<Woken>('POST', wakeups(), { payload }), 202);
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ payload });
  });

  test.each([
    ['in the body', '{"__proto__":{"admin":true}}'],
    ['in the payload', '{"payload":{"__proto__":{"admin":true}}}'],
    ['deep in the context', '{"contextSnapshot":{"a":[{"b":{"__proto__":{"admin":true}}}]}}'],
    ['escaped', '{"payload":{"\\u005f_proto__":{"admin":true}}}'],
    ['by the constructor', '{"payload":{"constructor":{"prototype":{"admin":true}}}}'],
  ])('a prototype %s reaches nothing', async (_what, text) => {
    const answer = await server.api('POST', wakeups(), text, asJson);
    expect([202, 400]).toContain(answer.status);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('keys that name what every object has are data like any other', async () => {
    const payload = { toString: 'x', hasOwnProperty: 1, valueOf: null, length: 3, toJSON: 'no function' };
    const { wakeup } = expectStatus(await server.api<Woken>('POST', wakeups(), { payload }), 202);
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ payload });
  });

  test('text of any kind comes back as it was', async () => {
    const payload = {
      nul: 'a\u0000b',
      lone: '\ud800',
      line: '\u2028\r\n',
      family: '👩‍👩‍👧',
      '': 'no name',
      'a.b': 1,
    };
    const { wakeup } = expectStatus(
      await server.api<Woken>('POST', wakeups(), { payload, reason: 'a\u0000b' }),
      202,
    );
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ payload, reason: 'a\u0000b' });
  });

  test('one that is nested beyond measure is refused, not an error of the server', async () => {
    const depth = 100_000;
    const before = await head(server);
    const text = `{"payload":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expectProblem(await server.api('POST', wakeups(), text, asJson), 400, 'bad_request');
    expect(await head(server)).toBe(before);
  });
});

describe('routes', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/companies'],
    ['GET', '/v2/companies'],
    ['DELETE', '/v1/companies'],
    ['PUT', `/v1/agents/${UNKNOWN_ID}`],
    ['GET', '/v1/agents'],
    ['POST', `/v1/agents/${UNKNOWN_ID}/dance`],
    ['GET', '/v1/AGENTS/x'],
    ['GET', '/constructor'],
    ['GET', '/__proto__'],
    ['GET', '/v1//companies'],
    ['POST', '/health/live'],
  ])('%s %s: there is none', async (method, path) => {
    expectProblem(await server.api(method, path), 404, 'route_not_found');
  });

  test.each(['/v1/agents/%zz', '/%', '/v1/companies/%c0%af/agents', '/v1/runs/%ff'])(
    'a path that cannot be decoded is a problem: %s',
    async (path) => {
      expectBadField(await server.api('GET', path), 'path');
    },
  );

  test('a very long id is none: 414', async () => {
    const answer = await server.api('GET', `/v1/agents/${'a'.repeat(5_000)}`);
    expectProblem(answer, 414, 'uri_too_long');
  });
});

describe('ids', () => {
  const routes: [string, string, string][] = [
    ['GET', '/v1/agents/ID', 'agent_not_found'],
    ['PATCH', '/v1/agents/ID', 'agent_not_found'],
    ['POST', '/v1/agents/ID/pause', 'agent_not_found'],
    ['POST', '/v1/agents/ID/resume', 'agent_not_found'],
    ['POST', '/v1/agents/ID/approve', 'agent_not_found'],
    ['POST', '/v1/agents/ID/terminate', 'agent_not_found'],
    ['POST', '/v1/agents/ID/wakeups', 'agent_not_found'],
    ['POST', '/v1/agents/ID/invoke', 'agent_not_found'],
    ['GET', '/v1/agents/ID/wakeups', 'agent_not_found'],
    ['GET', '/v1/agents/ID/active-run', 'agent_not_found'],
    ['GET', '/v1/agents/ID/runtime-state', 'agent_not_found'],
    ['POST', '/v1/agents/ID/runtime-state/reset-session', 'agent_not_found'],
    ['GET', '/v1/wakeups/ID', 'wakeup_not_found'],
    ['GET', '/v1/runs/ID', 'run_not_found'],
    ['POST', '/v1/runs/ID/cancel', 'run_not_found'],
    ['GET', '/v1/runs/ID/events', 'run_not_found'],
    ['GET', '/v1/runs/ID/log', 'run_not_found'],
    ['GET', '/v1/companies/ID/agents', 'company_not_found'],
    ['GET', '/v1/companies/ID/runs', 'company_not_found'],
  ];
  const body = (method: string) => (method === 'PATCH' ? {} : undefined);

  test.each(routes)('%s %s of nobody: 404', async (method, path, code) => {
    const before = await head(server);
    for (const id of [UNKNOWN_ID, 'x', '..', `${UNKNOWN_ID}%00`, UNKNOWN_ID.toUpperCase()]) {
      const answer = await server.api(method, path.replace('ID', encodeURIComponent(id)), body(method));
      expectProblem(answer, 404, id === '..' ? (answer.body as { code: string }).code : code);
    }
    expect(await head(server)).toBe(before);
  });

  test('an id of another kind is of nobody', async () => {
    expectProblem(await server.api('GET', `/v1/agents/${company.id}`), 404, 'agent_not_found');
    expectProblem(await server.api('GET', `/v1/companies/${sleeper.id}`), 404, 'company_not_found');
    expectProblem(await server.api('GET', `/v1/runs/${sleeper.id}`), 404, 'run_not_found');
    expectProblem(await server.api('GET', `/v1/wakeups/${sleeper.id}`), 404, 'wakeup_not_found');
    expectProblem(
      await server.api('POST', `/v1/companies/${UNKNOWN_ID}/agents`, {
        name: 'Ada',
        adapterType: 'process',
        adapterConfig: { command: 'true' },
      }),
      404,
      'company_not_found',
    );
  });

  test('capitals in an id are another id', async () => {
    expectProblem(await server.api('GET', `/v1/agents/${sleeper.id.toUpperCase()}`), 404, 'agent_not_found');
  });
});

describe('queries', () => {
  const lists = (): string[] => [
    `/v1/companies/${company.id}/agents`,
    `/v1/companies/${company.id}/runs`,
    `/v1/agents/${sleeper.id}/wakeups`,
  ];

  test.each([
    ['limit=many', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=garbage', 'cursor'],
    ['cursor=', 'cursor'],
    ['cursor=%00', 'cursor'],
    [`cursor=${'x'.repeat(2_000)}`, 'cursor'],
    [`cursor=${Buffer.from('["x",null,{}]').toString('base64url')}`, 'cursor'],
    ['waitFor=soon', 'waitFor'],
    ['waitFor=-1', 'waitFor'],
    ['waitFor=', 'waitFor'],
    ['waitFor=1.0', 'waitFor'],
    ['waitFor=0x10', 'waitFor'],
    ['waitFor=1&waitFor=2', 'waitFor'],
    ['colour=red', 'colour'],
  ])('?%s: 400', async (query, field) => {
    for (const path of lists()) expectBadField(await server.api('GET', `${path}?${query}`), field);
  });

  test.each(['limit=0', 'limit=-5', 'limit=100000', 'limit=99999999999999999999'])(
    '?%s is clamped',
    async (query) => {
      for (const path of lists()) expectStatus(await server.api('GET', `${path}?${query}`), 200);
    },
  );

  test('an unknown status is refused, a list of two as well', async () => {
    for (const path of lists().slice(0, 2)) {
      expectBadField(await server.api('GET', `${path}?status=dancing`), 'status');
      expectBadField(await server.api('GET', `${path}?status=running&status=failed`), 'status');
    }
  });

  test('a cursor of another list is none', async () => {
    for (let i = 0; i < 2; i++) expectStatus(await server.api('POST', wakeups()), 202);
    const { body } = await server.api<{ nextCursor: string }>('GET', `${wakeups()}?limit=1`);
    expect(body.nextCursor).toEqual(expect.any(String));
    const [agents, runs] = lists();
    for (const path of [agents, runs]) {
      expectBadField(await server.api('GET', `${path}?cursor=${body.nextCursor}`), 'cursor');
    }
  });
});

test('a wakeup that was skipped is not one that ran', async () => {
  const { wakeup, run } = expectStatus(
    await server.api<{ wakeup: Wakeup; run: unknown }>('POST', wakeups()),
    202,
  );
  expect({ status: wakeup.status, run }).toEqual({ status: 'skipped', run: null });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
