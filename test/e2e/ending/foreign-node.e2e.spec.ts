import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WhyAnswer } from '../../../src/client';
import { uuidv7 } from '../../../src/kernel/ids';
import { findMarkedProcesses } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Page, Run, RunEvent, Woken } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  scriptedAgent,
  untilFinal,
} from '../http/client';
import { untilOutput, wake } from '../http/client';

interface Reaped {
  reaped: number;
  runIds: string[];
}

const reap = async (server: TestServer, body: object = {}) =>
  expectStatus(await server.api<Reaped>('POST', '/v1/admin/reap', body), 200);
const eventsOf = async (server: TestServer, runId: string) =>
  (await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events`)).items;

let server: TestServer;
afterEach(() => server.close());

/** The log then has runs of a node that nobody is any more. */
async function comeBackAsAnother(): Promise<{ formerNode: string }> {
  const { dataDir } = server;
  await server.close();
  const file = join(dataDir, 'node-id');
  const formerNode = readFileSync(file, 'utf8').trim();
  writeFileSync(file, `${uuidv7()}\n`);
  server = await startTestServer({ dataDir, testClock: true });
  return { formerNode };
}

/** Lets the server's clock go on by so much. */
async function later(seconds: number): Promise<void> {
  const now = new Date(Date.now() + seconds * 1_000).toISOString();
  expectStatus(await server.api('POST', '/v1/admin/tick', { now }), 200);
}

async function orphan(heartbeat: object = {}): Promise<Woken & { run: Run; formerNode: string }> {
  server = await startTestServer({ testClock: true });
  const gate = new Gate();
  const script = `echo '{"type":"usage","inputTokens":7,"outputTokens":2,"costUsd":0.25}' >> "$REVEILLE_EVENTS_FILE"; echo some words; echo louder >&2; ${gate.wait}`;
  const agent = await scriptedAgent(server, script, { heartbeat });
  const { run, ...woken } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'some words');
  await waitUntil(
    async () => (await eventsOf(server, run!.id)).some(({ eventType }) => eventType === 'usage'),
    'its usage is booked',
  );
  const { formerNode } = await comeBackAsAnother();
  return { ...woken, run: run!, formerNode };
}

test('a node that has stopped in order is waited for, then its runs are lost, with all that is known of them', async () => {
  const { run, wakeup, formerNode } = await orphan();
  expect(await reap(server, { staleThresholdMs: 0 })).toEqual({ reaped: 0, runIds: [] });
  await later(290);
  expect(await reap(server, { staleThresholdMs: 0 })).toEqual({ reaped: 0, runIds: [] });
  expect(await getRun(server, run.id)).toMatchObject({ status: 'running' });
  expect(findMarkedProcesses(run.id)).not.toEqual([]);

  await later(310);
  expect(await reap(server)).toEqual({ reaped: 1, runIds: [run.id] });
  // Nobody else will: this is the machine that they are on.
  expect(findMarkedProcesses(run.id)).toEqual([]);
  const lost = await untilFinal(server, run.id);
  expect(lost).toMatchObject({
    status: 'failed',
    errorCode: 'process_lost',
    error: 'Process lost -- server may have restarted',
    nodeId: formerNode,
    costMicros: 250_000,
    logBytes: 18,
    logs: { stdout: { bytes: 11 }, stderr: { bytes: 7 } },
    stdoutExcerpt: 'some words\n',
  });
  expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'failed' });
  expect(await getAgent(server, run.agentId)).toMatchObject({ status: 'error', activeRunIds: [] });
  const events = await eventsOf(server, run.id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  expect(events.slice(-2)).toMatchObject([
    {
      eventType: 'error',
      payload: {
        code: 'process_lost',
        nodeId: formerNode,
        claimId: expect.any(String) as string,
        signal: null,
        lease: { renewedAt: expect.any(String) as string, backBy: expect.any(String) as string },
        lastOutput: { stdout: 'some words\n', stderr: 'louder\n' },
      },
    },
    { eventType: 'lifecycle', message: 'Process lost -- server may have restarted' },
  ]);
  // Who asks by the id of the request for it finds its end, too.
  const { steps } = await get<WhyAnswer>(server, `/v1/audit/why?runId=${run.id}`);
  const atTheEnd = steps.filter(({ type }) =>
    ['RunErrorRecorded', 'LogFinalized', 'RunFinished'].includes(type),
  );
  expect(atTheEnd).toHaveLength(3);
  const { correlationId } = steps.find(({ type }) => type === 'WakeupRequested')!;
  expect(new Set(atTheEnd.map((step) => step.correlationId))).toEqual(new Set([correlationId]));
  expect(await reap(server)).toEqual({ reaped: 0, runIds: [] });
  expect(server.errors).toEqual([]);
});

test('a run that was lost with its node is tried again on this one, where its agent may run on any', async () => {
  const { run, wakeup } = await orphan({ retry: { maxAttempts: 2, backoffSec: 1 }, placement: 'any' });
  await later(310);
  await reap(server);
  const retried = await waitUntil(async () => {
    const { runId } = await getWakeup(server, wakeup.id);
    return runId !== run.id && runId;
  }, 'there is another attempt');
  await later(320);
  await untilOutput(server, retried, 'some words');
  expect(await getRun(server, retried)).toMatchObject({
    attempt: 2,
    retryOfRunId: run.id,
    status: 'running',
  });
  expectStatus(await server.api('POST', `/v1/runs/${retried}/cancel`), 202);
  expect(await untilFinal(server, retried)).toMatchObject({ status: 'cancelled' });
});

test('a run that was to end when its node went away has ended for that reason', async () => {
  const { run } = await orphan();
  expectStatus(await server.api('POST', `/v1/runs/${run.id}/cancel`), 202);
  await later(310);
  expect(await reap(server)).toEqual({ reaped: 1, runIds: [run.id] });
  expect(await untilFinal(server, run.id)).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
});
