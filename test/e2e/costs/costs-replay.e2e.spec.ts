import { join } from 'node:path';
import { agentsProjection } from '../../../src/agents/projections/agents.projection';
import {
  runtimeStatesProjection,
  taskStateId,
  taskStatesProjection,
} from '../../../src/agents/projections/runtime-states.projection';
import { costEntriesProjection } from '../../../src/costs/projections/cost-entries.projection';
import { EmbeddedDocumentStore } from '../../../src/documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import { projections } from '../../../src/node';
import { Processing } from '../../../src/processing/processing';
import { ReadModels } from '../../../src/processing/read-models';
import { runsProjection } from '../../../src/runs/projections/runs.projection';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { LedgerBench, says } from './ledger-bench';

const BOOKING = says.usage({ inputTokens: 10, outputTokens: 3, costUsd: 0.001, model: 'm' });

/** The wrapper and everything that it has started. */
async function killRun(bench: LedgerBench, runId: string): Promise<void> {
  interface Line {
    eventType: string;
    payload: { pid: number };
  }
  const { items } = await bench.get<{ items: Line[] }>(`/v1/runs/${runId}/events`);
  const { pid } = items.find(({ eventType }) => eventType === 'process')!.payload;
  process.kill(-pid, 'SIGKILL');
}

test('usage is booked once, however often the server is restarted, and settled by whoever is there then', async () => {
  const dataDir = temporaryFolder();
  let bench = await LedgerBench.open({ dataDir });
  const gates = [bench.gate(), bench.gate()];
  const agentId = await bench.agent(
    [
      ...gates.flatMap(({ wait }) => [BOOKING, wait]),
      says.result({ usage: { inputTokens: 25 }, costUsd: 0.0025 }),
    ].join('\n'),
  );
  const runId = await bench.wake(agentId);
  for (const [restarts, gate] of gates.entries()) {
    const micros = 1_000 * (restarts + 1);
    await waitUntil(async () => (await bench.costs()).totalMicros === micros, `${micros} are booked`);
    await bench.server.close();
    gate.open();
    bench = bench.movedTo(await startTestServer({ dataDir }));
  }
  expect(await bench.finished(runId)).toMatchObject({ usage: { inputTokens: 25 }, costMicros: 2_500 });
  await waitUntil(async () => (await bench.costs()).totalMicros === 2_500, 'it is settled');
  expect(bench.server.errors).toEqual([]);
  await bench.server.close();
});

test('a run that is lost keeps what was booked', async () => {
  const bench = await LedgerBench.open();
  const gate = bench.gate();
  const agentId = await bench.agent(`${BOOKING}\n${gate.wait}`);
  const runId = await bench.wake(agentId);
  await waitUntil(async () => (await bench.costs()).totalMicros === 1_000, 'it is booked');
  await killRun(bench, runId);
  const run = await bench.finished(runId);
  expect(run).toMatchObject({ status: 'failed', usage: { inputTokens: 10 }, costMicros: 1_000 });
  expect((await bench.costs()).totalMicros).toBe(1_000);
  await bench.server.close();
});

test('read models that are built anew from the log are those that grew with it', async () => {
  const dataDir = temporaryFolder();
  const bench = await LedgerBench.open({ dataDir });
  const gate = bench.gate();
  const settled = await bench.agent(`${BOOKING}\n${BOOKING}\n${says.result({ costUsd: 0.0015 })}`);
  const cancelled = await bench.agent(`${BOOKING}\n${gate.wait}`, { graceSec: 1 });
  const silent = await bench.agent('exit 3');
  await bench.run(settled, { taskKey: 'task' });
  await bench.run(silent);
  const open = await bench.wake(cancelled);
  await waitUntil(async () => (await bench.costs()).totalMicros === 2_500, 'all is booked');
  await bench.server.api('POST', `/v1/runs/${open}/cancel`);
  await bench.finished(open);
  await bench.server.close();

  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const grown = await EmbeddedDocumentStore.open(join(dataDir, 'stores'));
  const rebuilt = await EmbeddedDocumentStore.open(temporaryFolder());
  const read = async (documents: EmbeddedDocumentStore) => {
    const processing = new Processing(log, documents, { error: fail, warn: fail });
    await processing.start(projections, []);
    await processing.waitForHead(projections.map(({ name }) => name));
    const models = new ReadModels(documents, processing.generations);
    const { companyId } = bench;
    const page = { where: { companyId }, direction: 'asc', limit: 100 } as const;
    const answer = {
      entries: await models.query(costEntriesProjection, { ...page, orderBy: 'at' }),
      runs: await models.query(runsProjection, { ...page, orderBy: 'queuedPosition' }),
      agents: await models.query(agentsProjection, { ...page, orderBy: 'registeredPosition' }),
      states: [...(await models.getMany(runtimeStatesProjection, [settled, cancelled, silent])).entries()],
      task: await models.get(taskStatesProjection, taskStateId(settled, 'task')),
    };
    await processing.stop();
    return answer;
  };
  const before = await read(grown);
  expect(before.entries.items).toHaveLength(5);
  expect(before.task).toMatchObject({ totalCostMicros: 1_500, totalInputTokens: 20 });
  expect(await read(rebuilt)).toEqual(before);
  await Promise.all([grown.close(), rebuilt.close()]);
  await log.close();
});

function fail(details: object, message: string): void {
  throw new Error(`${message}: ${JSON.stringify(details)}`);
}
