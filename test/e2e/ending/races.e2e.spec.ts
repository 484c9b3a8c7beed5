import { setTimeout as sleep } from 'node:timers/promises';
import { findMarkedProcesses, waitUntilGone } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Page, Run } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  getRun,
  scriptedAgent,
  untilFinal,
  untilOutput,
  untilRunning,
  wake,
} from '../http/client';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ maxRuns: 8 });
});
afterEach(async () => {
  expect(server.errors).toEqual([]);
  await server.close();
});

test('a cancel that meets the end of a run is what was answered, whichever came first', async () => {
  await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      const agent = await scriptedAgent(server, 'exit 0');
      const { run } = await wake(server, agent.id);
      await sleep(index * 40);
      const { status, body } = await server.api<Run>('POST', `/v1/runs/${run!.id}/cancel`);
      const final = await untilFinal(server, run!.id);
      expect(findMarkedProcesses(run!.id)).toEqual([]);
      // Where the cancel came first, its answer may have seen what has come of it.
      expect([200, 202]).toContain(status);
      if (status === 200) expect(body).toMatchObject({ finishedAt: final.finishedAt, status: final.status });
      else expect(final).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
    }),
  );
});

test('an agent that is paused while its run is being started has no run afterwards', async () => {
  const gate = new Gate();
  await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const agent = await scriptedAgent(server, gate.wait);
      const { run } = await wake(server, agent.id);
      await sleep(index * 4);
      const paused = expectStatus(await server.api<Agent>('POST', `/v1/agents/${agent.id}/pause`), 200);
      expect(paused.status).toBe('paused');
      if (paused.cancelledRuns!.length > 0) {
        expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'cancelled', endCause: 'pause' });
      } else {
        // It came before the claim: the run is held back until the agent is resumed.
        expect(await getRun(server, run!.id)).toMatchObject({ status: 'queued', startedAt: null });
      }
      expect(findMarkedProcesses(run!.id)).toEqual([]);
    }),
  );
});

test('of two causes the first one on the log stands', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `trap '' TERM; echo ready; ${gate.wait}`, {
    heartbeat: { timeoutSec: 1, graceSec: 2 },
  });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  while ((await getRun(server, run!.id)).endCause === null) await sleep(20);
  expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/terminate`), 200);
  expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'timed_out', endCause: 'timeout' });
});

describe('while no server is there', () => {
  async function returnAfter(ms: number): Promise<void> {
    const { dataDir } = server;
    await server.close();
    await sleep(ms);
    server = await startTestServer({ dataDir, maxRuns: 8 });
  }

  test('time counts: a run that is too old is timed out at once', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait, { heartbeat: { timeoutSec: 2 } });
    const { run } = await wake(server, agent.id);
    await untilRunning(server, run!.id);
    await returnAfter(2_500);
    const since = Date.now();
    expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'timed_out', endCause: 'timeout' });
    expect(Date.now() - since).toBeLessThan(2_000);
    expect(findMarkedProcesses(run!.id)).toEqual([]);
  });

  test('a run that ends in time has ended in time, however late that is seen', async () => {
    const agent = await scriptedAgent(server, 'echo ready; sleep 1; exit 0', {
      heartbeat: { timeoutSec: 3 },
    });
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    const { dataDir } = server;
    await server.close();
    await waitUntilGone(run!.id, 10_000);
    await sleep(3_000);
    server = await startTestServer({ dataDir, maxRuns: 8 });
    expect(await untilFinal(server, run!.id)).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      endCause: null,
    });
  });

  test('what an agent has left behind stays where it is found, and is ended then', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(
      server,
      `setsid sh -c '${gate.wait.replaceAll("'", '"')}' & echo ready; exit 4`,
    );
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    await returnAfter(500);
    expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect(findMarkedProcesses(run!.id)).toEqual([]);
    const { items } = await get<Page<Run>>(server, `/v1/companies/${agent.companyId}/runs`);
    expect(items).toHaveLength(1);
  });
});
