import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Agent } from '../http/client';
import {
  expectStatus,
  Gate,
  getAgent,
  getRun,
  getWakeup,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';
import { runsOf, ServerClock, untilRuns } from './steps';

let server: TestServer;
let clock: ServerClock;

beforeAll(async () => {
  server = await startTestServer({ testClock: true });
  clock = new ServerClock(server);
});
afterAll(() => server.close());

/** Fails so many times, then succeeds. */
async function failingAgent(failures: number, retry: object | null, more: object = {}): Promise<Agent> {
  const tries = join(temporaryFolder(), 'tries');
  const script = `echo x >> '${tries}'; [ $(wc -l < '${tries}') -gt ${failures} ]`;
  return scriptedAgent(server, script, { heartbeat: { retry, ...more } });
}

test('a failed run is tried again, and the last attempt decides', async () => {
  const agent = await failingAgent(2, { maxAttempts: 3, backoffSec: 0 });
  const { wakeup, run } = await wake(server, agent.id, { reason: 'try' });
  const ended = await untilDecided(server, wakeup.id);
  const [third, second, first] = await runsOf(server, agent);
  expect(first).toMatchObject({ id: run!.id, status: 'failed', attempt: 1, retryOfRunId: null });
  expect(second).toMatchObject({ status: 'failed', attempt: 2, retryOfRunId: first!.id });
  expect(third).toMatchObject({ status: 'succeeded', attempt: 3, retryOfRunId: second!.id });
  expect(third!.contextSnapshot).toMatchObject({ wakeReason: 'try', wakeups: [{ id: wakeup.id }] });
  expect(ended).toMatchObject({ status: 'completed', runId: third!.id, runStatus: 'succeeded', error: null });
  expect((await getAgent(server, agent.id)).status).toBe('idle');
});

test('when the attempts are used up the wakeup has failed', async () => {
  const agent = await failingAgent(9, { maxAttempts: 2, backoffSec: 0 });
  const { wakeup } = await wake(server, agent.id);
  expect(await untilDecided(server, wakeup.id)).toMatchObject({ status: 'failed', runStatus: 'failed' });
  expect(await runsOf(server, agent)).toHaveLength(2);
  expect((await getAgent(server, agent.id)).status).toBe('error');
});

test('without a policy of retries there is one attempt', async () => {
  const agent = await failingAgent(1, null);
  const { wakeup } = await wake(server, agent.id);
  expect((await untilDecided(server, wakeup.id)).status).toBe('failed');
  expect(await runsOf(server, agent)).toHaveLength(1);
});

test('while a retry waits its wakeup stays claimed, and takes in what comes', async () => {
  const agent = await failingAgent(1, { maxAttempts: 2, backoffSec: 30 });
  const { wakeup, run } = await wake(server, agent.id);
  await untilFinal(server, run!.id);
  const [retry] = await untilRuns(server, agent, 2);
  expect(retry).toMatchObject({ status: 'queued', attempt: 2, retryOfRunId: run!.id });
  expect(await getWakeup(server, wakeup.id)).toMatchObject({
    status: 'claimed',
    finishedAt: null,
    runStatus: 'queued',
  });
  const joining = await wake(server, agent.id, { reason: 'joins' });
  expect(joining.wakeup).toMatchObject({ status: 'coalesced', runId: retry!.id });

  // Up to half of the pause comes on top.
  await clock.advance(46);
  expect(await untilFinal(server, retry!.id)).toMatchObject({
    status: 'succeeded',
    wakeupIds: [wakeup.id, joining.wakeup.id],
    coalescedCount: 1,
  });
  expect(await untilDecided(server, wakeup.id)).toMatchObject({ status: 'completed', runId: retry!.id });
});

test('what waited for the agent is absorbed by the retry', async () => {
  const gate = new Gate();
  const tries = join(temporaryFolder(), 'tries');
  const script = `echo x >> '${tries}'; ${gate.wait}; [ $(wc -l < '${tries}') -gt 1 ]`;
  const heartbeat = { retry: { maxAttempts: 2, backoffSec: 0 } };
  const agent = await scriptedAgent(server, script, { heartbeat });
  const first = await wake(server, agent.id, { reason: 'first' });
  await untilRunning(server, first.run!.id);
  const waiting = await wake(server, agent.id, { reason: 'waits' });
  const joined = await wake(server, agent.id, { reason: 'joins' });
  expect([waiting, joined].map(({ wakeup }) => wakeup.status)).toEqual(['deferred', 'coalesced']);
  gate.open();

  const { runId } = await untilDecided(server, first.wakeup.id);
  expect(await runsOf(server, agent)).toHaveLength(2);
  const retry = await getRun(server, runId!);
  const ids = [first, waiting, joined].map(({ wakeup }) => wakeup.id);
  expect(retry).toMatchObject({ status: 'succeeded', attempt: 2, retryOfRunId: first.run!.id });
  expect([...retry.wakeupIds].sort()).toEqual([...ids].sort());
  expect(retry.coalescedCount).toBe(2);
  for (const { wakeup } of [waiting, joined]) {
    expect(await getWakeup(server, wakeup.id)).toMatchObject({
      status: 'coalesced',
      runId: retry.id,
      runStatus: 'succeeded',
    });
  }
});

test('a cancelled run is not tried again', async () => {
  const agent = await scriptedAgent(server, 'exec sleep 100', {
    heartbeat: { retry: { maxAttempts: 5, backoffSec: 0 } },
  });
  const { wakeup, run } = await wake(server, agent.id);
  await untilRunning(server, run!.id);
  expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
  expect((await untilDecided(server, wakeup.id)).status).toBe('cancelled');
  expect(await runsOf(server, agent)).toHaveLength(1);
});

test('a waiting retry can be cancelled, by its run or by its wakeup', async () => {
  for (const cancelPath of [
    (_wakeupId: string, runId: string) => `/v1/runs/${runId}/cancel`,
    (wakeupId: string) => `/v1/wakeups/${wakeupId}/cancel`,
  ]) {
    const agent = await failingAgent(1, { maxAttempts: 2, backoffSec: 1_000 });
    const { wakeup } = await wake(server, agent.id);
    const [retry] = await untilRuns(server, agent, 2);
    expectStatus(await server.api('POST', cancelPath(wakeup.id, retry!.id)), 200);
    expect((await getRun(server, retry!.id)).status).toBe('cancelled');
    expect((await untilDecided(server, wakeup.id)).status).toBe('cancelled');
  }
});

test('a retry that waits does not keep a run of another key from starting', async () => {
  const agent = await failingAgent(1, { maxAttempts: 2, backoffSec: 1_000 }, { maxConcurrentRuns: 2 });
  await wake(server, agent.id, { coalesceKey: 'one' });
  await untilRuns(server, agent, 2);
  const other = await wake(server, agent.id, { coalesceKey: 'two' });
  expect((await untilFinal(server, other.run!.id)).status).toBe('succeeded');
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  await waitUntil(
    async () => (await runsOf(server, agent)).every(({ finishedAt }) => finishedAt !== null),
    'all runs are over',
  );
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
