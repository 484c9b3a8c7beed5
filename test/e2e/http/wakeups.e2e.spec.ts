import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Page, Run, Wakeup, Woken } from './client';
import {
  expectBadField,
  expectStatus,
  get,
  getRun,
  getWakeup,
  head,
  ISO_TIME,
  listAll,
  openCompany,
  registerAgent,
  runOnce,
  untilDecided,
  untilFinal,
  UUID_V7,
  wake,
} from './client';

let server: TestServer;
let companyId: string;
/** Takes every wakeup and answers it with `skipped`: nothing of it runs. */
let sleeper: Agent;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
  sleeper = await registerAgent(server, companyId, { heartbeat: { wakeOnDemand: false } });
});
afterAll(() => server.close());

const newAgent = (more: Parameters<typeof registerAgent>[2] = {}) => registerAgent(server, companyId, more);

const EVERY_FIELD = {
  source: 'assignment',
  triggerDetail: 'callback',
  reason: 'a new issue',
  payload: { issueId: 'ISSUE-1', deep: [{ a: null }], n: 0.5 },
  contextSnapshot: { branch: 'main' },
  idempotencyKey: 'key-1',
  requestedByActorType: 'agent',
  requestedByActorId: 'actor-1',
  priority: -3,
  coalesceKey: 'issue-1',
  taskKey: 'task-1',
};

const NO_FIELD = {
  source: 'on_demand',
  triggerDetail: null,
  reason: null,
  payload: null,
  contextSnapshot: null,
  idempotencyKey: null,
  requestedByActorType: null,
  requestedByActorId: null,
  priority: 0,
  coalesceKey: null,
  taskKey: null,
};

/** The fields of a wakeup in the contract's list, in its order. */
const WAKEUP_FIELDS = [
  'id',
  'companyId',
  'agentId',
  'status',
  'source',
  'triggerDetail',
  'reason',
  'skipReason',
  'payload',
  'contextSnapshot',
  'idempotencyKey',
  'requestedByActorType',
  'requestedByActorId',
  'priority',
  'coalesceKey',
  'taskKey',
  'runId',
  'runStatus',
  'dueAt',
  'deadlineAt',
  'requestedAt',
  'claimedAt',
  'finishedAt',
  'error',
];

const RUN_FIELDS = [
  'id',
  'companyId',
  'agentId',
  'status',
  'invocationSource',
  'triggerDetail',
  'contextSnapshot',
  'wakeupIds',
  'coalescedCount',
  'attempt',
  'retryOfRunId',
  'sessionIdBefore',
  'sessionIdAfter',
  'queuedAt',
  'startedAt',
  'exitedAt',
  'finishedAt',
  'exitCode',
  'signal',
  'endCause',
  'endRequestedAt',
  'error',
  'errorCode',
  'usage',
  'costMicros',
  'resultJson',
  'logBytes',
  'logSha256',
  'logs',
  'nodeId',
];

describe('an accepted wakeup', () => {
  test('without a body has every field, null where nothing was said', async () => {
    const agent = await newAgent();
    const answer = await server.api<Woken>('POST', `/v1/agents/${agent.id}/wakeups`);
    const { wakeup, run, position } = expectStatus(answer, 202);
    expect(Object.keys(answer.body).sort()).toEqual(['position', 'run', 'wakeup']);
    expect(Object.keys(wakeup)).toEqual(expect.arrayContaining(WAKEUP_FIELDS));
    expect(wakeup).toMatchObject({
      ...NO_FIELD,
      id: expect.stringMatching(UUID_V7),
      companyId,
      agentId: agent.id,
      status: 'queued',
      skipReason: null,
      runId: run!.id,
      runStatus: 'queued',
      dueAt: null,
      deadlineAt: null,
      requestedAt: expect.stringMatching(ISO_TIME),
      claimedAt: null,
      finishedAt: null,
      error: null,
    });
    expect(Object.keys(run!)).toEqual(expect.arrayContaining(RUN_FIELDS));
    expect(run).toMatchObject({
      id: expect.stringMatching(UUID_V7),
      companyId,
      agentId: agent.id,
      status: 'queued',
      invocationSource: 'on_demand',
      triggerDetail: null,
      wakeupIds: [wakeup.id],
      coalescedCount: 0,
      attempt: 1,
      retryOfRunId: null,
      queuedAt: wakeup.requestedAt,
      startedAt: null,
      exitCode: null,
      endCause: null,
      usage: null,
      costMicros: null,
      resultJson: null,
      logBytes: null,
      logSha256: null,
      logs: null,
      nodeId: null,
    });
    expect(position).toMatch(/^[1-9]\d*$/);
    expect(answer.headers['reveille-position']).toBe(position);
    await untilFinal(server, run!.id);
  });

  test('keeps every field, in the answer and in its receipt', async () => {
    const agent = await newAgent();
    const { wakeup, run } = await wake(server, agent.id, EVERY_FIELD);
    expect(wakeup).toMatchObject(EVERY_FIELD);
    expect(run).toMatchObject({ invocationSource: 'assignment', triggerDetail: 'callback' });
    await untilFinal(server, run!.id);
    const receipt = await untilDecided(server, wakeup.id);
    expect(receipt).toEqual({
      ...wakeup,
      status: 'completed',
      runStatus: 'succeeded',
      claimedAt: expect.stringMatching(ISO_TIME),
      finishedAt: expect.stringMatching(ISO_TIME),
    });
    const finished = await getRun(server, run!.id);
    expect(receipt).toMatchObject({ claimedAt: finished.startedAt, finishedAt: finished.finishedAt });
  });

  test('shows nothing of how it is kept', async () => {
    const agent = await newAgent();
    const { wakeup, run } = await wake(server, agent.id, EVERY_FIELD);
    await untilFinal(server, run!.id);
    const known = [...WAKEUP_FIELDS, 'notBefore'];
    expect(Object.keys(await getWakeup(server, wakeup.id)).filter((key) => !known.includes(key))).toEqual([]);
    const shown = [...RUN_FIELDS, 'stdoutExcerpt', 'stderrExcerpt'];
    expect(Object.keys(await getRun(server, run!.id)).filter((key) => !shown.includes(key))).toEqual([]);
  });

  test('null is the same as nothing', async () => {
    const nulls = Object.fromEntries(Object.keys({ ...EVERY_FIELD, notBefore: 0 }).map((key) => [key, null]));
    const { wakeup } = await wake(server, sleeper.id, nulls);
    expect(wakeup).toMatchObject({ ...NO_FIELD, status: 'skipped' });
  });

  test.each(['timer', 'assignment', 'on_demand', 'automation'])('takes the source %s', async (source) => {
    const agent = await newAgent();
    expect((await wake(server, agent.id, { source })).wakeup).toMatchObject({ source, status: 'queued' });
  });

  test.each(['manual', 'ping', 'callback', 'system'])('takes the detail %s', async (triggerDetail) => {
    expect((await wake(server, sleeper.id, { triggerDetail })).wakeup).toMatchObject({ triggerDetail });
  });
});

describe('invoke', () => {
  const invoke = (body?: object) => server.api<Woken>('POST', `/v1/agents/${sleeper.id}/invoke`, body);

  test('is a wakeup by hand', async () => {
    const { wakeup } = expectStatus(await invoke(), 202);
    expect(wakeup).toMatchObject({ ...NO_FIELD, triggerDetail: 'manual' });
  });

  test.each(['ping', 'callback', 'system', 'manual'])('may say %s instead', async (triggerDetail) => {
    const { wakeup } = expectStatus(await invoke({ triggerDetail, source: 'automation' }), 202);
    expect(wakeup).toMatchObject({ triggerDetail, source: 'automation' });
  });

  test('refuses what a wakeup refuses', async () => {
    expectBadField(await invoke({ triggerDetail: 'hand' }), 'triggerDetail');
  });
});

describe('a wrong request is refused with the path of the field', () => {
  test.each<[string, unknown]>([
    ['source', 'dream'],
    ['source', ''],
    ['source', ['timer']],
    ['triggerDetail', 'hand'],
    ['reason', 5],
    ['reason', 'r'.repeat(2_001)],
    ['payload', 'text'],
    ['payload', []],
    ['payload', 1],
    ['contextSnapshot', 'text'],
    ['contextSnapshot', [{}]],
    ['idempotencyKey', ''],
    ['idempotencyKey', 1],
    ['idempotencyKey', 'k'.repeat(501)],
    ['requestedByActorType', 'robot'],
    ['requestedByActorId', 5],
    ['notBefore', 'tomorrow'],
    ['notBefore', '2030-13-01T00:00:00Z'],
    ['notBefore', '2030-01-01'],
    ['notBefore', 1_900_000_000_000],
    ['priority', '1'],
    ['priority', 1.5],
    ['priority', 1e100],
    ['coalesceKey', ''],
    ['coalesceKey', {}],
    ['taskKey', 7],
    ['agentId', 'x'],
    ['runId', 'x'],
    ['forceFreshSession', true],
  ])('%s, case %#', async (field, value) => {
    const before = await head(server);
    expectBadField(await server.api('POST', `/v1/agents/${sleeper.id}/wakeups`, { [field]: value }), field);
    expect(await head(server)).toBe(before);
  });
});

describe('a wakeup that the policy does not want', () => {
  test.each<[object, string, string | null]>([
    [{ enabled: false }, 'timer', 'heartbeat.disabled'],
    [{ enabled: false }, 'on_demand', null],
    [{ enabled: false }, 'assignment', null],
    [{ wakeOnDemand: false }, 'timer', null],
    [{ wakeOnDemand: false }, 'on_demand', 'heartbeat.wakeOnDemand.disabled'],
    [{ wakeOnDemand: false }, 'assignment', 'heartbeat.wakeOnDemand.disabled'],
    [{ wakeOnDemand: false }, 'automation', 'heartbeat.wakeOnDemand.disabled'],
    [{ wakeOnAssignment: false }, 'automation', 'heartbeat.wakeOnDemand.disabled'],
  ])('%j, %s: skipped for %s', async (heartbeat, source, skipReason) => {
    const agent = await newAgent({ heartbeat });
    const answer = await wake(server, agent.id, { source });
    if (skipReason === null) {
      expect(answer.wakeup.status).toBe('queued');
      return;
    }
    expect(answer).toMatchObject({
      run: null,
      wakeup: {
        status: 'skipped',
        skipReason,
        runId: null,
        runStatus: null,
        claimedAt: null,
        finishedAt: expect.stringMatching(ISO_TIME),
      },
    });
    expect(await getWakeup(server, answer.wakeup.id)).toEqual(answer.wakeup);
    expect(
      (await get<Page<Run>>(server, `/v1/companies/${companyId}/runs?agentId=${agent.id}`)).items,
    ).toEqual([]);
  });
});

describe('the context of the run', () => {
  const contextOf = async (body: object) => {
    const { contextSnapshot } = await runOnce(server, (await newAgent()).id, body);
    const { wakeups, ...rest } = contextSnapshot;
    return { wakeups, rest };
  };

  test('is completed from the request', async () => {
    const { rest, wakeups } = await contextOf(EVERY_FIELD);
    expect(rest).toEqual({
      branch: 'main',
      wakeReason: 'a new issue',
      issueId: 'ISSUE-1',
      taskId: 'ISSUE-1',
      wakeSource: 'assignment',
      wakeTriggerDetail: 'callback',
    });
    expect(wakeups).toEqual([
      {
        id: expect.stringMatching(UUID_V7),
        source: 'assignment',
        reason: 'a new issue',
        payload: EVERY_FIELD.payload,
        contextSnapshot: EVERY_FIELD.contextSnapshot,
      },
    ]);
  });

  test('of a request that says nothing says where it comes from', async () => {
    expect((await contextOf({})).rest).toEqual({ wakeSource: 'on_demand' });
  });

  test('never loses what it says itself', async () => {
    const own = {
      wakeReason: 'own reason',
      issueId: 'OWN',
      taskId: 'OWN-TASK',
      wakeSource: 'own source',
      wakeTriggerDetail: 'own detail',
    };
    expect((await contextOf({ ...EVERY_FIELD, contextSnapshot: own })).rest).toEqual(own);
  });

  test('is completed where it is blank', async () => {
    const blank = { wakeReason: '', issueId: ' ', taskId: '\t\n', wakeSource: null, wakeTriggerDetail: 0 };
    expect((await contextOf({ ...EVERY_FIELD, contextSnapshot: blank })).rest).toEqual({
      wakeReason: 'a new issue',
      issueId: 'ISSUE-1',
      taskId: 'ISSUE-1',
      wakeSource: 'assignment',
      wakeTriggerDetail: 'callback',
    });
  });

  test('of a wakeup is what was asked for, not what the run makes of it', async () => {
    const { wakeup } = await wake(server, sleeper.id, EVERY_FIELD);
    expect((await getWakeup(server, wakeup.id)).contextSnapshot).toEqual({ branch: 'main' });
  });
});

describe('receipts', () => {
  test('are listed newest first, page by page', async () => {
    const agent = await newAgent({ heartbeat: { wakeOnDemand: false } });
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift((await wake(server, agent.id, { reason: `${i}` })).wakeup.id);
    await head(server);
    const path = `/v1/agents/${agent.id}/wakeups`;
    for (const limit of [1, 3, 7, 100]) {
      expect((await listAll<Wakeup>(server, path, limit)).map(({ id }) => id)).toEqual(ids);
    }
    const [newest] = (await get<Page<Wakeup>>(server, path)).items;
    expect(newest).toEqual(await getWakeup(server, ids[0]!));
  });

  test('new ones do not disturb who is reading the older ones', async () => {
    const agent = await newAgent({ heartbeat: { wakeOnDemand: false } });
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.unshift((await wake(server, agent.id)).wakeup.id);
    const path = `/v1/agents/${agent.id}/wakeups`;
    const first = await get<Page<Wakeup>>(server, `${path}?limit=2`);
    await wake(server, agent.id);
    const second = await get<Page<Wakeup>>(server, `${path}?limit=2&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
  });

  test('can be asked for by their run', async () => {
    const agent = await newAgent();
    const one = await wake(server, agent.id);
    await untilFinal(server, one.run!.id);
    const two = await wake(server, agent.id);
    await untilFinal(server, two.run!.id);
    const path = `/v1/agents/${agent.id}/wakeups`;
    const ofOne = await get<Page<Wakeup>>(server, `${path}?runId=${one.run!.id}`);
    expect(ofOne.items.map(({ id }) => id)).toEqual([one.wakeup.id]);
    expect((await get<Page<Wakeup>>(server, `${path}?runId=${companyId}`)).items).toEqual([]);
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
