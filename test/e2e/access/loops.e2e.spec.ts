import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Company, Page, Run, Wakeup } from '../http/client';
import { caughtUp, expectStatus, get, head, openCompany, registerAgent, wake } from '../http/client';

/** Agents that wake themselves, or each other, as soon as they run. */

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
});
afterAll(() => server.close());

/** Wakes whoever its context names, else itself, from within its run. */
const script = `
  const { REVEILLE_API_URL: url, REVEILLE_API_KEY: key, REVEILLE_AGENT_ID: self, REVEILLE_CONTEXT_FILE: file } = process.env;
  const { next = self, back = self } = JSON.parse(require('fs').readFileSync(file, 'utf8'));
  const headers = { authorization: 'Bearer ' + key, 'content-type': 'application/json' };
  const body = JSON.stringify({ contextSnapshot: { next: back, back: next } });
  fetch(url + '/v1/agents/' + next + '/wakeups', { method: 'POST', headers, body })
    .then((answer) => answer.json())
    .then(({ wakeup }) => console.log(wakeup.status, wakeup.skipReason));`;

async function wakingAgent(loopLimit: object | null, wakes = 'company'): Promise<Agent> {
  const adapterConfig = { command: process.execPath, args: ['-e', script] };
  const { id } = await registerAgent(server, company.id, { adapterConfig });
  const patch = { runtimeConfig: { permissions: { wake: wakes, loopLimit } } };
  return expectStatus(await server.api<Agent>('PATCH', `/v1/agents/${id}`, patch), 200);
}

const wakeupsOf = async ({ id }: Agent) =>
  (await get<Page<Wakeup>>(server, `/v1/agents/${id}/wakeups?waitFor=${await head(server, 30_000)}`)).items;

const runsOf = async ({ id }: Agent) =>
  (await get<Page<Run>>(server, `/v1/companies/${company.id}/runs?agentId=${id}`)).items;

test('an agent that wakes itself is stopped, with the reason, and a person can start it again', async () => {
  const agent = await wakingAgent({ wakeups: 3, withinSec: 60 }, 'self');
  await wake(server, agent.id);
  const stopped = await waitUntil(async () => {
    const [newest] = (await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups?limit=1`)).items;
    return newest?.status === 'skipped' && newest;
  }, 'a wakeup is skipped');
  expect(stopped).toMatchObject({
    ...{ skipReason: 'wake.loop', runId: null, requestedByActorType: 'agent', requestedByActorId: agent.id },
  });
  expect(await wakeupsOf(agent)).toHaveLength(5);
  const runs = await runsOf(agent);
  expect(runs.map(({ status }) => status)).toEqual(Array(4).fill('succeeded'));
  const { body } = await server.api<Run>('GET', `/v1/runs/${runs[0]!.id}`);
  expect(body.stdoutExcerpt).toBe('skipped wake.loop\n');

  await wake(server, agent.id);
  expect(await wakeupsOf(agent)).toHaveLength(10);
  expect((await wakeupsOf(agent))[0]).toMatchObject({ status: 'skipped', skipReason: 'wake.loop' });
});

test('two agents that wake each other are stopped as well', async () => {
  const [one, other] = [
    await wakingAgent({ wakeups: 4, withinSec: 60 }),
    await wakingAgent({ wakeups: 4, withinSec: 60 }),
  ];
  await wake(server, one.id, { contextSnapshot: { next: other.id, back: one.id } });
  const all = async () => [...(await wakeupsOf(one)), ...(await wakeupsOf(other))];
  await waitUntil(
    async () => (await all()).some(({ status }) => status === 'skipped'),
    'the loop is stopped',
    20_000,
  );
  const [ones, others] = [await runsOf(one), await runsOf(other)];
  expect([ones.length, others.length]).toEqual([3, 2]);
  expect((await all()).filter(({ skipReason }) => skipReason === 'wake.loop')).toHaveLength(1);
});

test('an agent that takes its time may go on and on', async () => {
  // Each run takes longer than the second in which it would have to ask.
  const slow = script
    .replace('fetch(', 'require("timers/promises").setTimeout(1100).then(() => fetch(')
    .replace('.then((answer)', ').then((answer)');
  const { id } = await wakingAgent({ wakeups: 1, withinSec: 1 }, 'self');
  const adapterConfig = { command: process.execPath, args: ['-e', slow] };
  const agent = expectStatus(await server.api<Agent>('PATCH', `/v1/agents/${id}`, { adapterConfig }), 200);
  await wake(server, agent.id);
  await waitUntil(
    async () => (await runsOf(agent)).filter(({ status }) => status === 'succeeded').length >= 4,
    'it goes on',
    20_000,
  );
  expectStatus(await server.api('POST', `/v1/agents/${id}/terminate`), 200);
  await caughtUp(server);
  const { items } = await get<Page<Wakeup>>(server, `/v1/agents/${id}/wakeups`);
  expect(items.filter(({ skipReason }) => skipReason === 'wake.loop')).toEqual([]);
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
