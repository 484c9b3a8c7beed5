import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Woken } from '../http/client';
import {
  expectProblem,
  getAgent,
  getRun,
  getWakeup,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { busyAgent, runsOf, wakeupsOf } from './steps';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test('coalesce: a receipt on the running run, nothing merged', async () => {
  const { agent, first, gate } = await busyAgent(server, { whenBusy: 'coalesce' });
  const receipts = [];
  for (const reason of ['a', 'b', 'c']) receipts.push(await wake(server, agent.id, { reason }));
  for (const { wakeup } of receipts) {
    expect(wakeup).toMatchObject({ status: 'coalesced', runId: first.run!.id, runStatus: 'running' });
  }
  gate.open();
  const run = await untilFinal(server, first.run!.id);
  expect(run.contextSnapshot).toMatchObject({ wakeReason: 'first', wakeups: [{ id: first.wakeup.id }] });
  for (const { wakeup } of receipts) {
    expect(await getWakeup(server, wakeup.id)).toMatchObject({
      status: 'coalesced',
      runId: first.run!.id,
      runStatus: 'succeeded',
    });
  }
  expect((await getAgent(server, agent.id)).status).toBe('idle');
  expect(await runsOf(server, agent)).toHaveLength(1);
});

test('interrupt: the newer wakeup cancels the running run, then runs', async () => {
  const { agent, first, gate } = await busyAgent(server, { whenBusy: 'interrupt' });
  const newer = await wake(server, agent.id, { reason: 'newer' });
  expect(newer).toMatchObject({ wakeup: { status: 'deferred' }, run: null });
  expect(await untilFinal(server, first.run!.id)).toMatchObject({
    status: 'cancelled',
    endCause: 'interrupt',
    errorCode: 'cancelled',
    error: 'Cancelled by a newer wakeup',
  });
  expect((await getWakeup(server, first.wakeup.id)).status).toBe('cancelled');
  gate.open();
  const ended = await untilDecided(server, newer.wakeup.id);
  expect(ended).toMatchObject({ status: 'completed', runStatus: 'succeeded' });
  expect((await getRun(server, ended.runId!)).contextSnapshot).toMatchObject({ wakeReason: 'newer' });
});

test('interrupt: at most one interruption per graceSec', async () => {
  const { agent, first, gate } = await busyAgent(server, { whenBusy: 'interrupt', graceSec: 600 });
  const second = await wake(server, agent.id, { reason: 'second' });
  await untilFinal(server, first.run!.id);
  // The end of one run is on the log before its follow-up is.
  const runId = await waitUntil(
    async () => (await getWakeup(server, second.wakeup.id)).runId,
    'it has a run',
  );
  const running = await untilRunning(server, runId);
  const third = await wake(server, agent.id, { reason: 'third' });
  expect(third.wakeup.status).toBe('deferred');
  expect(await getRun(server, running.id)).toMatchObject({ status: 'running', endCause: null });
  gate.open();
  expect((await untilDecided(server, second.wakeup.id)).status).toBe('completed');
  expect((await untilDecided(server, third.wakeup.id)).status).toBe('completed');
});

test('enqueue: every wakeup has a run of its own, by priority, then arrival', async () => {
  const { agent, first, gate } = await busyAgent(server, { whenBusy: 'enqueue' });
  const wanted: Woken[] = [];
  for (const priority of [0, 1, 9, 9, -3]) wanted.push(await wake(server, agent.id, { priority }));
  expect(wanted.map(({ wakeup }) => wakeup.status)).toEqual(wanted.map(() => 'queued'));
  expect(new Set(wanted.map(({ run }) => run!.id)).size).toBe(5);
  gate.open();
  for (const { wakeup } of wanted) await untilDecided(server, wakeup.id);
  const started = (await runsOf(server, agent)).filter(({ id }) => id !== first.run!.id);
  const inOrder = started.sort((a, b) => a.startedAt!.localeCompare(b.startedAt!)).map(({ id }) => id);
  expect(inOrder).toEqual([2, 3, 1, 0, 4].map((index) => wanted[index]!.run!.id));
});

test('reject: refused while the agent works, and nothing is written', async () => {
  const { agent, first, gate } = await busyAgent(server, { whenBusy: 'reject' });
  expectProblem(await server.api('POST', `/v1/agents/${agent.id}/wakeups`), 409, 'agent_busy');
  expect(await wakeupsOf(server, agent)).toHaveLength(1);
  gate.open();
  await untilFinal(server, first.run!.id);
  expect((await wake(server, agent.id)).wakeup.status).toBe('queued');
});

test('two runs at once, never two of one key', async () => {
  const heartbeat = { maxConcurrentRuns: 2 };
  const { agent, first, gate } = await busyAgent(server, heartbeat, { coalesceKey: 'one' });
  const same = await wake(server, agent.id, { coalesceKey: 'one' });
  const other = await wake(server, agent.id, { coalesceKey: 'two' });
  // A slot is taken by what is running, not by what is about to.
  await untilRunning(server, other.run!.id);
  const third = await wake(server, agent.id, { coalesceKey: 'three' });
  expect([same, other, third].map(({ wakeup }) => wakeup.status)).toEqual(['deferred', 'queued', 'deferred']);
  expect([...(await getAgent(server, agent.id)).activeRunIds].sort()).toEqual(
    [first.run!.id, other.run!.id].sort(),
  );
  gate.open();
  for (const { wakeup } of [same, third]) {
    expect((await untilDecided(server, wakeup.id)).status).toBe('completed');
  }
});

test('enqueue: a queued run of a busy key does not keep another key from its slot', async () => {
  const heartbeat = { maxConcurrentRuns: 2, whenBusy: 'enqueue' };
  const { agent, first, gate } = await busyAgent(server, heartbeat, { coalesceKey: 'one' });
  const same = await wake(server, agent.id, { coalesceKey: 'one', priority: 5 });
  const other = await wake(server, agent.id, { coalesceKey: 'two' });
  await untilRunning(server, other.run!.id);
  expect((await getRun(server, same.run!.id)).status).toBe('queued');
  expect((await getRun(server, first.run!.id)).status).toBe('running');
  gate.open();
  expect((await untilDecided(server, same.wakeup.id)).status).toBe('completed');
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
