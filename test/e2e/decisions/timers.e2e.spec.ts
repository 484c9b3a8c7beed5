import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Wakeup } from '../http/client';
import {
  expectBadField,
  expectStatus,
  Gate,
  getAgent,
  getRun,
  openCompany,
  registerAgent,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { runsOf, ServerClock, wakeupsOf } from './steps';

const HOUR_SEC = 3_600;

let server: TestServer;
let clock: ServerClock;

// One for each test: a tick counts the timers of all agents.
beforeEach(async () => {
  server = await startTestServer({ testClock: true });
  clock = new ServerClock(server);
});
afterEach(async () => {
  const { errors } = server;
  await server.close();
  expect(errors).toEqual([]);
});

/** An agent with a timer, once it has been woken for the first time. */
async function hourlyAgent(
  heartbeat: object = {},
  script = 'true',
): Promise<{ agent: Agent; first: Wakeup }> {
  const agent = await scriptedAgent(server, script, { heartbeat: { intervalSec: HOUR_SEC, ...heartbeat } });
  // Unless the server's own tick was faster.
  await clock.advance(0);
  const first = await waitUntil(async () => (await wakeupsOf(server, agent))[0], 'the timer has gone off');
  return { agent, first };
}

const dueIn = async (agent: Agent) =>
  Date.parse((await getAgent(server, agent.id)).nextDueAt!) - clock.now.getTime();

test('an interval wakes its agent at once, and tells why', async () => {
  const { agent, first } = await hourlyAgent();
  expect(first).toMatchObject({
    source: 'timer',
    triggerDetail: 'system',
    reason: 'heartbeat_timer',
    requestedByActorType: 'system',
    requestedByActorId: 'heartbeat_scheduler',
    contextSnapshot: { source: 'scheduler', reason: 'interval_elapsed', now: first.requestedAt },
  });
  const { runId } = await untilDecided(server, first.id);
  expect((await getRun(server, runId!)).contextSnapshot).toMatchObject({
    wakeReason: 'heartbeat_timer',
    wakeSource: 'timer',
    wakeTriggerDetail: 'system',
    source: 'scheduler',
  });
  expect(await dueIn(agent)).toBeGreaterThan((HOUR_SEC - 60) * 1_000);
  expect(await dueIn(agent)).toBeLessThanOrEqual(HOUR_SEC * 1_000);
});

test('a tick touches what is due, and counts it', async () => {
  const { agent, first } = await hourlyAgent();
  const other = await scriptedAgent(server, 'true');
  await untilDecided(server, first.id);
  expect(await clock.advance(HOUR_SEC - 60)).toEqual({ checked: 0, enqueued: 0, skipped: 0 });
  expect(await clock.advance(61)).toEqual({ checked: 1, enqueued: 1, skipped: 0 });
  expect(await clock.advance(0)).toEqual({ checked: 0, enqueued: 0, skipped: 0 });
  expect(await wakeupsOf(server, agent)).toHaveLength(2);
  expect(await wakeupsOf(server, other)).toEqual([]);
});

test('nextDueAt moves on by whole intervals from the first one', async () => {
  const { agent } = await hourlyAgent();
  const { nextDueAt } = await getAgent(server, agent.id);
  await clock.advance(HOUR_SEC + 600);
  const next = Date.parse((await getAgent(server, agent.id)).nextDueAt!);
  expect(next - Date.parse(nextDueAt!)).toBe(HOUR_SEC * 1_000);
});

test('an agent that cannot be woken leaves a receipt, and does not stop the others', async () => {
  const { agent: paused, first } = await hourlyAgent();
  const { agent } = await hourlyAgent();
  await untilDecided(server, first.id);
  expectStatus(await server.api('POST', `/v1/agents/${paused.id}/pause`), 200);
  expect(await clock.advance(HOUR_SEC + 1)).toEqual({ checked: 2, enqueued: 1, skipped: 1 });
  const [receipt] = await wakeupsOf(server, paused);
  expect(receipt).toMatchObject({ source: 'timer', status: 'skipped', skipReason: 'agent.paused' });
  expect((await wakeupsOf(server, agent))[0]!.status).not.toBe('skipped');
  expectStatus(await server.api('POST', `/v1/companies/${agent.companyId}/pause`), 200);
  expect(await clock.advance(HOUR_SEC)).toEqual({ checked: 2, enqueued: 0, skipped: 2 });
  expect((await wakeupsOf(server, agent))[0]!.skipReason).toBe('company.paused');
});

test('an agent that waits for approval is not woken by its timer', async () => {
  const company = await openCompany(server);
  const heartbeat = { intervalSec: HOUR_SEC };
  const agent = await registerAgent(server, company.id, { heartbeat, requiresApproval: true });
  const [receipt] = await waitUntil(async () => {
    const wakeups = await wakeupsOf(server, agent);
    return wakeups.length > 0 && wakeups;
  }, 'the timer has gone off');
  expect(receipt).toMatchObject({ status: 'skipped', skipReason: 'agent.pending_approval' });
});

test('a terminated agent has no timer any more', async () => {
  const { agent } = await hourlyAgent();
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  expect(await clock.advance(HOUR_SEC + 1)).toEqual({ checked: 0, enqueued: 0, skipped: 0 });
});

test.each(['followUp', 'enqueue'])(
  '%s: a run that is longer than the interval gives at most one waiting wakeup',
  async (whenBusy) => {
    const gate = new Gate();
    const { agent, first } = await hourlyAgent({ whenBusy }, gate.wait);
    await waitUntil(async () => (await runsOf(server, agent))[0]?.status === 'running', 'it runs');
    for (let hour = 1; hour <= 4; hour++) {
      expect(await clock.advance(HOUR_SEC)).toEqual({ checked: 1, enqueued: 1, skipped: 0 });
    }
    const waiting = (await wakeupsOf(server, agent)).filter(({ id }) => id !== first.id);
    const statuses = waiting.map(({ status }) => status).sort();
    expect(statuses).toHaveLength(4);
    expect(statuses.slice(0, 3)).toEqual(['coalesced', 'coalesced', 'coalesced']);
    expect(statuses[3]).toBe(whenBusy === 'enqueue' ? 'queued' : 'deferred');
    gate.open();
    await untilDecided(server, waiting.at(-1)!.id);
    expect(await runsOf(server, agent)).toHaveLength(2);
  },
);

test('a manual run does not push the timer away', async () => {
  const { agent } = await hourlyAgent();
  const { nextDueAt } = await getAgent(server, agent.id);
  await clock.advance(HOUR_SEC / 2);
  const { wakeup } = await wake(server, agent.id);
  await untilDecided(server, wakeup.id);
  expect((await getAgent(server, agent.id)).nextDueAt).toBe(nextDueAt);
});

test('after downtime: one wakeup for all that was missed, or none', async () => {
  const { agent: once, first } = await hourlyAgent({ catchUp: 'once' });
  const { agent: never, first: firstOfNever } = await hourlyAgent({ catchUp: 'skip' });
  for (const { id } of [first, firstOfNever]) await untilDecided(server, id);
  expect(await clock.advance(5.5 * HOUR_SEC)).toEqual({ checked: 2, enqueued: 1, skipped: 1 });
  expect(await wakeupsOf(server, once)).toHaveLength(2);
  await untilDecided(server, (await wakeupsOf(server, once))[0]!.id);
  expect(await runsOf(server, once)).toHaveLength(2);
  expect(await runsOf(server, never)).toHaveLength(1);
  for (const agent of [once, never]) {
    expect(await dueIn(agent)).toBeGreaterThan(0);
    expect(await dueIn(agent)).toBeLessThanOrEqual(0.5 * HOUR_SEC * 1_000);
  }
  expect(await clock.advance(HOUR_SEC)).toEqual({ checked: 2, enqueued: 2, skipped: 0 });
});

test('a cron is read in its time zone, summer and winter', async () => {
  await clock.set('2031-03-28T12:00:00.000Z');
  const heartbeat = { cron: '30 7 * * *', timezone: 'Europe/Berlin' };
  const agent = await scriptedAgent(server, 'true', { heartbeat });
  const nextDueAt = async () => (await getAgent(server, agent.id)).nextDueAt;
  await waitUntil(async () => (await nextDueAt()) === '2031-03-29T06:30:00.000Z', 'its timer is set');
  expect(await wakeupsOf(server, agent)).toEqual([]);
  expect(await clock.set('2031-03-29T06:30:01.000Z')).toEqual({ checked: 1, enqueued: 1, skipped: 0 });
  // The clocks go forward in the night to the 30th.
  expect(await nextDueAt()).toBe('2031-03-30T05:30:00.000Z');
});

test('a new policy sets the timer anew, none takes it away', async () => {
  const { agent, first } = await hourlyAgent();
  await untilDecided(server, first.id);
  const patch = (heartbeat: object) =>
    server.api('PATCH', `/v1/agents/${agent.id}`, { runtimeConfig: { heartbeat } });
  expectStatus(await patch({ intervalSec: 600 }), 200);
  await waitUntil(async () => (await dueIn(agent)) <= 600_000, 'it is due within the new interval');
  expectStatus(await patch({ enabled: false }), 200);
  await waitUntil(async () => (await getAgent(server, agent.id)).nextDueAt === null, 'it has no timer');
  expect(await clock.advance(HOUR_SEC)).toEqual({ checked: 0, enqueued: 0, skipped: 0 });
});

test('a retry, a run and a timer of one agent do not overlap', async () => {
  const gate = new Gate();
  const { agent, first } = await hourlyAgent(
    { retry: { maxAttempts: 2, backoffSec: 0 } },
    `${gate.wait}; exit 1`,
  );
  const [run] = await runsOf(server, agent);
  await untilRunning(server, run!.id);
  await clock.advance(HOUR_SEC);
  gate.open();
  await untilFinal(server, run!.id);
  expect((await untilDecided(server, first.id)).status).toBe('failed');
  const runs = await runsOf(server, agent);
  expect(runs.map(({ attempt }) => attempt)).toEqual([2, 1]);
  expect(runs[0]!.coalescedCount).toBe(1);
});

test('only a test clock can be set', async () => {
  const real = await startTestServer();
  try {
    const now = new Date().toISOString();
    expectBadField(await real.api('POST', '/v1/admin/tick', { now }), 'now');
    expect(expectStatus(await real.api('POST', '/v1/admin/tick'), 200)).toEqual({
      checked: 0,
      enqueued: 0,
      skipped: 0,
    });
    expect(real.errors).toEqual([]);
  } finally {
    await real.close();
  }
  expectBadField(await server.api('POST', '/v1/admin/tick', { now: 'noon' }), 'now');
});
