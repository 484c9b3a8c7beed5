import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Page, RunEvent } from './client';
import { expectStatus, Gate, get, getRun, scriptedAgent, untilFinal, wake } from './client';

const ROUNDS = 100;
const GRACE_SEC = 20;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test('a cancellation while the process starts does not have to wait for the grace period', async () => {
  const agent = await scriptedAgent(server, new Gate().wait, { heartbeat: { graceSec: GRACE_SEC } });
  const tookMs: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const { run } = await wake(server, agent.id);
    await untilSpawned(run!.id);
    expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
    const { endRequestedAt, finishedAt, status } = await untilFinal(server, run!.id, 2 * GRACE_SEC * 1_000);
    expect(status).toBe('cancelled');
    tookMs.push(Date.parse(finishedAt!) - Date.parse(endRequestedAt!));
  }
  // An agent that does not catch SIGTERM is gone as soon as it gets it.
  expect(tookMs.filter((ms) => ms >= GRACE_SEC * 1_000)).toEqual([]);
}, 600_000);

/** Until the wrapper has been recorded: it executes the agent a moment later. */
async function untilSpawned(runId: string): Promise<void> {
  for (;;) {
    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events`);
    if (items.some(({ eventType }) => eventType === 'process')) return;
    expect((await getRun(server, runId)).finishedAt).toBeNull();
  }
}
