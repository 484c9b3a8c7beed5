import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Company, Page } from './client';
import {
  agentBody,
  expectBadField,
  expectProblem,
  expectStatus,
  get,
  getAgent,
  head,
  ISO_TIME,
  openCompany,
  UUID_V7,
} from './client';

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
});
afterAll(() => server.close());

const register = (body?: object, companyId = company.id) =>
  server.api<Agent>('POST', `/v1/companies/${companyId}/agents`, body);
const withPolicy = (heartbeat: unknown) => ({ ...agentBody(), runtimeConfig: { heartbeat } });
const policyOf = async (heartbeat: object) => {
  const { id, runtimeConfig } = expectStatus(await register(withPolicy(heartbeat)), 201);
  // A timer would go on writing to the log, which other tests expect to stay as it is.
  expectStatus(await server.api('POST', `/v1/agents/${id}/terminate`), 200);
  return runtimeConfig.heartbeat;
};

const DEFAULTS = {
  enabled: true,
  intervalSec: 0,
  cron: null,
  timezone: null,
  jitterSec: 0,
  catchUp: 'once',
  wakeOnDemand: true,
  maxConcurrentRuns: 1,
  whenBusy: 'followUp',
  maxDailyRuns: null,
  timeoutSec: 0,
  silenceTimeoutSec: 0,
  graceSec: 15,
  retry: null,
  circuitBreaker: null,
  logQuotaBytes: 268_435_456,
  placement: 'node',
};

const EVERYTHING = {
  enabled: false,
  cron: '*/5 8-18 * * MON-FRI',
  timezone: 'Europe/Berlin',
  jitterSec: 30,
  catchUp: 'skip',
  wakeOnDemand: false,
  maxConcurrentRuns: 3,
  whenBusy: 'enqueue',
  maxDailyRuns: 40,
  timeoutSec: 3_600,
  silenceTimeoutSec: 600,
  graceSec: 0,
  retry: { maxAttempts: 3, backoffSec: 10 },
  circuitBreaker: { failures: 5, coolDownSec: 900 },
  logQuotaBytes: 1_048_576,
  placement: 'any',
};

test('an agent is registered with its defaults and read back', async () => {
  const answer = await register(agentBody());
  const agent = expectStatus(answer, 201);
  expect(agent).toEqual({
    id: expect.stringMatching(UUID_V7),
    companyId: company.id,
    externalKey: null,
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: 'true' },
    runtimeConfig: {
      heartbeat: DEFAULTS,
      permissions: { wake: 'self', loopLimit: { wakeups: 50, withinSec: 60 } },
    },
    requiresApproval: false,
    status: 'idle',
    statusReason: null,
    lastHeartbeatAt: null,
    activeRunIds: [],
    nextDueAt: null,
    spentMonthMicros: 0,
    version: 1,
    createdAt: expect.stringMatching(ISO_TIME),
  });
  expect(await getAgent(server, agent.id)).toEqual(agent);
  expect(await getAgent(server, agent.id, answer.headers['reveille-position'] as string)).toEqual(agent);
});

test('every field of the policy is kept', async () => {
  expect(await policyOf(EVERYTHING)).toEqual({ ...EVERYTHING, intervalSec: 0 });
  expect(await policyOf({ intervalSec: 300 })).toEqual({ ...DEFAULTS, intervalSec: 300 });
  for (const whenBusy of ['followUp', 'coalesce', 'enqueue', 'interrupt', 'reject']) {
    expect(await policyOf({ whenBusy })).toEqual({ ...DEFAULTS, whenBusy });
  }
});

test('null stands for the default where the default is none', async () => {
  const none = { cron: null, timezone: null, maxDailyRuns: null, retry: null, circuitBreaker: null };
  expect(await policyOf(none)).toEqual(DEFAULTS);
});

test.each([[undefined], [{}], [{ heartbeat: {} }]])(
  'runtimeConfig %j is all defaults',
  async (runtimeConfig) => {
    const agent = expectStatus(await register({ ...agentBody(), runtimeConfig }), 201);
    expect(agent.runtimeConfig.heartbeat).toEqual(DEFAULTS);
  },
);

test.each<[object, boolean]>([
  [{ wakeOnAssignment: false }, false],
  [{ wakeOnOnDemand: false }, false],
  [{ wakeOnAutomation: false }, false],
  [{ wakeOnAutomation: true, wakeOnOnDemand: false }, false],
  [{ wakeOnAutomation: false, wakeOnOnDemand: true }, true],
  [{ wakeOnAutomation: false, wakeOnOnDemand: false, wakeOnAssignment: true }, true],
  [{ wakeOnAssignment: false, wakeOnDemand: true }, true],
])('the older names %j are read as wakeOnDemand %s', async (older, wakeOnDemand) => {
  expect(await policyOf(older)).toEqual({ ...DEFAULTS, wakeOnDemand });
});

describe('a wrong policy is refused with the path of the field', () => {
  test.each<[string, unknown]>([
    ['enabled', 'yes'],
    ['enabled', 1],
    ['enabled', null],
    ['intervalSec', '60'],
    ['intervalSec', -1],
    ['intervalSec', 1.5],
    ['intervalSec', null],
    ['intervalSec', 1e12],
    ['cron', 5],
    ['cron', 'every day'],
    ['cron', ''],
    ['cron', '* * * *'],
    ['cron', '* * * * * *'],
    ['cron', '61 * * * *'],
    ['cron', '* 24 * * *'],
    ['cron', '0 0 31 2 *'],
    ['jitterSec', -1],
    ['jitterSec', true],
    ['catchUp', 'all'],
    ['catchUp', null],
    ['wakeOnDemand', 'false'],
    ['wakeOnAssignment', 0],
    ['wakeOnOnDemand', 'x'],
    ['wakeOnAutomation', null],
    ['maxConcurrentRuns', 0],
    ['maxConcurrentRuns', -1],
    ['maxConcurrentRuns', 2.5],
    ['maxConcurrentRuns', '2'],
    ['maxConcurrentRuns', null],
    ['whenBusy', 'wait'],
    ['whenBusy', null],
    ['maxDailyRuns', 0],
    ['maxDailyRuns', 'many'],
    ['timeoutSec', -1],
    ['timeoutSec', '1'],
    ['silenceTimeoutSec', -0.1],
    ['graceSec', -1],
    ['graceSec', null],
    ['retry', 3],
    ['retry', []],
    ['circuitBreaker', true],
    ['logQuotaBytes', -1],
    ['logQuotaBytes', 1.5],
    ['logQuotaBytes', '1MB'],
    ['placement', 'here'],
    ['intervall', 60],
    ['INTERVALSEC', 60],
    ['interval_sec', 60],
  ])('%s: %j', async (field, value) => {
    const before = await head(server);
    expectBadField(await register(withPolicy({ [field]: value })), `runtimeConfig.heartbeat.${field}`);
    expect(await head(server)).toBe(before);
  });

  test.each<[object, string]>([
    [{ retry: { maxAttempts: 0, backoffSec: 1 } }, 'retry.maxAttempts'],
    [{ retry: { maxAttempts: 3 } }, 'retry.backoffSec'],
    [{ retry: { maxAttempts: 3, backoffSec: -1 } }, 'retry.backoffSec'],
    [{ retry: { maxAttempts: 3, backoffSec: 1, factor: 2 } }, 'retry.factor'],
    [{ circuitBreaker: { failures: 0, coolDownSec: 1 } }, 'circuitBreaker.failures'],
    [{ circuitBreaker: { failures: 1 } }, 'circuitBreaker.coolDownSec'],
    [{ circuitBreaker: { failures: 1, coolDownSec: 1, x: 1 } }, 'circuitBreaker.x'],
    [{ cron: '0 8 * * *', intervalSec: 60 }, 'cron'],
    [{ timezone: 'Europe/Berlin' }, 'timezone'],
    [{ cron: '0 8 * * *', timezone: 'Mars/Olympus' }, 'timezone'],
    [{ cron: '0 8 * * *', timezone: '' }, 'timezone'],
    [{ cron: '0 8 * * *', timezone: 2 }, 'timezone'],
  ])('%j: %s', async (heartbeat, field) => {
    const before = await head(server);
    expectBadField(await register(withPolicy(heartbeat)), `runtimeConfig.heartbeat.${field}`);
    expect(await head(server)).toBe(before);
  });

  test('all that is wrong is told at once', async () => {
    const answer = await register(withPolicy({ enabled: 1, graceSec: 'x', color: 'red' }));
    const { details } = expectProblem(answer, 400, 'bad_request');
    expect(details.issues?.map(({ path }) => path).sort()).toEqual([
      'runtimeConfig.heartbeat.color',
      'runtimeConfig.heartbeat.enabled',
      'runtimeConfig.heartbeat.graceSec',
    ]);
  });
});

describe('a wrong agent is refused with the path of the field', () => {
  const env = (value: object) => ({ adapterConfig: { command: 'true', env: value } });

  test.each<[string, object | undefined, string]>([
    ['no body', undefined, ''],
    ['no name', { name: undefined }, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a list for a name', { name: ['Ada'] }, 'name'],
    ['no adapter', { adapterType: undefined }, 'adapterType'],
    ['an unknown adapter', { adapterType: 'telepathy' }, 'adapterType'],
    ['what every object has for an adapter', { adapterType: 'constructor' }, 'adapterType'],
    ['no configuration of the adapter', { adapterConfig: undefined }, 'adapterConfig'],
    ['a list for a configuration', { adapterConfig: [] }, 'adapterConfig'],
    ['no command', { adapterConfig: {} }, 'adapterConfig.command'],
    ['an empty command', { adapterConfig: { command: '' } }, 'adapterConfig.command'],
    ['a number for a command', { adapterConfig: { command: 7 } }, 'adapterConfig.command'],
    ['a NUL in the command', { adapterConfig: { command: 'a\0b' } }, 'adapterConfig.command'],
    ['text for arguments', { adapterConfig: { command: 'true', args: '-v' } }, 'adapterConfig.args'],
    [
      'a number for an argument',
      { adapterConfig: { command: 'true', args: ['a', 1] } },
      'adapterConfig.args.1',
    ],
    ['a NUL in an argument', { adapterConfig: { command: 'true', args: ['\0'] } }, 'adapterConfig.args.0'],
    ['an empty folder', { adapterConfig: { command: 'true', cwd: '' } }, 'adapterConfig.cwd'],
    ['an object for stdin', { adapterConfig: { command: 'true', stdin: {} } }, 'adapterConfig.stdin'],
    ['an unknown field', { adapterConfig: { command: 'true', shell: true } }, 'adapterConfig.shell'],
    ['a list for an environment', env([]), 'adapterConfig.env'],
    ['a number in the environment', env({ LEVEL: 1 }), 'adapterConfig.env.LEVEL'],
    ['a name with an equals sign', env({ 'A=B': 'x' }), 'adapterConfig.env.A=B'],
    ['a name that the server gives', env({ REVEILLE_RUN_ID: 'x' }), 'adapterConfig.env.REVEILLE_RUN_ID'],
    ['a value with a NUL', env({ A: 'x\0' }), 'adapterConfig.env.A'],
    ['an empty external key', { externalKey: '' }, 'externalKey'],
    ['a number for approval', { requiresApproval: 1 }, 'requiresApproval'],
    ['text for runtimeConfig', { runtimeConfig: 'fast' }, 'runtimeConfig'],
    ['a list for a policy', { runtimeConfig: { heartbeat: [] } }, 'runtimeConfig.heartbeat'],
    ['an unknown part of runtimeConfig', { runtimeConfig: { pulse: {} } }, 'runtimeConfig.pulse'],
    ['a status of its own', { status: 'idle' }, 'status'],
    ['an unknown field of the agent', { colour: 'red' }, 'colour'],
  ])('%s', async (_what, change, field) => {
    const before = await head(server);
    expectBadField(await register(change && { ...agentBody(), ...change }), field);
    expect(await head(server)).toBe(before);
  });

  test.each([
    'API_KEY',
    'OPENAI_API_KEY',
    'GITHUB_TOKEN',
    'DB_PASSWORD',
    'AWS_SECRET_ACCESS_KEY',
    'PASSWORD',
    'TOKEN',
    'my_secret',
    'PRIVATE_KEY',
    'PGPASSWORD',
    'CLIENT_SECRET',
    'SSH_PASSPHRASE',
  ])('a plain value of a variable named %s, and the value is not repeated', async (name) => {
    const answer = await register({ ...agentBody(), ...env({ [name]: 'hunter2-value' }) });
    expectBadField(answer, `adapterConfig.env.${name}`);
    expect(answer.bytes.toString()).not.toContain('hunter2-value');
  });

  test('ordinary variables are taken', async () => {
    const ordinary = { LANG: 'C', MONKEY: 'a', KEYBOARD: 'b', TOKENIZER: 'c', COMPASS: 'd', EMPTY: '' };
    const agent = expectStatus(await register({ ...agentBody(), ...env(ordinary) }), 201);
    expect(agent.adapterConfig).toEqual({ command: 'true', env: ordinary });
  });
});

describe('an external key', () => {
  test('that is known answers the agent that has it, as it is', async () => {
    const first = expectStatus(await register({ ...agentBody(), externalKey: 'ada' }), 201);
    const before = await head(server);
    const other = { ...agentBody(), name: 'Not Ada', externalKey: 'ada', requiresApproval: true };
    expect(await register(other)).toMatchObject({ status: 200, body: first });
    expect(await getAgent(server, first.id)).toEqual(first);
    expect(await head(server)).toBe(before);
  });

  test('does not excuse a wrong body', async () => {
    expectStatus(await register({ ...agentBody(), externalKey: 'strict' }), 201);
    expectBadField(
      await register({ ...agentBody(), externalKey: 'strict', adapterConfig: {} }),
      'adapterConfig.command',
    );
  });

  test('is unique per company, not among all', async () => {
    const other = await openCompany(server);
    const here = expectStatus(await register({ ...agentBody(), externalKey: 'shared' }), 201);
    const there = expectStatus(await register({ ...agentBody(), externalKey: 'shared' }, other.id), 201);
    expect(there.id).not.toBe(here.id);
    expect(there.companyId).toBe(other.id);
  });

  test('registered by 20 at once is one agent, every time', async () => {
    const crowded = await openCompany(server);
    // Connections that are open already: so the requests of one round really meet.
    await Promise.all(Array.from({ length: 20 }, () => server.api('GET', '/health/live')));
    for (let round = 1; round <= 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          register({ ...agentBody(), name: `Ada ${index}`, externalKey: `round ${round}` }, crowded.id),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
      expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
      expect(new Set(answers.map(({ body }) => body.name)).size).toBe(1);
      const { items } = await get<Page<Agent>>(server, `/v1/companies/${crowded.id}/agents`);
      expect(items).toHaveLength(round);
    }
  });
});

test('an agent that needs approval waits for it', async () => {
  const agent = expectStatus(await register({ ...agentBody(), requiresApproval: true }), 201);
  expect(agent).toMatchObject({ requiresApproval: true, status: 'pending_approval', activeRunIds: [] });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
