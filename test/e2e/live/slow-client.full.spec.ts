import { closeLiveSockets, connectLive, stopTaking, takeAgain } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { head, openCompany, registerAgent, shell, untilFinal, wake } from '../http/client';
import { hashOfOutput, readFeed } from './feed';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterEach(() => closeLiveSockets());
afterAll(() => server.close());

test('a client that takes nothing is cut off with a reason; others and the runs go on, and it resumes', async () => {
  const { id: companyId } = await openCompany(server);
  const writing = shell(
    'i=0; while [ $i -lt 60 ]; do head -c 2000000 /dev/zero | tr "\\0" x; i=$((i+1)); sleep 0.25; done',
  );
  const agents = [];
  for (let n = 0; n < 2; n += 1)
    agents.push(await registerAgent(server, companyId, { adapterConfig: writing }));
  const paused = await connectLive(server, { transports: ['websocket'] });
  const quick = await connectLive(server, { transports: ['websocket'] });
  for (const { ask } of [paused, quick]) await ask('subscribe', { companyId, after: '0', logs: true });
  const before = process.memoryUsage().rss;
  stopTaking(paused);
  const disconnected = new Promise((resolve) => paused.socket.once('disconnect', resolve));
  const runIds = [];
  for (const { id } of agents) runIds.push((await wake(server, id)).run!.id);
  const runs = [];
  for (const runId of runIds) runs.push(await untilFinal(server, runId, 90_000));
  await head(server);
  const grown = process.memoryUsage().rss - before;

  const expected = await readFeed(server, companyId);
  await waitUntil(
    () => quick.messages.at(-1)?.cursor === expected.at(-1)!.cursor,
    'the quick one has been told all',
  );
  for (const { id, logs } of runs) {
    expect(logs!.stdout.bytes).toBe(120_000_000);
    expect(await hashOfOutput(server, quick.messages, id, 'stdout')).toBe(logs!.stdout.sha256);
  }
  // By now the server has given it up, and says so behind what was on its way.
  takeAgain(paused);
  await disconnected;
  expect(paused.closed).toEqual({ reason: 'slow_client' });
  const resumed = await connectLive(server);
  const after = paused.messages.at(-1)!.cursor;
  await resumed.ask('subscribe', { companyId, after, logs: true });
  await waitUntil(
    () => resumed.messages.at(-1)?.cursor === expected.at(-1)!.cursor,
    'it has been told the rest',
  );
  const told = [...paused.messages, ...resumed.messages];
  for (const { id, logs } of runs) {
    expect(await hashOfOutput(server, told, id, 'stdout')).toBe(logs!.stdout.sha256);
  }
  const isOutput = ({ type }: { type: string }) => /^(heartbeat\.run\.log|log\.gap)$/.test(type);
  expect(told.filter((message) => !isOutput(message))).toEqual(
    expected.filter((message) => !isOutput(message)),
  );
  process.stdout.write(
    `${paused.messages.length} before, ${resumed.messages.length} after, ` +
      `${told.filter(({ type }) => type === 'log.gap').length} gaps; memory +${(grown / 1e6).toFixed(0)} MB\n`,
  );
  expect(server.errors).toEqual([]);
}, 240_000);
