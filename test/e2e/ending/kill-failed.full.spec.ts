import type * as ProcessTrees from '../../../src/runner/process-tree';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Page, RunEvent } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from '../http/client';

const IMMORTAL = 999_999_999;

// No test can make a process that cannot be killed (it would hang in the kernel): so every tree tells of one more.
jest.mock('../../../src/runner/process-tree', () => {
  const actual = jest.requireActual<typeof ProcessTrees>('../../../src/runner/process-tree');
  const processTreeOf = (
    ...args: Parameters<typeof ProcessTrees.processTreeOf>
  ): ProcessTrees.ProcessTree => {
    const tree = actual.processTreeOf(...args);
    return {
      living: async () => [...(await tree.living()), 999_999_999],
      signal: async (...signal) => [...(await tree.signal(...signal)), 999_999_999],
      remember: () => tree.remember(),
    };
  };
  return { ...actual, processTreeOf };
});

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test('what outlives SIGKILL for 30 s makes the run fail, aloud', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`, { heartbeat: { graceSec: 1 } });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
  const failed = await untilFinal(server, run!.id, 45_000);
  expect(failed).toMatchObject({
    status: 'failed',
    errorCode: 'kill_failed',
    endCause: 'cancel',
    error: `Could not be ended: process ${IMMORTAL} is still alive`,
  });
  const tookMs = Date.parse(failed.finishedAt!) - Date.parse(failed.endRequestedAt!);
  expect(tookMs).toBeGreaterThanOrEqual(31_000);
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error', activeRunIds: [] });
  const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run!.id}/events`);
  expect(items.find(({ eventType }) => eventType === 'error')).toMatchObject({
    payload: { code: 'kill_failed' },
  });
}, 60_000);
