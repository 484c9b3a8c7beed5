import type { ConsumerAnswer, JobAnswer } from '../../../src/client';
import { agentsProjection } from '../../../src/agents/projections/agents.projection';
import { projections } from '../../../src/node';
import { collectionName } from '../../../src/processing/projection';
import { runsProjection } from '../../../src/runs/projections/runs.projection';
import { wakeupsProjection } from '../../../src/wakeups/projections/wakeups.projection';
import { BUILD_TIMEOUT_MS, ensureBuilt } from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { finalReceipts, storm } from '../decisions/storm';
import type { Page, Run, Wakeup } from '../http/client';
import {
  expectProblem,
  expectStatus,
  get,
  getRun,
  getWakeup,
  head,
  openCompany,
  runOnce,
  scriptedAgent,
  UNKNOWN_ID,
} from '../http/client';
import { ProjectionBench } from './projection-bench';

let bench: ProjectionBench;
let wakeups: Wakeup[];

beforeAll(async () => {
  await ensureBuilt();
  bench = await ProjectionBench.open();
  const accepted = await storm(bench.server, { agents: 12, requests: 5, connections: 6, patienceMs: 30_000 });
  wakeups = await finalReceipts(bench.server, new Set(accepted.map(({ agentId }) => agentId)), 30_000);
  await head(bench.server);
}, BUILD_TIMEOUT_MS);

afterAll(() => bench.server.close());

const names = projections.map(({ name }) => name);

interface Compared {
  equal: boolean;
  items: JobAnswer[];
}

/** As the command line does, but in one go. */
async function areAllEqual(): Promise<boolean> {
  const started = await Promise.all(names.map((name) => bench.start('compare', name)));
  const jobs = await Promise.all(started.map((job) => bench.over(job)));
  return jobs.every(({ result }) => result?.equal);
}

async function compareAll(): Promise<Compared & { exitCode: number | null }> {
  const { exitCode, stdout, stderr } = await bench.reveille('compare', '--all', '--json');
  expect(stderr).toBe('');
  return { exitCode, ...(JSON.parse(stdout) as Compared) };
}

function settledRunId(): string {
  return wakeups.find(({ status }) => status === 'completed')!.runId!;
}

describe('after a mixed load', () => {
  test('everything is listed, with how far it has come', async () => {
    const position = await head(bench.server);
    const answer = await get<{ head: string; items: ConsumerAnswer[] }>(
      bench.server,
      '/v1/admin/projections',
    );
    expect(answer.head).toBe(position);
    expect(answer.items.filter(({ kind }) => kind === 'projection').map(({ name }) => name)).toEqual(names);
    expect(answer.items.filter(({ kind }) => kind === 'saga').length).toBeGreaterThan(0);
    for (const consumer of answer.items) {
      const well = { status: 'running', position, lag: '0', stoppedBy: null, stoppedAt: null, job: null };
      expect(consumer).toMatchObject(well);
    }
    const { stdout } = await bench.reveille();
    expect(stdout).toMatch(/^NAME +KIND +STATUS +POSITION +LAG +JOB +REASON\n/);
    expect(stdout).toMatch(new RegExp(`^runs +projection +running +${position} +0 +-$`, 'm'));
    expect(JSON.parse((await bench.reveille('list', '--json')).stdout)).toEqual(answer);
  });

  test('every projection is what the log makes of it', async () => {
    const position = await head(bench.server);
    const { exitCode, equal, items } = await compareAll();
    expect({ exitCode, equal }).toEqual({ exitCode: 0, equal: true });
    expect(items.map(({ projection }) => projection)).toEqual(names);
    for (const { result, status } of items) {
      expect(status).toBe('succeeded');
      expect(result).toMatchObject({ position, equal: true, differing: 0, differences: [] });
      expect(result!.documents.live).toBe(result!.documents.rebuilt);
      expect(result!.checksums.live).toBe(result!.checksums.rebuilt);
    }
    const runs = items.find(({ projection }) => projection === 'runs')!;
    expect(runs.result!.documents.live).toBeGreaterThan(20);
  });

  test('a rebuild changes nothing that anybody reads, and loses no page', async () => {
    const { companyId } = wakeups[0]!;
    const path = `/v1/companies/${companyId}/runs?limit=5`;
    const first = await get<Page<Run>>(bench.server, path);
    const next = `${path}&cursor=${encodeURIComponent(first.nextCursor!)}`;
    const second = await get<Page<Run>>(bench.server, next);

    const { exitCode, stdout } = await bench.reveille('rebuild', 'runs');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^runs: rebuilt up to position \d+ \(\d+ events in .+, \d+ events\/s\)\n$/);

    expect(await get(bench.server, path)).toEqual(first);
    expect(await get(bench.server, next)).toEqual(second);
    await expect(bench.documents.get(collectionName(runsProjection), first.items[0]!.id)).rejects.toThrow();
    expect(await areAllEqual()).toBe(true);
  });

  test('reads and writes go on while all is rebuilt, and see what they wait for', async () => {
    const agent = await scriptedAgent(bench.server, 'true');
    const rebuilding = bench.reveille('rebuild', '--all', '--json');
    let rebuilt = false;
    void rebuilding.then(() => (rebuilt = true));
    while (!rebuilt) {
      const woken = await bench.server.api<{ wakeup: Wakeup; position: string }>(
        'POST',
        `/v1/agents/${agent.id}/wakeups`,
      );
      const { wakeup, position } = expectStatus(woken, 202);
      const seen = await get<Wakeup>(bench.server, `/v1/wakeups/${wakeup.id}?waitFor=${position}`);
      expect(seen.id).toBe(wakeup.id);
    }
    const { exitCode, stdout } = await rebuilding;
    expect(exitCode).toBe(0);
    const { items } = JSON.parse(stdout) as { items: JobAnswer[] };
    expect(items.map(({ projection, status }) => [projection, status])).toEqual(
      names.map((name) => [name, 'succeeded']),
    );
    await head(bench.server);
    expect(await areAllEqual()).toBe(true);
  });
});

describe('documents that were changed by hand', () => {
  /** The collection that is read, after however many rebuilds. */
  const live = async (first: string) => {
    const pointer = await bench.documents.get<{ live: number }>('projection_generations', first);
    return pointer?.live ? `${first}_g${pointer.live}` : first;
  };

  test('are named, with their fields, and mended by a rebuild', async () => {
    const [runs, receipts] = [
      await live(collectionName(runsProjection)),
      await live(collectionName(wakeupsProjection)),
    ];
    const runId = settledRunId();
    const run = await getRun(bench.server, runId);
    const lost = wakeups.at(-1)!;
    await bench.tamper(runs, runId, (document) => ({ ...document, status: 'failed', usage: { x: 1 } }));
    await bench.tamper(receipts, lost.id, () => null);
    await bench.tamper(receipts, 'invented', () => ({ id: 'invented' }));

    const { exitCode, equal, items } = await compareAll();
    expect({ exitCode, equal }).toEqual({ exitCode: 1, equal: false });
    const unequal = items.filter(({ result }) => !result!.equal);
    expect(unequal.map(({ projection }) => projection)).toEqual(['wakeups', 'runs']);
    const [ofWakeups, ofRuns] = unequal.map(({ result }) => result!);
    expect(ofRuns).toMatchObject({ differing: 1, differences: [{ id: runId, kind: 'changed' }] });
    expect([...ofRuns!.differences[0]!.fields].sort()).toEqual(['status', 'usage']);
    expect(ofWakeups!.differing).toBe(2);
    expect(ofWakeups!.differences).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: lost.id, kind: 'missing', fields: [] }),
        expect.objectContaining({ id: 'invented', kind: 'extra', fields: [] }),
      ]),
    );
    const { exitCode: code, stdout } = await bench.reveille('compare', 'runs');
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`^runs: 1 documents differ .+\n  changed  ${runId}: .*status`));

    expect((await bench.reveille('rebuild', 'runs')).exitCode).toBe(0);
    expect(await bench.perform('rebuild', 'wakeups')).toMatchObject({ status: 'succeeded' });
    expect(await areAllEqual()).toBe(true);
    expect(await getRun(bench.server, runId)).toEqual(run);
    expect((await getWakeup(bench.server, lost.id)).id).toBe(lost.id);
  });

  test('a projection that they have stopped goes on after its rebuild', async () => {
    const agent = await scriptedAgent(bench.server, 'true');
    await runOnce(bench.server, agent.id);
    await head(bench.server);
    await bench.tamper(await live(collectionName(agentsProjection)), agent.id, () => null);
    const { position } = expectStatus(
      await bench.server.api<{ position: string }>('POST', `/v1/agents/${agent.id}/wakeups`),
      202,
    );
    expect(await untilStopped('agents')).toMatchObject({
      status: 'stopped',
      stoppedBy: expect.stringMatching(/^projection agents stopped at RunStarted at position \d+ \(agent-/),
      stoppedAt: { type: 'RunStarted', stream: `agent-${agent.companyId}.${agent.id}` },
    });
    expect(await bench.perform('rebuild', 'agents')).toMatchObject({ status: 'succeeded' });
    await head(bench.server);
    expect(await bench.consumer('agents')).toMatchObject({ status: 'running', stoppedBy: null });
    const read = await get<{ id: string }>(bench.server, `/v1/agents/${agent.id}?waitFor=${position}`);
    expect(read.id).toBe(agent.id);
    expect(await bench.perform('compare', 'agents')).toMatchObject({ result: { equal: true } });
    expect(bench.takeErrors()).toHaveLength(1);
  });
});

function untilStopped(name: string): Promise<ConsumerAnswer> {
  return waitUntil(async () => {
    const consumer = await bench.consumer(name);
    return consumer.status === 'stopped' && consumer;
  }, `${name} has stopped`);
}

describe('an event that a projection cannot take', () => {
  const price = {
    provider: 'p',
    model: 'm',
    validFrom: '2025-01-01T00:00:00.000Z',
    inputMicros: 1,
    outputMicros: 2,
    cachedInputMicros: 3,
  };

  test('stops it alone, is named, and is tried again when asked', async () => {
    const company = await openCompany(bench.server);
    const before = await head(bench.server);
    const heal = bench.poison('PriceTableChanged');
    const path = `/v1/companies/${company.id}/prices`;
    // It has been written, but cannot be read yet.
    expectProblem(await bench.server.api('PUT', path, { prices: [price] }), 503, 'not_caught_up');
    const sick = await untilStopped('price_tables');
    expect(sick).toMatchObject({
      status: 'stopped',
      stoppedAt: { type: 'PriceTableChanged', stream: `company-${company.id}`, revision: 1 },
    });
    expect(sick.position).toBe(before);

    const ready = await bench.server.api<{ status: string; consumers: ConsumerAnswer[] }>(
      'GET',
      '/health/ready',
    );
    expect(ready).toMatchObject({ status: 503, body: { status: 'ill' } });
    expect(ready.body.consumers.filter(({ stoppedBy }) => stoppedBy !== null)).toMatchObject([
      { name: 'price_tables', stoppedAt: sick.stoppedAt },
    ]);
    const { stdout } = await bench.reveille();
    expect(stdout).toMatch(
      /^price_tables +projection +stopped +\d+ +\d+ +- +projection price_tables stopped at PriceTableChanged/m,
    );
    const agent = await scriptedAgent(bench.server, 'true');
    expect(await runOnce(bench.server, agent.id)).toMatchObject({ status: 'succeeded' });
    expectProblem(
      await bench.server.api('GET', `${path}?waitFor=${sick.stoppedAt!.position}`),
      503,
      'not_caught_up',
    );

    expect(await bench.perform('compare', 'price_tables')).toMatchObject({
      status: 'succeeded',
      result: { equal: true, position: sick.position },
    });
    const again = await bench.reveille('retry', 'price_tables');
    expect(again.exitCode).toBe(0);
    await untilStopped('price_tables');

    heal();
    const { exitCode } = await bench.reveille('retry', 'price_tables', '--json');
    expect(exitCode).toBe(0);
    const position = await head(bench.server);
    expect(await get(bench.server, `${path}?waitFor=${position}`)).toMatchObject({ prices: [price] });
    expect(await bench.consumer('price_tables')).toMatchObject({ status: 'running', stoppedAt: null });
    expect(bench.takeErrors()).toHaveLength(2);
  });

  test('makes its rebuild fail, which changes nothing', async () => {
    const heal = bench.poison('PriceTableChanged');
    const job = await bench.perform('rebuild', 'price_tables');
    expect(job).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^projection price_tables stopped at PriceTableChanged at position \d+/),
    });
    const told = await bench.reveille('rebuild', 'price_tables');
    expect(told.exitCode).toBe(1);
    expect(told.stdout).toMatch(/^price_tables: the rebuild has failed: projection price_tables stopped at/);
    heal();
    expect(await bench.consumer('price_tables')).toMatchObject({ status: 'running' });
    expect(await bench.perform('compare', 'price_tables')).toMatchObject({ result: { equal: true } });
    expect(bench.takeErrors()).toHaveLength(2);
  });
});

describe('jobs over HTTP', () => {
  const post = (path: string, body?: object) =>
    bench.server.api<JobAnswer>('POST', `/v1/admin/${path}`, body);

  test('one job at a time: the same request is the same job, another one is refused', async () => {
    const gate = bench.holdFollowers();
    const first = await bench.start('rebuild', 'wakeups');
    const again = await bench.start('rebuild', 'wakeups');
    expect(again.id).toBe(first.id);
    expectProblem(await post('projections/wakeups/compare'), 409, 'projection_busy');
    expect(await bench.consumer('wakeups')).toMatchObject({ status: 'running', job: { id: first.id } });
    gate.open();
    const { status, startedAt, finishedAt, eventsPerSec } = await bench.over(first);
    expect(status).toBe('succeeded');
    expect(Date.parse(finishedAt!)).toBeGreaterThan(Date.parse(startedAt!));
    expect(eventsPerSec).toBeGreaterThan(0);
    const later = await bench.start('rebuild', 'wakeups');
    expect(later.id).not.toBe(first.id);
    expect((await bench.over(later)).status).toBe('succeeded');
  });

  test('a job that waits or goes on can be cancelled, one that is over stays as it is', async () => {
    const gate = bench.holdFollowers();
    const [runs, receipts, agents] = [
      await bench.start('rebuild', 'runs'),
      await bench.start('rebuild', 'wakeups'),
      await bench.start('compare', 'agents'),
    ];
    await gate.reached;
    expect(await bench.consumer('runs')).toMatchObject({ job: { status: 'running' } });
    expect(await bench.consumer('wakeups')).toMatchObject({ job: { status: 'queued', startedAt: null } });
    expect((await bench.reveille('cancel', 'runs')).stdout).toBe('runs: the rebuild is being cancelled\n');
    expect((await post(`jobs/${receipts.id}/cancel`)).status).toBe(200);
    gate.open();
    expect(await bench.over(runs)).toMatchObject({ status: 'cancelled', error: null });
    expect(await bench.over(receipts)).toMatchObject({ status: 'cancelled', error: null });
    expect(await bench.over(agents)).toMatchObject({ status: 'succeeded' });
    expect(expectStatus(await post(`jobs/${agents.id}/cancel`), 200).status).toBe('succeeded');
    expect(await areAllEqual()).toBe(true);
  });

  test.each(['rebuild', 'compare', 'retry'])('%s of what there is not', async (action) => {
    const problem = expectProblem(await post(`projections/nothing/${action}`), 404, 'projection_not_found');
    expect(problem.details).toEqual({ name: 'nothing' });
  });

  test('a saga is never rebuilt or compared, and is listed and retried like the others', async () => {
    expectProblem(await post('projections/execution/rebuild'), 404, 'projection_not_found');
    expectProblem(await post('projections/execution/compare'), 404, 'projection_not_found');
    const saga = expectStatus(await post('projections/execution/retry'), 200);
    expect(saga).toMatchObject({ name: 'execution', kind: 'saga', version: null, status: 'running' });
  });

  test('what else is refused', async () => {
    expectProblem(await bench.server.api('GET', `/v1/admin/jobs/${UNKNOWN_ID}`), 404, 'job_not_found');
    expectProblem(await post(`jobs/${UNKNOWN_ID}/cancel`), 404, 'job_not_found');
    expectProblem(await post('projections/runs/rebuild', { all: true }), 400, 'bad_request');
    const stranger = { authorization: undefined };
    for (const [method, path] of [
      ['GET', 'projections'],
      ['POST', 'projections/runs/rebuild'],
      ['GET', `jobs/${UNKNOWN_ID}`],
    ] as const) {
      const answer = await bench.server.api(method, `/v1/admin/${path}`, undefined, stranger);
      expectProblem(answer, 401, 'unauthorized');
    }
    const usage = await bench.reveille('compare');
    expect(usage).toMatchObject({ exitCode: 2, stderr: 'error: name one projection, or say --all\n' });
    expect((await bench.reveille('compare', 'runs', '--all')).exitCode).toBe(2);
    const unknown = await bench.reveille('retry', 'nothing');
    expect(unknown).toMatchObject({
      exitCode: 1,
      stderr: 'error: There is no projection or saga nothing\n',
    });
    expect(await bench.reveille('cancel', 'runs')).toMatchObject({ exitCode: 1 });
  });
});

test('none of this was an error of the server', () => {
  expect(bench.takeErrors()).toEqual([]);
});
