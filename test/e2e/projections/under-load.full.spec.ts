import { projections } from '../../../src/node';
import { collectionName } from '../../../src/processing/projection';
import { wakeupsProjection } from '../../../src/wakeups/projections/wakeups.projection';
import type { Agent } from '../http/client';
import { expectProblem, get, getWakeup, head, openCompany, registerAgent, shell, wake } from '../http/client';
import { ProjectionBench } from './projection-bench';

/** Rebuilt, compared and swapped while people go on writing: at one position, document by document. */

let bench: ProjectionBench;
let agents: Agent[];

beforeAll(async () => {
  bench = await ProjectionBench.open();
  const { id } = await openCompany(bench.server);
  const heartbeat = { whenBusy: 'coalesce' };
  const adapterConfig = shell('echo x');
  agents = await Promise.all(
    Array.from({ length: 20 }, () => registerAgent(bench.server, id, { adapterConfig, heartbeat })),
  );
  // Wakeups that wait for later are receipts, and no processes.
  for (let round = 0; round < 60; round += 1) {
    await Promise.all(agents.map(({ id: agentId }) => wakeLater(agentId)));
  }
  await Promise.all(agents.slice(0, 3).map(({ id: agentId }) => wake(bench.server, agentId)));
  await head(bench.server);
}, 60_000);
afterAll(() => bench.server.close());

function wakeLater(agentId: string) {
  return wake(bench.server, agentId, { notBefore: new Date(Date.now() + 3_600_000).toISOString() });
}

/** Writes until it is told to stop. Answers how many events a second that were. */
function writing(): { stop: () => Promise<{ eventsPerSec: number; positions: string[] }> } {
  let isOver = false;
  const positions: string[] = [];
  const startedAt = Date.now();
  const writers = agents.slice(0, 8).map(async ({ id }) => {
    while (!isOver) positions.push((await wakeLater(id)).position);
  });
  const stop = async () => {
    isOver = true;
    await Promise.all(writers);
    // Each is an event for the request and one for the decision.
    return { eventsPerSec: (positions.length * 2_000) / (Date.now() - startedAt), positions };
  };
  return { stop };
}

test('compared while more than 200 events a second are written: equal, at one position', async () => {
  const load = writing();
  const jobs = [];
  for (let round = 0; round < 3; round += 1) jobs.push(await bench.perform('compare', 'wakeups'));
  const { eventsPerSec, positions } = await load.stop();
  expect(eventsPerSec).toBeGreaterThan(200);
  for (const { result, documents, status } of jobs) {
    expect({ status, ...result }).toMatchObject({
      status: 'succeeded',
      equal: true,
      differing: 0,
      differences: [],
    });
    expect(result!.checksums.live).toBe(result!.checksums.rebuilt);
    expect(result!.documents.live).toBe(documents);
    // The live documents had gone on by then.
    expect(BigInt(result!.position)).toBeLessThan(BigInt(positions.at(-1)!));
  }
  expect(new Set(jobs.map(({ result }) => result!.checksums.live)).size).toBe(3);
});

test('a document that was changed by hand is named, whatever is written meanwhile', async () => {
  const { wakeup } = await wakeLater(agents[19]!.id);
  await head(bench.server);
  const collection = collectionName(wakeupsProjection);
  await bench.tamper(collection, wakeup.id, (document) => ({ ...document, reason: 'by hand' }));
  const load = writing();
  const { result } = await bench.perform('compare', 'wakeups');
  const { eventsPerSec } = await load.stop();
  expect(eventsPerSec).toBeGreaterThan(200);
  expect(result).toMatchObject({
    equal: false,
    differing: 1,
    differences: [{ id: wakeup.id, kind: 'changed', fields: ['reason'] }],
  });
  const seen = await getWakeup(bench.server, wakeup.id);
  expect(seen.reason).toBe('by hand');
});

test('rebuilt beside it, compared, and swapped when somebody says so', async () => {
  const { items } = await get<{ items: { id: string; reason: string | null }[] }>(
    bench.server,
    `/v1/agents/${agents[19]!.id}/wakeups?limit=200`,
  );
  const byHand = items.find(({ reason }) => reason === 'by hand')!;
  expectProblem(await bench.server.api('POST', '/v1/admin/projections/wakeups/swap'), 409, 'nothing_to_swap');
  const load = writing();
  const rebuilt = await bench.perform('rebuild', 'wakeups', { swap: false });
  expect(rebuilt).toMatchObject({
    status: 'succeeded',
    result: { differing: 1, differences: [{ id: byHand.id }] },
  });
  expect((await getWakeup(bench.server, byHand.id)).reason).toBe('by hand');
  const swapped = await bench.perform('swap', 'wakeups');
  await load.stop();
  expect(swapped).toMatchObject({ kind: 'swap', status: 'succeeded', result: null });
  expect((await getWakeup(bench.server, byHand.id)).reason).toBeNull();
  expect((await bench.perform('compare', 'wakeups')).result).toMatchObject({ equal: true });
});

test('after all that, every projection is rebuilt to the same bytes', async () => {
  await head(bench.server);
  for (const projection of projections) {
    const live = projection.name === 'wakeups' ? 1 : 0;
    const before = await bench.texts(collectionName(projection, live));
    await bench.perform('rebuild', projection.name, { swap: false });
    const after = await bench.texts(collectionName(projection, live + 1));
    expect({ name: projection.name, same: [...after].join('\n') === [...before].join('\n') }).toEqual({
      name: projection.name,
      same: true,
    });
  }
});

test('none of this was an error of the server', () => {
  expect(bench.takeErrors()).toEqual([]);
});
