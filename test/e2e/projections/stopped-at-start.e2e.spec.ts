import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReadyView } from '../../../src/client';
import { collectionName } from '../../../src/processing/projection';
import { runsProjection } from '../../../src/runs/projections/runs.projection';
import { BUILD_TIMEOUT_MS, ensureBuilt } from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import {
  expectProblem,
  expectStatus,
  Gate,
  getRun,
  getWakeup,
  head,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilOutput,
  untilRunning,
  wake,
} from '../http/client';
import { ProjectionBench } from './projection-bench';

/** A consumer of the log that has stopped stops again at each start, until somebody mends it: the rest goes on. */

let open: ProjectionBench[];

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
beforeEach(() => void (open = []));
afterEach(() => Promise.all(open.map(({ server }) => server.close())));

async function start(...args: Parameters<typeof ProjectionBench.open>): Promise<ProjectionBench> {
  const bench = await ProjectionBench.open(...args);
  open.push(bench);
  return bench;
}

async function close(bench: ProjectionBench): Promise<void> {
  open = open.filter((other) => other !== bench);
  await bench.server.close();
}

async function ready({ server }: ProjectionBench): Promise<{ status: number; ill: string[] }> {
  const { status, body } = await server.api<ReadyView>('GET', '/health/ready');
  return { status, ill: body.ill };
}

function untilStopped(bench: ProjectionBench, ...names: string[]): Promise<unknown> {
  const look = async () => {
    const consumers = await bench.consumers();
    return names.every((name) => consumers.find((one) => one.name === name)?.status === 'stopped');
  };
  return waitUntil(look, `${names.join(', ')} have stopped`);
}

/** A file that says how often a script was begun. */
function tally(): { script: string; count: () => number } {
  const path = join(temporaryFolder(), 'begun');
  return {
    script: `echo begun >> '${path}'`,
    count: () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0),
  };
}

const linesOf = async ({ server }: ProjectionBench, runId: string) => {
  const path = `/v1/runs/${runId}/events`;
  const { items } = expectStatus(await server.api<{ items: { message: string }[] }>('GET', path), 200);
  return items.map(({ message }) => message).filter((message) => message.startsWith('run '));
};

test('a start without the read model of runs takes up what lives, starts what waits, and loses nothing', async () => {
  const [first, living] = [new Gate(), new Gate()];
  const [ofLiving, ofWaiting] = [tally(), tally()];
  const before = await start(temporaryFolder(), { maxRuns: '1' });
  const { dataDir } = before.server;
  const damaged = await scriptedAgent(before.server, first.wait);
  const lives = await scriptedAgent(before.server, `${ofLiving.script}; echo here; ${living.wait}; echo end`);
  const waits = await scriptedAgent(before.server, ofWaiting.script);

  const lost = (await wake(before.server, damaged.id)).run!;
  await untilRunning(before.server, lost.id);
  await before.tamper(collectionName(runsProjection), lost.id, () => null);
  first.open();
  await untilStopped(before, 'runs');
  // The read model has heard of none of these.
  const living1 = await wake(before.server, lives.id);
  const waiting = await wake(before.server, waits.id);
  await waitUntil(
    async () => (await getWakeup(before.server, living1.wakeup.id)).status === 'claimed',
    'it runs',
  );
  await waitUntil(() => ofLiving.count() === 1, 'the process has begun');
  await close(before);

  const after = await start(dataDir, { maxRuns: '1' });
  expect(await ready(after)).toEqual({ status: 503, ill: ['runs'] });
  expect(await after.consumer('runs')).toMatchObject({
    stoppedBy: expect.stringMatching(/^projection runs stopped at RunFinished at position \d+ \(agent-/),
  });
  expectProblem(await after.server.api('GET', `/v1/runs/${living1.run!.id}`), 503, 'not_caught_up');
  // Nothing else starts while the living one has the only place, and it has not been begun again.
  expect((await getWakeup(after.server, waiting.wakeup.id)).status).toBe('queued');
  living.open();
  expect((await untilDecided(after.server, living1.wakeup.id)).status).toBe('completed');
  expect((await untilDecided(after.server, waiting.wakeup.id)).status).toBe('completed');
  const woken = await wake(after.server, waits.id);
  expect((await untilDecided(after.server, woken.wakeup.id)).status).toBe('completed');

  expect((await after.reveille('rebuild', 'runs')).exitCode).toBe(0);
  await waitUntil(async () => (await ready(after)).status === 200, 'all is well');
  await head(after.server);
  expect(await after.perform('compare', 'runs')).toMatchObject({ result: { equal: true } });
  expect([ofLiving.count(), ofWaiting.count()]).toEqual([1, 2]);
  expect(await getRun(after.server, living1.run!.id)).toMatchObject({
    status: 'succeeded',
    stdoutExcerpt: 'here\nend\n',
  });
  expect(await linesOf(after, living1.run!.id)).toEqual(['run queued', 'run started', 'run succeeded']);
}, 60_000);

test('a process of a run that a damaged read model has lost is left alone, and taken up once that is mended', async () => {
  const [first, hidden] = [new Gate(), new Gate()];
  const before = await start();
  const { dataDir } = before.server;
  const damaged = await scriptedAgent(before.server, first.wait);
  const hides = await scriptedAgent(before.server, `echo here; ${hidden.wait}; echo end`);
  const lost = (await wake(before.server, damaged.id)).run!;
  const living = await wake(before.server, hides.id);
  await untilRunning(before.server, lost.id);
  await untilOutput(before.server, living.run!.id, 'here');
  for (const { id } of [lost, living.run!]) {
    await before.tamper(collectionName(runsProjection), id, () => null);
  }
  first.open();
  await untilStopped(before, 'runs');
  await close(before);

  const after = await start(dataDir);
  expect(await ready(after)).toEqual({ status: 503, ill: ['runs'] });
  expect((await after.reveille('rebuild', 'runs')).exitCode).toBe(0);
  await waitUntil(async () => (await ready(after)).status === 200, 'all is well');
  expectStatus(await after.server.api('POST', '/v1/admin/reap', {}), 200);
  hidden.open();
  expect(await untilFinal(after.server, living.run!.id)).toMatchObject({
    status: 'succeeded',
    stdoutExcerpt: 'here\nend\n',
  });
}, 60_000);

test('a start without the saga that opens runs starts them when it goes on, and each once', async () => {
  const gate = new Gate();
  const [ofLiving, ofWaiting] = [tally(), tally()];
  const before = await start();
  const { dataDir } = before.server;
  const lives = await scriptedAgent(before.server, `${ofLiving.script}; echo here; ${gate.wait}`);
  const waits = await scriptedAgent(before.server, ofWaiting.script);
  const living = await wake(before.server, lives.id);
  await untilOutput(before.server, living.run!.id, 'here');
  before.poison('RunQueued');
  const waiting = await wake(before.server, waits.id);
  await untilStopped(before, 'execution', 'runs');
  await close(before);

  const after = await start(dataDir, { poisoned: ['RunQueued'] });
  await untilStopped(after, 'execution', 'runs');
  expect((await ready(after)).ill).toEqual(expect.arrayContaining(['runs', 'execution']));
  gate.open();
  const over = () => after.server.api<{ status: string }>('GET', `/v1/agents/${lives.id}`);
  await waitUntil(async () => (await over()).body.status !== 'running', 'the living one is over');
  expect(ofLiving.count()).toBe(1);

  after.heal('RunQueued');
  for (const { name, status } of await after.consumers()) {
    if (status === 'stopped') expect((await after.reveille('retry', name)).exitCode).toBe(0);
  }
  expect((await untilDecided(after.server, waiting.wakeup.id)).status).toBe('completed');
  expect((await untilDecided(after.server, living.wakeup.id)).status).toBe('completed');
  await head(after.server);
  expect([ofLiving.count(), ofWaiting.count()]).toEqual([1, 1]);
  expect((await ready(after)).status).toBe(200);
}, 60_000);
