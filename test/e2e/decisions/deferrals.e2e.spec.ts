import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import {
  expectProblem,
  expectStatus,
  Gate,
  getRun,
  getWakeup,
  scriptedAgent,
  UNKNOWN_ID,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import type { Wakeup } from '../http/client';
import { busyAgent, runsOf, ServerClock } from './steps';

const DAY_SEC = 86_400;

let server: TestServer;
let clock: ServerClock;

beforeAll(async () => {
  server = await startTestServer({ testClock: true });
  clock = new ServerClock(server);
});
afterAll(() => server.close());

const cancel = (wakeupId: string) => server.api<Wakeup>('POST', `/v1/wakeups/${wakeupId}/cancel`);

describe('notBefore', () => {
  test('defers until then, and the wakeup runs when it is due', async () => {
    const agent = await scriptedAgent(server, 'true');
    const notBefore = clock.in(3_600);
    const { wakeup, run } = await wake(server, agent.id, { notBefore, reason: 'later' });
    expect(run).toBeNull();
    expect(wakeup).toMatchObject({
      status: 'deferred',
      runId: null,
      runStatus: null,
      dueAt: notBefore,
      deadlineAt: new Date(Date.parse(notBefore) + DAY_SEC * 1_000).toISOString(),
    });
    await clock.advance(3_500);
    expect((await getWakeup(server, wakeup.id)).status).toBe('deferred');
    await clock.advance(101);
    const ended = await untilDecided(server, wakeup.id);
    expect(ended).toMatchObject({ status: 'completed', runStatus: 'succeeded' });
    expect((await getRun(server, ended.runId!)).contextSnapshot).toMatchObject({ wakeReason: 'later' });
  });

  test('in the past is no reason to wait', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id, { notBefore: clock.in(-10) });
    expect(wakeup).toMatchObject({ status: 'queued', dueAt: null });
    await untilDecided(server, wakeup.id);
  });

  test('what is due while the agent works is decided as any other then', async () => {
    const { agent, first, gate } = await busyAgent(server);
    const later = await wake(server, agent.id, { notBefore: clock.in(60) });
    const busy = await wake(server, agent.id);
    expect([later, busy].map(({ wakeup }) => wakeup.status)).toEqual(['deferred', 'deferred']);
    await clock.advance(61);
    expect(await getWakeup(server, later.wakeup.id)).toMatchObject({ status: 'coalesced', runId: null });
    gate.open();
    await untilFinal(server, first.run!.id);
    const { runId } = await untilDecided(server, busy.wakeup.id);
    expect(await getWakeup(server, later.wakeup.id)).toMatchObject({ runId, runStatus: 'succeeded' });
  });

  test('does not hold up what comes meanwhile', async () => {
    const agent = await scriptedAgent(server, 'true');
    await wake(server, agent.id, { notBefore: clock.in(DAY_SEC) });
    const now = await wake(server, agent.id);
    expect(now.wakeup.status).toBe('queued');
    expect((await untilDecided(server, now.wakeup.id)).status).toBe('completed');
  });

  test('pause holds it, resume releases it', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id, { notBefore: clock.in(30) });
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/pause`), 200);
    await clock.advance(31);
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'deferred', finishedAt: null });
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/resume`), 200);
    expect((await untilDecided(server, wakeup.id)).status).toBe('completed');
  });

  test('terminate cancels it', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id, { notBefore: clock.in(30) });
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
    expect((await untilDecided(server, wakeup.id)).status).toBe('cancelled');
  });
});

describe('the deadline of a deferral', () => {
  test('is a day from the request, and then the wakeup has failed', async () => {
    const { agent, first, gate } = await busyAgent(server);
    const waiting = await wake(server, agent.id);
    const joined = await wake(server, agent.id);
    const { requestedAt, deadlineAt } = waiting.wakeup;
    expect(Date.parse(deadlineAt!) - Date.parse(requestedAt)).toBe(DAY_SEC * 1_000);
    await clock.advance(DAY_SEC - 60);
    expect((await getWakeup(server, waiting.wakeup.id)).status).toBe('deferred');
    await clock.advance(61);
    expect(await getWakeup(server, waiting.wakeup.id)).toMatchObject({
      status: 'failed',
      error: 'deferral.expired',
      runId: null,
    });
    // Who joined it shows how it ended.
    expect(await getWakeup(server, joined.wakeup.id)).toMatchObject({
      status: 'coalesced',
      runId: null,
      runStatus: 'failed',
    });
    gate.open();
    expect((await untilFinal(server, first.run!.id)).status).toBe('succeeded');
    const after = await wake(server, agent.id);
    expect((await untilDecided(server, after.wakeup.id)).status).toBe('completed');
    expect(await runsOf(server, agent)).toHaveLength(2);
  });

  test('comes as well while the agent is paused', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id, { notBefore: clock.in(10) });
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/pause`), 200);
    await clock.advance(11);
    await clock.advance(DAY_SEC);
    expect(await untilDecided(server, wakeup.id)).toMatchObject({
      status: 'failed',
      error: 'deferral.expired',
    });
  });
});

describe('cancelling a wakeup', () => {
  test('deferred for its time: over at once, and it never runs', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id, { notBefore: clock.in(30) });
    expect(expectStatus(await cancel(wakeup.id), 200)).toMatchObject({ status: 'cancelled', runId: null });
    await clock.advance(31);
    expect((await getWakeup(server, wakeup.id)).status).toBe('cancelled');
    expect(await runsOf(server, agent)).toEqual([]);
  });

  test('deferred because the agent is busy: what had joined it shows how it ended', async () => {
    const { agent, first, gate } = await busyAgent(server);
    const waiting = await wake(server, agent.id);
    const joined = await wake(server, agent.id);
    expect(joined.wakeup).toMatchObject({ status: 'coalesced', runId: null, runStatus: null });
    expect(expectStatus(await cancel(waiting.wakeup.id), 200).status).toBe('cancelled');
    expect(await getWakeup(server, joined.wakeup.id)).toMatchObject({
      status: 'coalesced',
      runId: null,
      runStatus: 'cancelled',
    });
    gate.open();
    await untilFinal(server, first.run!.id);
    expect(await runsOf(server, agent)).toHaveLength(1);
  });

  test('queued: its run is over at once', async () => {
    const { agent, gate } = await busyAgent(server, { whenBusy: 'enqueue' });
    const { wakeup, run } = await wake(server, agent.id);
    expect(expectStatus(await cancel(wakeup.id), 200)).toMatchObject({
      status: 'cancelled',
      runStatus: 'cancelled',
    });
    expect(await getRun(server, run!.id)).toMatchObject({ status: 'cancelled', startedAt: null });
    gate.open();
  });

  test('claimed: its run is asked to end', async () => {
    const agent = await scriptedAgent(server, 'exec sleep 100');
    const { wakeup, run } = await wake(server, agent.id);
    await untilRunning(server, run!.id);
    expect(expectStatus(await cancel(wakeup.id), 202)).toMatchObject({
      status: 'claimed',
      runStatus: 'running',
    });
    expect(await untilFinal(server, run!.id)).toMatchObject({
      status: 'cancelled',
      endCause: 'cancel',
      error: 'Cancelled by control plane',
    });
    expect((await untilDecided(server, wakeup.id)).status).toBe('cancelled');
  });

  test('final: as it is', async () => {
    const agent = await scriptedAgent(server, 'true');
    const { wakeup } = await wake(server, agent.id);
    const ended = await untilDecided(server, wakeup.id);
    expect(expectStatus(await cancel(wakeup.id), 200)).toEqual(ended);
    const skipping = await scriptedAgent(server, 'true', { heartbeat: { wakeOnDemand: false } });
    const skipped = await wake(server, skipping.id);
    expect(expectStatus(await cancel(skipped.wakeup.id), 200)).toEqual(skipped.wakeup);
  });

  test('coalesced: the run that it went into is left alone', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait, { heartbeat: { whenBusy: 'coalesce' } });
    const { run } = await wake(server, agent.id);
    await untilRunning(server, run!.id);
    const receipt = await wake(server, agent.id);
    expect(expectStatus(await cancel(receipt.wakeup.id), 200).status).toBe('coalesced');
    gate.open();
    expect((await untilFinal(server, run!.id)).status).toBe('succeeded');
  });

  test('unknown: 404', async () => {
    expectProblem(await cancel(UNKNOWN_ID), 404, 'wakeup_not_found');
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
