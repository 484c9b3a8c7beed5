import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { testWhen } from '../../support/skips';
import { WRITES_ARE_SLOW, writesAreQuick } from '../../support/world';
import type { Page, Run, Wakeup } from './client';
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
  ISO_TIME,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** An agent whose run is going on until the gate opens. */
async function busyAgent(heartbeat: object = {}) {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat });
  const first = await wake(server, agent.id, { reason: 'first' });
  await untilRunning(server, first.run!.id);
  return { gate, agent, first };
}

const runsOf = async ({ companyId }: { companyId: string }) =>
  (await get<Page<Run>>(server, `/v1/companies/${companyId}/runs`)).items;

test('a wakeup that comes while the agent works waits, and is run afterwards', async () => {
  const { gate, agent, first } = await busyAgent();
  expect(await getWakeup(server, first.wakeup.id)).toMatchObject({ status: 'claimed', runStatus: 'running' });

  const waiting = await wake(server, agent.id, { reason: 'second', payload: { issueId: 'I-2' } });
  expect(waiting).toMatchObject({
    run: null,
    wakeup: {
      status: 'deferred',
      runId: null,
      runStatus: null,
      dueAt: null,
      deadlineAt: expect.stringMatching(ISO_TIME),
      claimedAt: null,
      finishedAt: null,
    },
  });
  const { requestedAt, deadlineAt } = waiting.wakeup as Wakeup & { deadlineAt: string };
  expect(Date.parse(deadlineAt) - Date.parse(requestedAt)).toBe(24 * 3_600_000);
  expect(await getWakeup(server, waiting.wakeup.id)).toEqual(waiting.wakeup);

  const merged = [];
  for (let i = 0; i < 5; i++) merged.push(await wake(server, agent.id, { reason: `merged ${i}` }));
  for (const { wakeup, run } of merged) {
    expect({ status: wakeup.status, runId: wakeup.runId, runStatus: wakeup.runStatus, run }).toEqual({
      status: 'coalesced',
      runId: null,
      runStatus: null,
      run: null,
    });
  }
  expect(await runsOf(agent)).toHaveLength(1);

  gate.open();
  expect((await untilFinal(server, first.run!.id)).status).toBe('succeeded');
  expect(await untilDecided(server, first.wakeup.id)).toMatchObject({ status: 'completed' });
  const released = await untilDecided(server, waiting.wakeup.id);
  expect(released).toMatchObject({ status: 'completed', runId: expect.any(String), runStatus: 'succeeded' });

  const follower = await getRun(server, released.runId!);
  const ids = [waiting, ...merged].map(({ wakeup }) => wakeup.id);
  expect(follower).toMatchObject({ wakeupIds: ids, coalescedCount: 5, invocationSource: 'on_demand' });
  expect(follower.contextSnapshot).toMatchObject({ wakeReason: 'second', issueId: 'I-2' });
  expect(follower.contextSnapshot.wakeups.map(({ id }) => id)).toEqual(ids);
  for (const { wakeup } of merged) {
    expect(await getWakeup(server, wakeup.id)).toMatchObject({
      status: 'coalesced',
      runId: follower.id,
      runStatus: 'succeeded',
    });
  }
  const { items } = await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups?runId=${follower.id}`);
  expect(items.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(Date.parse(follower.startedAt!)).toBeGreaterThanOrEqual(
    Date.parse((await getRun(server, first.run!.id)).finishedAt!),
  );
  expect(await runsOf(agent)).toHaveLength(2);
});

test('a reserved run is nothing that anybody can read or cancel', async () => {
  const { gate, agent } = await busyAgent();
  const waiting = await wake(server, agent.id);
  const { items } = await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups`);
  expect(items.find(({ id }) => id === waiting.wakeup.id)!.runId).toBeNull();
  expect((await runsOf(agent)).map(({ status }) => status)).toEqual(['running']);
  gate.open();
  await untilDecided(server, waiting.wakeup.id);
});

test('a second wave behind the follow-up waits for a run of its own', async () => {
  const { gate, agent, first } = await busyAgent();
  const wave = await wake(server, agent.id);
  gate.open();
  await untilFinal(server, first.run!.id);
  await untilDecided(server, wave.wakeup.id);
  const after = await wake(server, agent.id);
  expect(after.wakeup.status).toBe('queued');
  await untilFinal(server, after.run!.id);
  expect(await runsOf(agent)).toHaveLength(3);
});

test('a failed run releases what waits as well', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `${gate.wait}; exit 5`);
  const first = await wake(server, agent.id);
  await untilRunning(server, first.run!.id);
  const waiting = await wake(server, agent.id);
  gate.open();
  expect(await untilDecided(server, first.wakeup.id)).toMatchObject({ status: 'failed' });
  expect(await untilDecided(server, waiting.wakeup.id)).toMatchObject({
    status: 'failed',
    runStatus: 'failed',
  });
});

test('a cancelled run releases what waits as well', async () => {
  const { gate, agent, first } = await busyAgent();
  const waiting = await wake(server, agent.id);
  expectStatus(await server.api('POST', `/v1/runs/${first.run!.id}/cancel`), 202);
  expect((await untilFinal(server, first.run!.id)).status).toBe('cancelled');
  gate.open();
  expect(await untilDecided(server, waiting.wakeup.id)).toMatchObject({ status: 'completed' });
});

test('what has another key waits for a slot, and is not merged', async () => {
  const { gate, agent } = await busyAgent();
  const one = await wake(server, agent.id, { coalesceKey: 'one' });
  const two = await wake(server, agent.id, { coalesceKey: 'two' });
  const oneMore = await wake(server, agent.id, { coalesceKey: 'one' });
  expect([one, two, oneMore].map(({ wakeup }) => wakeup.status)).toEqual([
    'deferred',
    'deferred',
    'coalesced',
  ]);
  gate.open();
  const [ofOne, ofTwo] = [
    await untilDecided(server, one.wakeup.id),
    await untilDecided(server, two.wakeup.id),
  ];
  expect([ofOne.status, ofTwo.status]).toEqual(['completed', 'completed']);
  expect(ofOne.runId).not.toBe(ofTwo.runId);
  expect((await getWakeup(server, oneMore.wakeup.id)).runId).toBe(ofOne.runId);
  expectNoOverlap(await runsOf(agent));
});

test('two slots run two keys side by side, but never one key twice', async () => {
  const { gate, agent, first } = await busyAgent({ maxConcurrentRuns: 2 });
  const same = await wake(server, agent.id);
  const other = await wake(server, agent.id, { coalesceKey: 'other' });
  expect([same.wakeup.status, other.wakeup.status]).toEqual(['deferred', 'queued']);
  await untilRunning(server, other.run!.id);
  expect((await getAgent(server, agent.id)).activeRunIds.sort()).toEqual(
    [first.run!.id, other.run!.id].sort(),
  );
  gate.open();
  const { status, runId } = await untilDecided(server, same.wakeup.id);
  expect(status).toBe('completed');
  expectNoOverlap([await getRun(server, first.run!.id), await getRun(server, runId!)]);
});

test('reject refuses while the agent works, and writes nothing', async () => {
  const { gate, agent, first } = await busyAgent({ whenBusy: 'reject' });
  // A run is running before its process is on the log: that would be written meanwhile.
  await waitUntil(async () => {
    const { items } = await get<Page<{ eventType: string }>>(server, `/v1/runs/${first.run!.id}/events`);
    return items.some(({ eventType }) => eventType === 'process');
  }, 'the process of the run is on the log');
  const before = await caughtUp(server);
  expectProblem(await server.api('POST', `/v1/agents/${agent.id}/wakeups`), 409, 'agent_busy');
  expect((await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups`)).items).toHaveLength(1);
  expect(await caughtUp(server)).toBe(before);
  gate.open();
  await untilFinal(server, first.run!.id);
  expect((await wake(server, agent.id)).wakeup.status).toBe('queued');
});

test('enqueue gives every wakeup a run of its own, by priority, then arrival', async () => {
  const { gate, agent, first } = await busyAgent({ whenBusy: 'enqueue' });
  const wanted = [];
  for (const priority of [0, 5, -1, 5, 0]) wanted.push((await wake(server, agent.id, { priority })).run!);
  expect(new Set(wanted.map(({ status }) => status))).toEqual(new Set(['queued']));
  gate.open();
  const runs: Run[] = [];
  for (const { id } of wanted) runs.push(await untilFinal(server, id));
  const order = [1, 3, 0, 4, 2].map((index) => runs[index]!);
  expect(order.map(({ startedAt }) => startedAt)).toEqual(runs.map(({ startedAt }) => startedAt).sort());
  expectNoOverlap([await getRun(server, first.run!.id), ...order]);
});

test('a wakeup that comes while the run is only queued goes into it', async () => {
  const crowded = await startTestServer({ maxRuns: 1 });
  try {
    const gate = new Gate();
    const blocker = await scriptedAgent(crowded, gate.wait);
    const blocking = await wake(crowded, blocker.id);
    await untilRunning(crowded, blocking.run!.id);
    const agent = await scriptedAgent(crowded, 'true');
    const first = await wake(crowded, agent.id, { reason: 'first' });
    const second = await wake(crowded, agent.id, { reason: 'second' });
    expect(second).toMatchObject({
      wakeup: { status: 'coalesced', runId: first.run!.id, runStatus: 'queued' },
      run: { id: first.run!.id, status: 'queued', coalescedCount: 1 },
    });
    const other = await wake(crowded, agent.id, { coalesceKey: 'other' });
    expect(other.wakeup.status).toBe('queued');
    gate.open();
    const run = await untilFinal(crowded, first.run!.id);
    expect(run).toMatchObject({ status: 'succeeded', wakeupIds: [first.wakeup.id, second.wakeup.id] });
    await untilFinal(crowded, other.run!.id);
    expect(await getWakeup(crowded, second.wakeup.id)).toMatchObject({
      status: 'coalesced',
      runStatus: 'succeeded',
    });
    expect(crowded.errors).toEqual([]);
  } finally {
    await crowded.close();
  }
});

test('a paused agent keeps its queued run, and starts it after the resume', async () => {
  const crowded = await startTestServer({ maxRuns: 1 });
  try {
    const gate = new Gate();
    const blocker = await scriptedAgent(crowded, gate.wait);
    const blocking = await wake(crowded, blocker.id);
    await untilRunning(crowded, blocking.run!.id);
    const agent = await scriptedAgent(crowded, 'true');
    const { run } = await wake(crowded, agent.id);
    expectStatus(await crowded.api('POST', `/v1/agents/${agent.id}/pause`), 200);
    gate.open();
    await untilFinal(crowded, blocking.run!.id);
    await caughtUp(crowded, ({ runs }) => runs.active === 0);
    expect((await getRun(crowded, run!.id)).status).toBe('queued');
    expectStatus(await crowded.api('POST', `/v1/agents/${agent.id}/resume`), 200);
    expect((await untilFinal(crowded, run!.id)).status).toBe('succeeded');
  } finally {
    await crowded.close();
  }
});

testWhen(writesAreQuick, WRITES_ARE_SLOW)('more than a thousand open wakeups are too many', async () => {
  const { gate, agent, first } = await busyAgent({ whenBusy: 'enqueue' });
  const path = `/v1/agents/${agent.id}/wakeups`;
  const answers = await Promise.all(Array.from({ length: 1_005 }, () => server.api('POST', path)));
  // One is open already: it is running.
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(999);
  const refused = answers.filter(({ status }) => status !== 202);
  expect(refused).toHaveLength(6);
  for (const answer of refused) expectProblem(answer, 429, 'too_many_open_wakeups');
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  gate.open();
  await untilFinal(server, first.run!.id);
  await waitUntil(
    async () =>
      (await get<Page<Run>>(server, `/v1/companies/${agent.companyId}/runs?status=queued`)).items.length ===
      0,
    'no run is queued any more',
  );
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});

function expectNoOverlap(runs: Run[]): void {
  const inOrder = [...runs].sort((a, b) => Date.parse(a.startedAt!) - Date.parse(b.startedAt!));
  for (const [index, run] of inOrder.slice(1).entries()) {
    expect(Date.parse(run.startedAt!)).toBeGreaterThanOrEqual(Date.parse(inOrder[index]!.finishedAt!));
  }
}
