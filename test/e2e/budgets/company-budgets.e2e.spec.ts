import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { says } from '../costs/ledger-bench';
import type { Agent, Company, Page, Run } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { Budgets, CALL, ENDED_BY_BUDGET, runIdOf } from './budgets';

let server: TestServer;
let budgets: Budgets;

beforeAll(async () => {
  server = await startTestServer({ maxRuns: 8 });
  budgets = new Budgets(server);
});
afterAll(async () => {
  await server.close();
  expect(server.errors).toEqual([]);
});

const heartbeat = { graceSec: 1 };

function agentOf(company: Company, script: string): Promise<Agent> {
  return registerAgent(server, company.id, { adapterConfig: shell(script), heartbeat });
}

test('the stop of a company with 50 agents is one event, and so is its end', async () => {
  const company = await openCompany(server);
  const gate = new Gate();
  const agents = await Promise.all(
    Array.from({ length: 50 }, () => agentOf(company, `[ -e ${gate.path} ] && exit 0; ${CALL}; sleep 600`)),
  );
  await budgets.ofCompany(company.id, { monthlyMicros: 1_000_000 });
  const woken = await Promise.all(agents.map(({ id }) => wake(server, id)));
  await waitUntil(async () => (await budgets.company(company.id)).state === 'exceeded', 'it is stopped');
  const active = `/v1/companies/${company.id}/runs?status=running&limit=200`;
  await waitUntil(
    async () => (await get<Page<Run>>(server, active)).items.length === 0,
    'nothing runs any more',
  );

  const runs = `/v1/companies/${company.id}/runs?limit=200`;
  const { items } = await get<Page<Run>>(server, runs);
  const ended = items.filter(({ status }) => status === 'cancelled');
  expect(ended.length).toBeGreaterThanOrEqual(5);
  for (const run of ended) expect(run).toMatchObject(ENDED_BY_BUDGET);
  // Those whose turn had not come are held, not lost.
  expect(items.filter(({ status }) => status === 'queued')).toHaveLength(50 - ended.length);
  await budgets.expectSkipped(agents[0]!);
  expect(await getAgent(server, agents[49]!.id)).toMatchObject({ status: 'idle' });
  expect(await budgets.agent(agents[49]!.id)).toMatchObject({ state: 'unlimited', stoppedBy: ['company'] });
  expect(await get(server, `/v1/companies/${company.id}`)).toMatchObject({ status: 'paused' });

  gate.open();
  await budgets.ofCompany(company.id, { monthlyMicros: null });
  for (const each of woken) await untilFinal(server, runIdOf(each), 30_000);
  expect(await get(server, `/v1/companies/${company.id}`)).toMatchObject({ status: 'active' });
  expect((await budgets.told(company.id)).map(({ type, payload }) => [type, payload['agentId']])).toEqual([
    ['budget.changed', null],
    ['budget.warned', null],
    ['budget.exceeded', null],
    ['budget.changed', null],
    ['budget.restored', null],
  ]);
}, 60_000);

test('of two budgets each holds alone: only when both allow it is anything started', async () => {
  const company = await openCompany(server);
  const agent = await agentOf(company, says.result({ costUsd: 0.01 }));
  const other = await agentOf(company, 'true');
  await budgets.ofAgent(agent.id, { monthlyMicros: 10_000 });
  await budgets.ofCompany(company.id, { monthlyMicros: 10_000 });
  await runOnce(server, agent.id);
  await budgets.expectSkipped(agent);
  await budgets.expectSkipped(other);
  expect(await budgets.agent(agent.id)).toMatchObject({ stoppedBy: ['agent', 'company'] });

  await budgets.ofCompany(company.id, { monthlyMicros: 100_000 });
  expect(await budgets.agent(agent.id)).toMatchObject({ stoppedBy: ['agent'] });
  await budgets.expectSkipped(agent);
  expect((await runOnce(server, other.id)).status).toBe('succeeded');

  await budgets.ofCompany(company.id, { monthlyMicros: 1 });
  await budgets.ofAgent(agent.id, { monthlyMicros: 100_000 });
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'idle' });
  await budgets.expectSkipped(agent);
  await budgets.ofCompany(company.id, {});
  expect((await runOnce(server, agent.id)).status).toBe('succeeded');
});

test("one company's budget is no other's", async () => {
  const [one, other] = [await openCompany(server), await openCompany(server)];
  const [spender, agent] = [await agentOf(one, says.result({ costUsd: 1 })), await agentOf(other, 'true')];
  await budgets.ofCompany(one.id, { monthlyMicros: 1 });
  await budgets.ofCompany(other.id, { monthlyMicros: 1 });
  await runOnce(server, spender.id);
  await budgets.expectSkipped(spender);
  expect((await runOnce(server, agent.id)).status).toBe('succeeded');
});

test('a company that a person has paused stays so when its budget is raised', async () => {
  const company = await openCompany(server);
  const agent = await agentOf(company, `${CALL}; sleep 600`);
  await budgets.ofCompany(company.id, { monthlyMicros: 1 });
  const runId = runIdOf(await wake(server, agent.id));
  expect(await untilFinal(server, runId)).toMatchObject(ENDED_BY_BUDGET);
  expectStatus(await server.api('POST', `/v1/companies/${company.id}/pause`), 200);
  await budgets.ofCompany(company.id, {});
  expect(await get(server, `/v1/companies/${company.id}`)).toMatchObject({ status: 'paused' });
  expect((await server.api('POST', `/v1/agents/${agent.id}/wakeups`)).status).toBe(409);
  const resumed = await server.api('POST', `/v1/companies/${company.id}/resume`);
  expect(expectStatus(resumed, 200)).toMatchObject({ status: 'active' });
  await untilRunning(server, runIdOf(await wake(server, agent.id)));
  await budgets.ofCompany(company.id, { monthlyTokens: 1 });
  await waitUntil(async () => (await getAgent(server, agent.id)).activeRunIds.length === 0, 'it is ended');
});

test('a number of runs of a company ends nothing that is going on', async () => {
  const company = await openCompany(server);
  const gate = new Gate();
  const agents = await Promise.all([1, 2].map(() => agentOf(company, `${CALL}; ${gate.wait}`)));
  await budgets.ofCompany(company.id, { monthlyRuns: 1 });
  const runId = runIdOf(await wake(server, agents[0]!.id));
  await untilRunning(server, runId);
  await waitUntil(async () => (await budgets.company(company.id)).state === 'exceeded', 'it is used up');
  await budgets.expectSkipped(agents[1]!);
  gate.open();
  expect(await untilFinal(server, runId)).toMatchObject({ status: 'succeeded' });
});
