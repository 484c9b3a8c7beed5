import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import {
  expectBadField,
  expectStatus,
  Gate,
  get,
  getRun,
  head,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const reap = (body?: object) => server.api('POST', '/v1/admin/reap', body);

describe('reaping by hand', () => {
  test.each([[undefined], [{}], [{ staleThresholdMs: 0 }], [{ staleThresholdMs: 60_000 }]])(
    '%j: where nothing is lost nothing is reaped, and nothing written',
    async (body) => {
      const before = await head(server);
      expect(expectStatus(await reap(body), 200)).toEqual({ reaped: 0, runIds: [] });
      expect(await head(server)).toBe(before);
    },
  );

  test('a run that is watched over is not reaped, however stale', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    expect(expectStatus(await reap({ staleThresholdMs: 0 }), 200)).toEqual({ reaped: 0, runIds: [] });
    expect((await getRun(server, run!.id)).status).toBe('running');
    gate.open();
    expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'succeeded', exitCode: 0 });
  });

  test.each([[-1], ['1'], [1.5], [null], [true]])(
    'a threshold of %j is refused',
    async (staleThresholdMs) => {
      expectBadField(await reap({ staleThresholdMs }), 'staleThresholdMs');
    },
  );

  test('an unknown field is refused', async () => {
    expectBadField(await reap({ force: true }), 'force');
  });
});

test('the node tells how it is', async () => {
  const ready = await get<object>(server, '/health/ready');
  expect(ready).toMatchObject({
    status: 'ok',
    nodeId: expect.any(String),
    eventLog: { status: 'ok', head: expect.stringMatching(/^\d+$/) },
    runs: { active: 0, waiting: 0, max: expect.any(Number) },
  });
  expect(await get(server, '/health/live')).toEqual({ status: 'ok' });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
