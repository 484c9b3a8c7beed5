import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { says } from '../costs/ledger-bench';
import {
  expectBadField,
  expectProblem,
  expectStatus,
  Gate,
  getAgent,
  getRun,
  getWakeup,
  runOnce,
  scriptedAgent,
  UNKNOWN_ID,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { Budgets, CALL, ENDED_BY_BUDGET, runIdOf } from './budgets';

let server: TestServer;
let budgets: Budgets;

beforeAll(async () => {
  server = await startTestServer();
  budgets = new Budgets(server);
});
afterAll(async () => {
  await server.close();
  expect(server.errors).toEqual([]);
});

const heartbeat = { graceSec: 1 };

test('a budget of $0.50 stops a run in mid-run, after the line that crossed it', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `${CALL}; ${CALL}; ${gate.wait}; ${CALL}; sleep 600`, {
    heartbeat,
  });
  await budgets.ofAgent(agent.id, { monthlyMicros: 500_000 });
  const runId = runIdOf(await wake(server, agent.id));
  await waitUntil(async () => (await budgets.agent(agent.id)).state === 'warned', 'it is warned of');
  expect((await getAgent(server, agent.id)).status).toBe('running');
  gate.open();
  expect(await untilFinal(server, runId)).toMatchObject({ ...ENDED_BY_BUDGET, costMicros: 600_000 });
  expect(await getAgent(server, agent.id)).toMatchObject({
    status: 'paused',
    statusReason: 'budget.exceeded',
    spentMonthMicros: 600_000,
  });
  expect(await budgets.agent(agent.id)).toMatchObject({
    state: 'exceeded',
    exceededLimits: ['micros'],
    stoppedBy: ['agent'],
    spent: { micros: 600_000, tokens: 30, runs: 1 },
    remaining: { micros: 0, tokens: null, runs: null },
  });
  await budgets.expectSkipped(agent);
  const told = (await budgets.told(agent.companyId)).map(({ type, payload }) => [type, payload['limits']]);
  expect(told).toEqual([
    ['budget.changed', undefined],
    ['budget.warned', ['micros']],
    ['budget.exceeded', ['micros']],
  ]);
});

test('the run that follows one over the budget is not started, however soon it is asked for', async () => {
  const agent = await scriptedAgent(server, says.result({ costUsd: 0.01 }));
  await budgets.ofAgent(agent.id, { monthlyMicros: 10_000 });
  expect((await runOnce(server, agent.id)).status).toBe('succeeded');
  await budgets.expectSkipped(agent);
  expect((await getAgent(server, agent.id)).status).toBe('paused');
});

test('a raised budget lets go on what it had stopped, and what has waited meanwhile', async () => {
  const gate = new Gate();
  const script = `[ -e ${gate.path} ] && exit 0; ${CALL}; sleep 600`;
  const agent = await scriptedAgent(server, script, { heartbeat });
  const runId = runIdOf(await wake(server, agent.id));
  await untilRunning(server, runId);
  const { wakeup: waiting } = await wake(server, agent.id, { reason: 'more' });
  expect(waiting.status).toBe('deferred');
  await waitUntil(async () => (await budgets.agent(agent.id)).spent.micros === 200_000, 'it is booked');

  // One that is used up already stops at once.
  expect(await budgets.ofAgent(agent.id, { monthlyMicros: 200_000 })).toMatchObject({ state: 'exceeded' });
  expect(await untilFinal(server, runId)).toMatchObject(ENDED_BY_BUDGET);
  expect(await getWakeup(server, waiting.id)).toMatchObject({ status: 'deferred' });
  gate.open();
  expect(await budgets.ofAgent(agent.id, { monthlyMicros: 1_000_000, warnAt: 0.5 })).toMatchObject({
    state: 'ok',
    warnAt: 0.5,
    stoppedBy: [],
    resumesAt: null,
    remaining: { micros: 800_000 },
  });
  await waitUntil(async () => (await getWakeup(server, waiting.id)).status === 'completed', 'it has run');
  expect((await getAgent(server, agent.id)).status).toBe('idle');
});

test('tokens stop a run as money does, for those who pay by the month', async () => {
  const agent = await scriptedAgent(
    server,
    `${says.usage({ inputTokens: 60, outputTokens: 40 })}; sleep 600`,
    {
      heartbeat,
    },
  );
  await budgets.ofAgent(agent.id, { monthlyTokens: 100 });
  expect(await runOnce(server, agent.id)).toMatchObject({ ...ENDED_BY_BUDGET, costMicros: null });
  expect(await budgets.agent(agent.id)).toMatchObject({ exceededLimits: ['tokens'] });
});

test('a number of runs is never exceeded, and the last one comes to its end', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `${CALL}; ${gate.wait}`, {
    heartbeat: { whenBusy: 'enqueue', maxConcurrentRuns: 3 },
  });
  await budgets.ofAgent(agent.id, { monthlyRuns: 2 });
  const asked = await Promise.all(
    ['a', 'b', 'c', 'd'].map((coalesceKey) => wake(server, agent.id, { coalesceKey })),
  );
  const runs = asked.flatMap(({ run }) => run ?? []);
  expect(runs).toHaveLength(2);
  for (const { id } of runs) await untilRunning(server, id);
  expect((await getAgent(server, agent.id)).status).toBe('running');
  gate.open();
  for (const { id } of runs) expect(await untilFinal(server, id)).toMatchObject({ status: 'succeeded' });
  await budgets.untilStatus(agent, 'paused');
  expect(await budgets.agent(agent.id)).toMatchObject({ exceededLimits: ['runs'], remaining: { runs: 0 } });
  await budgets.expectSkipped(agent);
});

test('a person and the budget do not undo what the other has done', async () => {
  const agent = await scriptedAgent(server, says.result({ costUsd: 0.01 }));
  const post = async (change: string) =>
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/${change}`), 200);
  await budgets.ofAgent(agent.id, { monthlyMicros: 1 });
  await runOnce(server, agent.id);
  await budgets.untilStatus(agent, 'paused');
  expect(await post('resume')).toMatchObject({ status: 'paused', statusReason: 'budget.exceeded' });
  await budgets.expectSkipped(agent);
  expect(await post('pause')).toMatchObject({ status: 'paused', statusReason: 'manual' });
  const refusal = await server.api('POST', `/v1/agents/${agent.id}/wakeups`);
  expect(expectProblem(refusal, 409, 'agent_not_wakeable').details).toEqual({ status: 'paused' });
  expect(await budgets.ofAgent(agent.id, {})).toMatchObject({ state: 'unlimited', monthlyMicros: null });
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'paused', statusReason: 'manual' });
  expect(await post('resume')).toMatchObject({ status: 'idle', statusReason: null });
  expect((await runOnce(server, agent.id)).status).toBe('succeeded');
});

test('what is asked for and makes no sense is refused, by the field that is wrong', async () => {
  const agent = await scriptedAgent(server, 'true');
  const put = (budget: object) => server.api('PUT', `/v1/agents/${agent.id}/budget`, budget);
  expectBadField(await put({ monthlyMicros: -1 }), 'monthlyMicros');
  expectBadField(await put({ monthlyMicros: 0.5 }), 'monthlyMicros');
  expectBadField(await put({ monthlyMicros: '5' }), 'monthlyMicros');
  expectBadField(await put({ monthlyTokens: 1.5 }), 'monthlyTokens');
  expectBadField(await put({ monthlyRuns: true }), 'monthlyRuns');
  expectBadField(await put({ monthlyMicros: 1, warnAt: 80 }), 'warnAt');
  expectBadField(await put({ monthlyMicros: 1, warnAt: 0 }), 'warnAt');
  expectBadField(await put({ monthlyDollars: 1 }), 'monthlyDollars');
  expectProblem(await server.api('PUT', `/v1/agents/${UNKNOWN_ID}/budget`, {}), 404, 'agent_not_found');
  expectProblem(await server.api('PUT', `/v1/companies/${UNKNOWN_ID}/budget`, {}), 404, 'company_not_found');
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  expectProblem(await put({ monthlyMicros: 1 }), 409, 'agent_status_conflict');
  expect(await budgets.agent(agent.id)).toMatchObject({ state: 'unlimited', spent: { runs: 0 } });
});

test('what a result takes back does not let a stopped agent go on', async () => {
  const said = says.result({ costUsd: 0.05 });
  const agent = await scriptedAgent(server, `${said}; ${CALL}; sleep 600`, { heartbeat });
  await budgets.ofAgent(agent.id, { monthlyMicros: 100_000 });
  const run = await runOnce(server, agent.id);
  expect(await getRun(server, run.id)).toMatchObject({ ...ENDED_BY_BUDGET, costMicros: 50_000 });
  await waitUntil(async () => (await budgets.agent(agent.id)).spent.micros === 50_000, 'it is settled');
  expect(await budgets.agent(agent.id)).toMatchObject({ state: 'exceeded', remaining: { micros: 50_000 } });
  await budgets.expectSkipped(agent);
});
