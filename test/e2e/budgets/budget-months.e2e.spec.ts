import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { says } from '../costs/ledger-bench';
import { ServerClock, wakeupsOf } from '../decisions/steps';
import type { Agent } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  untilDecided,
  untilFinal,
  wake,
} from '../http/client';
import { Budgets, CALL, ENDED_BY_BUDGET, runIdOf } from './budgets';

const MONTH_BEGINS = '2031-03-01T00:00:00.000Z';
const ONE_CENT = says.result({ costUsd: 0.01 });

let server: TestServer;
let budgets: Budgets;
let clock: ServerClock;
let dataDir: string;

beforeEach(async () => {
  dataDir = temporaryFolder();
  await start();
  await clock.set('2031-02-10T12:00:00.000Z');
});
afterEach(async () => {
  await server.close();
  expect(server.errors).toEqual([]);
});

async function start(): Promise<void> {
  server = await startTestServer({ testClock: true, dataDir });
  budgets = new Budgets(server);
  clock = new ServerClock(server);
}

/** The same data, a new server, at a time. */
async function restart(now: string): Promise<void> {
  await server.close();
  expect(server.errors).toEqual([]);
  await start();
  await clock.set(now);
}

async function agentOf(companyId: string, script: string, heartbeat: object = {}): Promise<Agent> {
  return registerAgent(server, companyId, { adapterConfig: shell(script), heartbeat });
}

test('a new month lets go on what the budgets had stopped, and nothing that a person has paused', async () => {
  const company = await openCompany(server);
  const stopped = await agentOf(company.id, ONE_CENT);
  const paused = await agentOf(company.id, ONE_CENT);
  for (const { id } of [stopped, paused]) {
    await budgets.ofAgent(id, { monthlyMicros: 10_000 });
    await runOnce(server, id);
    await budgets.untilStatus({ ...stopped, id }, 'paused');
  }
  await budgets.ofCompany(company.id, { monthlyMicros: 20_000 });
  expectStatus(await server.api('POST', `/v1/agents/${paused.id}/pause`), 200);
  expect(await budgets.agent(stopped.id)).toMatchObject({
    month: '2031-02',
    stoppedBy: ['agent', 'company'],
    resumesAt: MONTH_BEGINS,
  });
  await clock.set('2031-02-28T23:59:00.000Z');
  await budgets.expectSkipped(stopped);

  await clock.set(MONTH_BEGINS);
  await budgets.untilStatus(stopped, 'idle');
  expect(await budgets.agent(stopped.id)).toMatchObject({
    month: '2031-03',
    state: 'ok',
    stoppedBy: [],
    spent: { micros: 0, tokens: 0, runs: 0 },
  });
  expect(await budgets.company(company.id)).toMatchObject({ state: 'ok', spent: { micros: 0 } });
  expect(await getAgent(server, paused.id)).toMatchObject({ status: 'paused', statusReason: 'manual' });
  expect((await runOnce(server, stopped.id)).status).toBe('succeeded');
  const restored = (await budgets.told(company.id)).filter(({ type }) => type === 'budget.restored');
  expect(restored.map(({ payload }) => payload['reason'])).toEqual(Array(3).fill('month.began'));
  expectStatus(await server.api('POST', `/v1/agents/${paused.id}/resume`), 200);
  expect((await runOnce(server, paused.id)).status).toBe('succeeded');
});

test('what waits is started with the month, and the timer leaves receipts until then', async () => {
  const company = await openCompany(server);
  const gate = new Gate();
  const script = `[ -e ${gate.path} ] && exit 0; ${CALL}; sleep 600`;
  const agent = await agentOf(company.id, script, { graceSec: 1, whenBusy: 'enqueue' });
  await budgets.ofAgent(agent.id, { monthlyMicros: 1 });
  const [first, second] = [await wake(server, agent.id), await wake(server, agent.id)];
  expect(await untilFinal(server, runIdOf(first))).toMatchObject(ENDED_BY_BUDGET);
  const heartbeat = { intervalSec: 6 * 3_600 };
  const patch = { runtimeConfig: { heartbeat } };
  expectStatus(await server.api('PATCH', `/v1/agents/${agent.id}`, patch), 200);
  const receipt = await waitUntil(async () => {
    await clock.advance(0);
    return (await wakeupsOf(server, agent)).find(({ source }) => source === 'timer');
  }, 'the timer has gone off');
  expect(receipt).toMatchObject({ status: 'skipped', skipReason: 'budget.exceeded' });
  expect(await getRun(server, runIdOf(second))).toMatchObject({ status: 'queued' });
  gate.open();
  await clock.set(MONTH_BEGINS);
  expect(await untilFinal(server, runIdOf(second))).toMatchObject({ status: 'succeeded' });
});

test('a restart in between loses neither a stop nor its end', async () => {
  const company = await openCompany(server);
  const [agent, other] = [await agentOf(company.id, ONE_CENT), await agentOf(company.id, 'true')];
  await budgets.ofAgent(agent.id, { monthlyMicros: 10_000 });
  await runOnce(server, agent.id);
  await budgets.untilStatus(agent, 'paused');
  await budgets.ofCompany(company.id, { monthlyMicros: 10_000 });
  await restart('2031-02-20T00:00:00.000Z');
  expect(await getAgent(server, agent.id)).toMatchObject({ statusReason: 'budget.exceeded' });
  await budgets.expectSkipped(agent);
  await budgets.expectSkipped(other);
  await restart('2031-03-02T00:00:00.000Z');
  await budgets.untilStatus(agent, 'idle');
  for (const { id } of [other, agent]) expect((await runOnce(server, id)).status).toBe('succeeded');
});

test('what is spent while no server is there stops the run as soon as one is', async () => {
  // A server has the real time when it starts, and the run is taken up at once: both calls are to be of one month.
  await clock.set(new Date().toISOString());
  const company = await openCompany(server);
  const gate = new Gate();
  const agent = await agentOf(
    company.id,
    `${CALL}; ${gate.wait}; ${CALL}; touch ${gate.path}.spent; sleep 600`,
    {
      graceSec: 1,
    },
  );
  await budgets.ofAgent(agent.id, { monthlyMicros: 400_000 });
  const runId = runIdOf(await wake(server, agent.id));
  await waitUntil(async () => (await budgets.agent(agent.id)).spent.micros === 200_000, 'it is booked');
  await server.close();
  gate.open();
  await start();
  expect(await untilFinal(server, runId)).toMatchObject({ ...ENDED_BY_BUDGET, costMicros: 400_000 });
  await budgets.expectSkipped(agent);
});

describe('a quota window', () => {
  const untilTime = '2031-02-11T00:00:00.000Z';
  const limited = `${says.result({ retryNotBefore: untilTime, errorMessage: 'usage limit reached' })}; exit 1`;

  test('holds wakeups back until the agent can work again', async () => {
    const company = await openCompany(server);
    const gate = new Gate();
    const agent = await agentOf(company.id, `[ -e ${gate.path} ] || { ${limited}; }`);
    expect((await runOnce(server, agent.id)).status).toBe('failed');
    const { wakeup } = await wake(server, agent.id);
    expect(wakeup).toMatchObject({
      status: 'deferred',
      dueAt: untilTime,
      deadlineAt: '2031-02-12T00:00:00.000Z',
    });
    gate.open();
    await clock.set('2031-02-10T23:59:00.000Z');
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'deferred' });
    await clock.set(untilTime);
    expect(await untilDecided(server, wakeup.id)).toMatchObject({ status: 'completed' });
    expect((await runOnce(server, agent.id)).status).toBe('succeeded');
  });

  test('holds a retry back as well, until the session is reset', async () => {
    const company = await openCompany(server);
    const gate = new Gate();
    const agent = await agentOf(company.id, `[ -e ${gate.path} ] || { ${limited}; }`, {
      retry: { maxAttempts: 2, backoffSec: 0 },
    });
    const first = await wake(server, agent.id);
    await untilFinal(server, runIdOf(first));
    await clock.advance(3_600);
    const { wakeup } = await wake(server, agent.id);
    expect(wakeup).toMatchObject({ status: 'deferred', dueAt: untilTime });
    const runs = `/v1/companies/${company.id}/runs?status=queued`;
    expect((await get<{ items: object[] }>(server, runs)).items).toMatchObject([{ attempt: 2 }]);
    gate.open();
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/runtime-state/reset-session`), 200);
    expect(await untilDecided(server, first.wakeup.id)).toMatchObject({ status: 'completed' });
    await untilDecided(server, wakeup.id);
  });
});
