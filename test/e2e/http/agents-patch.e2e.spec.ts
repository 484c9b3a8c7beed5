import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Woken } from './client';
import {
  expectBadField,
  expectProblem,
  expectStatus,
  Gate,
  getAgent,
  getRun,
  head,
  openCompany,
  registerAgent,
  scriptedAgent,
  untilFinal,
  untilRunning,
  wake,
} from './client';

let server: TestServer;
let companyId: string;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
});
afterAll(() => server.close());

const patch = (agent: Agent, body?: object | string, headers?: Record<string, string>) =>
  server.api<Agent>('PATCH', `/v1/agents/${agent.id}`, body, headers);
const newAgent = (more: Parameters<typeof registerAgent>[2] = {}) => registerAgent(server, companyId, more);
const policy = (heartbeat: object | null) => ({ runtimeConfig: { heartbeat } });

describe('a merge patch', () => {
  test('changes what it names and nothing else', async () => {
    const agent = await newAgent({ heartbeat: { graceSec: 7, whenBusy: 'reject' } });
    const answer = await patch(agent, { name: 'Grace' });
    expect(expectStatus(answer, 200)).toEqual({ ...agent, name: 'Grace', version: 2 });
    expect(BigInt(answer.headers['reveille-position'] as string)).toBeGreaterThan(0n);
    expect(await getAgent(server, agent.id)).toEqual(answer.body);
  });

  test('goes into objects, and replaces lists as a whole', async () => {
    const adapterConfig = { command: 'echo', args: ['a', 'b'], env: { ONE: '1', TWO: '2' } };
    const agent = await newAgent({ adapterConfig });
    const change = { adapterConfig: { args: ['c'], env: { TWO: null, THREE: '3' } } };
    expect(expectStatus(await patch(agent, change), 200).adapterConfig).toEqual({
      command: 'echo',
      args: ['c'],
      env: { ONE: '1', THREE: '3' },
    });
    const { adapterConfig: emptied } = expectStatus(
      await patch(agent, { adapterConfig: { args: null } }),
      200,
    );
    expect(emptied).toEqual({ command: 'echo', env: { ONE: '1', THREE: '3' } });
  });

  test('gives a field of the policy its default back with null', async () => {
    const heartbeat = { graceSec: 3, retry: { maxAttempts: 2, backoffSec: 1 }, wakeOnDemand: false };
    const agent = await newAgent({ heartbeat });
    const once = expectStatus(await patch(agent, policy({ graceSec: null, wakeOnDemand: null })), 200);
    expect(once.runtimeConfig.heartbeat).toMatchObject({
      graceSec: 15,
      wakeOnDemand: true,
      retry: heartbeat.retry,
    });
    const twice = expectStatus(await patch(agent, { runtimeConfig: null }), 200);
    expect(twice.runtimeConfig.heartbeat).toMatchObject({ graceSec: 15, wakeOnDemand: true, retry: null });
  });

  test.each(['wakeOnAssignment', 'wakeOnOnDemand', 'wakeOnAutomation'])(
    'reads the older name %s as wakeOnDemand, too',
    async (older) => {
      const agent = await newAgent();
      const changed = expectStatus(await patch(agent, policy({ [older]: false })), 200);
      expect(changed.runtimeConfig.heartbeat).toMatchObject({ wakeOnDemand: false });
      const back = expectStatus(await patch(agent, policy({ [older]: false, wakeOnDemand: true })), 200);
      expect(back.runtimeConfig.heartbeat).toMatchObject({ wakeOnDemand: true });
    },
  );

  test('from an interval to a cron takes both fields', async () => {
    const agent = await newAgent({ heartbeat: { intervalSec: 60 } });
    expectBadField(await patch(agent, policy({ cron: '0 8 * * *' })), 'runtimeConfig.heartbeat.cron');
    const changed = expectStatus(await patch(agent, policy({ cron: '0 8 * * *', intervalSec: null })), 200);
    expect(changed.runtimeConfig.heartbeat).toMatchObject({ cron: '0 8 * * *', intervalSec: 0 });
  });

  test.each<[string, object]>([
    ['nothing', {}],
    [
      'the same',
      { name: 'Ada', adapterConfig: { command: 'true' }, runtimeConfig: { heartbeat: { graceSec: 15 } } },
    ],
    ['what is not there is removed', { adapterConfig: { stdin: null } }],
  ])('that changes nothing writes nothing: %s', async (_what, body) => {
    const agent = await newAgent();
    const before = await head(server);
    expect(expectStatus(await patch(agent, body), 200)).toEqual(agent);
    expect(await head(server)).toBe(before);
  });

  test('has a media type of its own', async () => {
    const agent = await newAgent();
    const headers = { 'content-type': 'application/merge-patch+json' };
    expect(expectStatus(await patch(agent, '{"name":"Typed"}', headers), 200).name).toBe('Typed');
  });

  test.each<[string, object | string | undefined, string]>([
    ['no body', undefined, ''],
    ['a list', [], ''],
    ['a list of operations', [{ op: 'replace', path: '/name', value: 'x' }], ''],
    ['no name', { name: null }, 'name'],
    ['a blank name', { name: ' ' }, 'name'],
    ['a wrong name', { name: { first: 'Ada' } }, 'name'],
    ['no adapter', { adapterType: null }, 'adapterType'],
    ['an unknown adapter', { adapterType: 'telepathy' }, 'adapterType'],
    ['no command', { adapterConfig: { command: null } }, 'adapterConfig.command'],
    ['no configuration', { adapterConfig: null }, 'adapterConfig'],
    ['a secret', { adapterConfig: { env: { API_KEY: 'x' } } }, 'adapterConfig.env.API_KEY'],
    ['a wrong policy', policy({ graceSec: '1' }), 'runtimeConfig.heartbeat.graceSec'],
    ['an unknown field of the policy', policy({ grace: 1 }), 'runtimeConfig.heartbeat.grace'],
    ['a wrong older name', policy({ wakeOnAssignment: 'no' }), 'runtimeConfig.heartbeat.wakeOnAssignment'],
    ['half a retry', policy({ retry: { maxAttempts: 1 } }), 'runtimeConfig.heartbeat.retry.backoffSec'],
    ['text for the policy', { runtimeConfig: { heartbeat: 'fast' } }, 'runtimeConfig.heartbeat'],
    ['its status', { status: 'idle' }, 'status'],
    ['its id', { id: 'x' }, 'id'],
    ['its company', { companyId: 'x' }, 'companyId'],
    ['its external key', { externalKey: 'x' }, 'externalKey'],
    ['its version', { version: 1 }, 'version'],
    ['an unknown field', { colour: null }, 'colour'],
  ])('is refused with the path of the field: %s', async (_what, body, field) => {
    const agent = await newAgent();
    const before = await head(server);
    expectBadField(await patch(agent, body), field);
    expect(await getAgent(server, agent.id)).toEqual(agent);
    expect(await head(server)).toBe(before);
  });
});

describe('If-Match', () => {
  test.each(['"1"', '1', '*'])('%s lets the first change pass', async (version) => {
    const agent = await newAgent();
    expect(expectStatus(await patch(agent, { name: 'B' }, { 'if-match': version }), 200).version).toBe(2);
  });

  test.each(['"1"', '"3"', '"0"', '"99999999"'])('of another version (%s of 2) is 412', async (version) => {
    const agent = await newAgent();
    expectStatus(await patch(agent, { name: 'B' }), 200);
    const before = await head(server);
    const answer = await patch(agent, { name: 'C' }, { 'if-match': version });
    expect(expectProblem(answer, 412, 'version_conflict').details).toMatchObject({ version: 2 });
    expect((await getAgent(server, agent.id)).name).toBe('B');
    expect(await head(server)).toBe(before);
  });

  test('of another version is 412 also where nothing would change', async () => {
    const agent = await newAgent();
    expectProblem(await patch(agent, {}, { 'if-match': '"2"' }), 412, 'version_conflict');
  });

  test.each(['abc', '"x"', '1.5', '-1', '""'])('%s is no version', async (version) => {
    const agent = await newAgent();
    expectBadField(await patch(agent, { name: 'B' }, { 'if-match': version }), 'If-Match');
  });

  test('lets one of many pass', async () => {
    const agent = await newAgent();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => patch(agent, { name: `N${index}` }, { 'if-match': '"1"' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(11).fill(412)]);
    const winner = answers.find(({ status }) => status === 200)!.body;
    expect(await getAgent(server, agent.id)).toEqual(winner);
    expect(winner.version).toBe(2);
  });
});

test('without If-Match all of many at once pass, and none undoes another', async () => {
  const agent = await newAgent();
  const names = Array.from({ length: 12 }, (_, index) => `NAME_${index}`);
  const answers = await Promise.all(
    names.map((name) => patch(agent, { adapterConfig: { env: { [name]: 'x' } } })),
  );
  expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
  const { adapterConfig, version } = await getAgent(server, agent.id);
  expect(Object.keys(adapterConfig.env as object).sort()).toEqual([...names].sort());
  expect(version).toBe(13);
});

test('a terminated agent is not changed any more', async () => {
  const agent = await newAgent();
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  const before = await head(server);
  const problem = expectProblem(await patch(agent, { name: 'Ghost' }), 409, 'agent_status_conflict');
  expect(problem.details).toMatchObject({ status: 'terminated' });
  expect(await head(server)).toBe(before);
});

test('a paused agent can be changed, and stays paused', async () => {
  const agent = await newAgent();
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/pause`), 200);
  expect(expectStatus(await patch(agent, { name: 'B' }), 200)).toMatchObject({ name: 'B', status: 'paused' });
});

describe('while a run is going on', () => {
  test('it keeps the policy that it started with; the next one has the new', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait);
    const first = await wake(server, agent.id);
    const { startedAt } = await untilRunning(server, first.run!.id);
    expectStatus(await patch(agent, policy({ timeoutSec: 1, graceSec: 0 })), 200);
    const second = await wake(server, agent.id);
    expect(second.wakeup.status).toBe('deferred');
    await waitUntil(
      () => Date.now() > Date.parse(startedAt!) + 1_800,
      'the new time limit would have struck',
    );
    expect((await getRun(server, first.run!.id)).status).toBe('running');
    gate.open();
    expect((await untilFinal(server, first.run!.id)).status).toBe('succeeded');
  });

  test('a changed time limit counts for the run after it', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait);
    expectStatus(await patch(agent, policy({ timeoutSec: 1, graceSec: 0 })), 200);
    const { run } = await wake(server, agent.id);
    expect(await untilFinal(server, run!.id)).toMatchObject({
      status: 'timed_out',
      endCause: 'timeout',
      errorCode: 'timeout',
      error: 'Timed out',
    });
    expect((await getAgent(server, agent.id)).status).toBe('error');
  });

  test('more slots are used at once', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait);
    const one = await wake(server, agent.id, { coalesceKey: 'one' });
    await untilRunning(server, one.run!.id);
    const two: Woken = await wake(server, agent.id, { coalesceKey: 'two' });
    expect(two).toMatchObject({ wakeup: { status: 'deferred', runId: null }, run: null });
    expectStatus(await patch(agent, policy({ maxConcurrentRuns: 2 })), 200);
    const both = await waitUntil(async () => {
      const { activeRunIds } = await getAgent(server, agent.id);
      return activeRunIds.length === 2 && activeRunIds;
    }, 'both runs are going on');
    gate.open();
    for (const runId of both) expect((await untilFinal(server, runId)).status).toBe('succeeded');
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
