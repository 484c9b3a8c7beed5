import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Page } from './client';
import { expectStatus, get, listAll, openCompany, registerAgent } from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

async function companyWith(count: number): Promise<{ path: string; companyId: string; ids: string[] }> {
  const { id: companyId } = await openCompany(server);
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await registerAgent(server, companyId, { name: `A${i}` })).id);
  return { path: `/v1/companies/${companyId}/agents`, companyId, ids };
}
const idsOf = (agents: { id: string }[]) => agents.map(({ id }) => id);

test('a company without agents has an empty page', async () => {
  const { path } = await companyWith(0);
  expect(await get(server, path)).toEqual({ items: [], nextCursor: null });
});

test('page by page comes everything, nothing twice, in the order of registration', async () => {
  const { path, ids } = await companyWith(7);
  for (const limit of [1, 2, 3, 6, 7, 8, 100]) {
    expect(idsOf(await listAll<Agent>(server, path, limit))).toEqual(ids);
  }
});

test('the last page says that it is the last, also where it is full', async () => {
  const { path } = await companyWith(3);
  const { items, nextCursor } = await get<Page<Agent>>(server, `${path}?limit=3`);
  expect({ count: items.length, nextCursor }).toEqual({ count: 3, nextCursor: null });
});

test('what is registered between two pages disturbs none', async () => {
  const { path, companyId, ids } = await companyWith(7);
  const first = await get<Page<Agent>>(server, `${path}?limit=3`);
  const added = await registerAgent(server, companyId);
  const second = await get<Page<Agent>>(server, `${path}?limit=3&cursor=${first.nextCursor}`);
  const third = await get<Page<Agent>>(server, `${path}?limit=3&cursor=${second.nextCursor}`);
  expect([...idsOf(first.items), ...idsOf(second.items), ...idsOf(third.items)]).toEqual([...ids, added.id]);
  expect(third.nextCursor).toBeNull();
});

test('a cursor stays good for as many as want to use it', async () => {
  const { path, ids } = await companyWith(4);
  const { nextCursor } = await get<Page<Agent>>(server, `${path}?limit=2`);
  for (let i = 0; i < 3; i++) {
    expect(idsOf((await get<Page<Agent>>(server, `${path}?cursor=${nextCursor}`)).items)).toEqual(
      ids.slice(2),
    );
  }
});

test('by status', async () => {
  const { path, companyId, ids } = await companyWith(5);
  const pending = await registerAgent(server, companyId, { requiresApproval: true });
  for (const id of [ids[1], ids[3], ids[4]]) {
    expectStatus(await server.api('POST', `/v1/agents/${id}/pause`), 200);
  }
  expectStatus(await server.api('POST', `/v1/agents/${ids[4]}/terminate`), 200);
  const ofStatus = async (status: string) =>
    idsOf(await listAll<Agent>(server, `${path}?status=${status}`, 1));
  expect(await ofStatus('idle')).toEqual([ids[0], ids[2]]);
  expect(await ofStatus('paused')).toEqual([ids[1], ids[3]]);
  expect(await ofStatus('terminated')).toEqual([ids[4]]);
  expect(await ofStatus('pending_approval')).toEqual([pending.id]);
  expect(await ofStatus('running')).toEqual([]);
  expect(await ofStatus('error')).toEqual([]);
});

test('a cursor belongs to its status and to its company', async () => {
  const { path } = await companyWith(3);
  const other = await companyWith(3);
  const { nextCursor } = await get<Page<Agent>>(server, `${path}?limit=1`);
  for (const stranger of [`${path}?status=idle`, `${other.path}?limit=1`]) {
    expect(await server.api('GET', `${stranger}&cursor=${nextCursor}`)).toMatchObject({
      status: 400,
      body: { code: 'bad_request', details: { field: 'cursor' } },
    });
  }
});

test('a company sees its own agents only', async () => {
  const [one, other] = [await companyWith(2), await companyWith(2)];
  expect(idsOf(await listAll<Agent>(server, one.path, 10))).toEqual(one.ids);
  expect(idsOf(await listAll<Agent>(server, other.path, 10))).toEqual(other.ids);
});

test('an item is what the agent alone is', async () => {
  const { path, ids } = await companyWith(1);
  const { items } = await get<Page<Agent>>(server, path);
  expect(items[0]).toEqual(await get(server, `/v1/agents/${ids[0]}`));
});

test('an agent that was just registered is in the list that waits for it', async () => {
  const { path, companyId } = await companyWith(0);
  const body = { name: 'New', adapterType: 'process', adapterConfig: { command: 'true' } };
  const answer = await server.api<Agent>('POST', `/v1/companies/${companyId}/agents`, body);
  const position = answer.headers['reveille-position'] as string;
  expect(idsOf((await get<Page<Agent>>(server, `${path}?waitFor=${position}`)).items)).toEqual([
    answer.body.id,
  ]);
});
