import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Run, Woken } from './client';
import {
  caughtUp,
  expectProblem,
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  head,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilOutput,
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

const tell = (agent: Agent, what: string) => server.api<Agent>('POST', `/v1/agents/${agent.id}/${what}`);
const told = async (agent: Agent, what: string) => expectStatus(await tell(agent, what), 200);
const newAgent = (more: Parameters<typeof registerAgent>[2] = {}) => registerAgent(server, companyId, more);

describe('pause and resume', () => {
  test('an idle agent is paused, and is idle again', async () => {
    const agent = await newAgent();
    const answer = await tell(agent, 'pause');
    const paused = expectStatus(answer, 200);
    expect(paused).toEqual({
      ...agent,
      status: 'paused',
      statusReason: expect.any(String),
      cancelledRuns: [],
    });
    expect(BigInt(answer.headers['reveille-position'] as string)).toBeGreaterThan(0n);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'paused' });
    expect(await told(agent, 'resume')).toEqual({ ...agent, cancelledRuns: [] });
  });

  test('said twice changes nothing the second time', async () => {
    const agent = await newAgent();
    for (const what of ['resume', 'pause', 'pause', 'resume', 'resume']) {
      const expected = what === 'pause' ? 'paused' : 'idle';
      const before = (await getAgent(server, agent.id)).status;
      const position = await head(server);
      expect(await told(agent, what)).toMatchObject({ status: expected, version: 1 });
      if (before === expected) expect(await head(server)).toBe(position);
    }
  });

  test('said by ten at once is said once', async () => {
    const agent = await newAgent();
    const before = BigInt(await head(server));
    const answers = await Promise.all(Array.from({ length: 10 }, () => tell(agent, 'pause')));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(BigInt(await head(server)) - before).toBe(1n);
  });

  test('the running run is ended, with what the pause says about it', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const { run, wakeup } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    const paused = await told(agent, 'pause');
    expect(paused).toMatchObject({ status: 'paused', cancelledRuns: [run!.id] });
    expect(await untilFinal(server, run!.id)).toMatchObject({
      status: 'cancelled',
      endCause: 'pause',
      errorCode: 'cancelled',
      error: 'Cancelled due to agent pause',
    });
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'cancelled', runStatus: 'cancelled' });
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'paused', activeRunIds: [] });
    expect(await told(agent, 'resume')).toMatchObject({ status: 'idle' });
  });

  test('what is deferred is held, and released by the resume', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const first = await wake(server, agent.id);
    await untilOutput(server, first.run!.id, 'ready');
    const second = await wake(server, agent.id);
    expect(second.wakeup.status).toBe('deferred');
    await told(agent, 'pause');
    await untilFinal(server, first.run!.id);
    // Whatever follows the end of a run has been done when all consumers of the log have seen it.
    await caughtUp(server);
    expect(await getWakeup(server, second.wakeup.id)).toMatchObject({ status: 'deferred', runId: null });
    gate.open();
    await told(agent, 'resume');
    expect(await untilDecided(server, second.wakeup.id)).toMatchObject({
      status: 'completed',
      runStatus: 'succeeded',
    });
  });

  test('an agent that failed is idle again after pause and resume', async () => {
    const agent = await scriptedAgent(server, 'exit 3');
    await runOnce(server, agent.id);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error' });
    await told(agent, 'pause');
    expect(await told(agent, 'resume')).toMatchObject({ status: 'idle' });
  });
});

describe('approve', () => {
  test('makes a pending agent idle, and a repetition changes nothing', async () => {
    const agent = await newAgent({ requiresApproval: true });
    expect(await told(agent, 'approve')).toMatchObject({ status: 'idle', cancelledRuns: [] });
    const before = await head(server);
    expect(await told(agent, 'approve')).toMatchObject({ status: 'idle' });
    expect(await head(server)).toBe(before);
    expect((await runOnce(server, agent.id)).status).toBe('succeeded');
  });

  test('does not resume a paused agent', async () => {
    const agent = await newAgent();
    await told(agent, 'pause');
    expect(await told(agent, 'approve')).toMatchObject({ status: 'paused' });
  });

  test('is not to be got round by a resume', async () => {
    const agent = await newAgent({ requiresApproval: true });
    await tell(agent, 'resume');
    await tell(agent, 'pause');
    await tell(agent, 'resume');
    expect((await getAgent(server, agent.id)).status).toBe('pending_approval');
  });
});

describe('terminate', () => {
  test('is for ever', async () => {
    const agent = await newAgent();
    expect(await told(agent, 'terminate')).toMatchObject({ status: 'terminated', cancelledRuns: [] });
    const before = await head(server);
    expect(await told(agent, 'terminate')).toMatchObject({ status: 'terminated', cancelledRuns: [] });
    for (const what of ['resume', 'pause', 'approve']) {
      const { details } = expectProblem(await tell(agent, what), 409, 'agent_status_conflict');
      expect(details).toMatchObject({ status: 'terminated' });
    }
    expect(await head(server)).toBe(before);
    expect((await getAgent(server, agent.id)).status).toBe('terminated');
  });

  test('ends what runs and cancels what waits', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const running = await wake(server, agent.id);
    await untilOutput(server, running.run!.id, 'ready');
    const waiting = await wake(server, agent.id);
    const merged = await wake(server, agent.id);
    expect([waiting.wakeup.status, merged.wakeup.status]).toEqual(['deferred', 'coalesced']);

    const terminated = await told(agent, 'terminate');
    expect(terminated).toMatchObject({ status: 'terminated', cancelledRuns: [running.run!.id] });
    expect(await untilFinal(server, running.run!.id)).toMatchObject({
      status: 'cancelled',
      endCause: 'terminate',
      errorCode: 'cancelled',
      error: expect.stringMatching(/^Cancelled due to agent terminat/),
    });
    expect(await getWakeup(server, running.wakeup.id)).toMatchObject({ status: 'cancelled' });
    expect(await getWakeup(server, waiting.wakeup.id)).toMatchObject({
      status: 'cancelled',
      runId: null,
      runStatus: null,
      finishedAt: expect.any(String),
    });
    expect(await getWakeup(server, merged.wakeup.id)).toMatchObject({ status: 'coalesced', runId: null });
    await caughtUp(server);
    const { items } = await get<{ items: Run[] }>(server, `/v1/companies/${agent.companyId}/runs`);
    expect(items.map(({ id }) => id)).toEqual([running.run!.id]);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'terminated', activeRunIds: [] });
  });

  test('works on a paused and on a pending agent', async () => {
    const paused = await newAgent();
    await told(paused, 'pause');
    expect(await told(paused, 'terminate')).toMatchObject({ status: 'terminated', statusReason: null });
    const pending = await newAgent({ requiresApproval: true });
    expect(await told(pending, 'terminate')).toMatchObject({ status: 'terminated' });
  });
});

describe('a wakeup of an agent that is not to be woken', () => {
  test.each<[string, (agent: Agent) => Promise<unknown>]>([
    ['paused', (agent) => told(agent, 'pause')],
    ['terminated', (agent) => told(agent, 'terminate')],
    ['pending_approval', () => Promise.resolve()],
  ])('%s: 409, and nothing is written', async (status, bring) => {
    const agent = await newAgent({ requiresApproval: status === 'pending_approval' });
    await bring(agent);
    const before = await head(server);
    for (const route of ['wakeups', 'invoke']) {
      for (const source of ['on_demand', 'assignment', 'automation', 'timer']) {
        const answer = await server.api('POST', `/v1/agents/${agent.id}/${route}`, { source });
        const { details } = expectProblem(answer, 409, 'agent_not_wakeable');
        expect(details).toMatchObject({ status });
      }
    }
    expect(await head(server)).toBe(before);
    const { items } = await get<{ items: unknown[] }>(server, `/v1/agents/${agent.id}/wakeups`);
    expect(items).toEqual([]);
  });

  test('the repetition of one that was accepted is answered as before', async () => {
    const agent = await newAgent();
    const body = { idempotencyKey: 'once' };
    const first: Woken = await wake(server, agent.id, body);
    await untilFinal(server, first.run!.id);
    await told(agent, 'pause');
    const again = await wake(server, agent.id, body);
    expect(again).toMatchObject({
      wakeup: { id: first.wakeup.id, status: 'completed' },
      run: { id: first.run!.id },
      position: first.position,
    });
    expectProblem(
      await server.api('POST', `/v1/agents/${agent.id}/wakeups`, { idempotencyKey: 'new' }),
      409,
      'agent_not_wakeable',
    );
  });
});

test('an agent says that it is running while it is', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait);
  const { run } = await wake(server, agent.id);
  await untilRunning(server, run!.id);
  expect(await getAgent(server, agent.id)).toMatchObject({
    status: 'running',
    activeRunIds: [run!.id],
    lastHeartbeatAt: null,
  });
  gate.open();
  await untilFinal(server, run!.id);
  expect(await getAgent(server, agent.id)).toMatchObject({
    status: 'idle',
    activeRunIds: [],
    lastHeartbeatAt: (await getRun(server, run!.id)).finishedAt,
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
