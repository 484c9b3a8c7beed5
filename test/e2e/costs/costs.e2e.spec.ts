import type { Costs, RunAnswer } from './ledger-bench';
import { LedgerBench, says } from './ledger-bench';
import { waitUntil } from '../../support/server';

const SONNET = { provider: 'anthropic', model: 'claude-sonnet-4-5' };

interface Totals {
  totalInputTokens: number;
  totalOutputTokens: number;
  totalCachedInputTokens: number;
  totalCostMicros: number;
}

let bench: LedgerBench;

beforeEach(async () => void (bench = await LedgerBench.open({ maxRuns: 8 })));
afterEach(async () => {
  await bench.server.close();
  expect(bench.server.errors).toEqual([]);
});

const spentBy = async (agentId: string) =>
  (await bench.get<{ spentMonthMicros: number }>(`/v1/agents/${agentId}`)).spentMonthMicros;
const totalsOf = (agentId: string, query = '') =>
  bench.get<Totals>(`/v1/agents/${agentId}/runtime-state${query}`);

/** Everything that shows money says the same, once the read models have seen the run's end. */
async function expectAgreement(agentId: string, micros: number) {
  await waitUntil(async () => (await bench.costs()).totalMicros === micros, `the ledger says ${micros}`);
  for (const groupBy of ['agent', 'model', 'provider', 'source', 'day', 'month', 'run']) {
    const { items, totalMicros } = await bench.costs(`groupBy=${groupBy}`);
    expect(totalMicros).toBe(micros);
    expect(items.reduce((sum, { costMicros }) => sum + costMicros, 0)).toBe(micros);
  }
  await waitUntil(async () => (await spentBy(agentId)) === micros, `the agent has spent ${micros}`);
  await waitUntil(
    async () => (await totalsOf(agentId)).totalCostMicros === micros,
    `the runtime state says ${micros}`,
  );
}

test('a hundred runs of $0.0004 cost $0.04', async () => {
  const usage = { inputTokens: 3, outputTokens: 2, cachedInputTokens: 1 };
  const agentId = await bench.agent(says.result({ costUsd: 0.0004, usage }), {
    maxConcurrentRuns: 8,
    whenBusy: 'enqueue',
  });
  const runs = await Promise.all(Array.from({ length: 100 }, () => bench.wake(agentId)));
  for (const runId of runs) await bench.finished(runId);
  await expectAgreement(agentId, 40_000);
  expect((await bench.costs('groupBy=agent')).items).toEqual([
    {
      key: agentId,
      costMicros: 40_000,
      ...{ inputTokens: 300, outputTokens: 200, cachedInputTokens: 100, runs: 100, unpricedRuns: 0 },
    },
  ]);
});

test('usage is booked while the run goes on, and settled by the result', async () => {
  const gate = bench.gate();
  const agentId = await bench.agent(
    [
      says.usage({ inputTokens: 10, outputTokens: 1, costUsd: 0.001, model: 'm', provider: 'p' }),
      gate.wait,
      says.usage({ inputTokens: 5, outputTokens: 1, costUsd: 0.0005, model: 'm', provider: 'p' }),
      says.result({ usage: { inputTokens: 20, outputTokens: 2, cachedInputTokens: 7 }, costUsd: 0.002 }),
    ].join('\n'),
  );
  const runId = await bench.wake(agentId, { taskKey: 'task', source: 'assignment' });
  await expectAgreement(agentId, 1_000);
  expect(await bench.costsOfRun(runId)).toMatchObject({ inputTokens: 10, outputTokens: 1, runs: 1 });
  expect(await bench.get<RunAnswer>(`/v1/runs/${runId}`)).toMatchObject({
    status: 'running',
    usage: { inputTokens: 10, outputTokens: 1, cachedInputTokens: 0 },
    costMicros: 1_000,
  });

  gate.open();
  const usage = { inputTokens: 20, outputTokens: 2, cachedInputTokens: 7 };
  expect(await bench.finished(runId)).toMatchObject({ status: 'succeeded', usage, costMicros: 2_000 });
  await expectAgreement(agentId, 2_000);
  expect((await bench.costs('groupBy=model')).items).toEqual([
    { key: 'm', costMicros: 2_000, ...usage, runs: 1, unpricedRuns: 0 },
  ]);
  expect((await bench.costs('groupBy=source')).items).toMatchObject([{ key: 'assignment' }]);
  const totals = { totalInputTokens: 20, totalOutputTokens: 2, totalCachedInputTokens: 7 };
  expect(await totalsOf(agentId)).toMatchObject({ ...totals, totalCostMicros: 2_000 });
  expect(await totalsOf(agentId, '?taskKey=task')).toMatchObject({ ...totals, totalCostMicros: 2_000 });
});

test('a result below what was booked takes the ledger down to it', async () => {
  const agentId = await bench.agent(
    [
      says.usage({ inputTokens: 10, costUsd: 0.003 }),
      says.result({ usage: { inputTokens: 4 }, costUsd: 0.001 }),
    ].join('\n'),
  );
  const run = await bench.run(agentId);
  expect(run).toMatchObject({ usage: { inputTokens: 4 }, costMicros: 1_000 });
  await expectAgreement(agentId, 1_000);
  expect(await bench.costsOfRun(run.id)).toMatchObject({ inputTokens: 4 });
});

test('a cancelled run keeps what was booked', async () => {
  const gate = bench.gate();
  const booking = says.usage({ inputTokens: 10, costUsd: 0.003 });
  const agentId = await bench.agent(`${booking}\n${gate.wait}`, { graceSec: 1 });
  const runId = await bench.wake(agentId);
  await expectAgreement(agentId, 3_000);
  await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
  const run = await bench.finished(runId);
  expect(run).toMatchObject({ status: 'cancelled', usage: { inputTokens: 10 }, costMicros: 3_000 });
  await expectAgreement(agentId, 3_000);
});

test('a run that was cancelled before it was started costs nothing, and is nowhere in the ledger', async () => {
  const gate = bench.gate();
  const agentId = await bench.agent(`${gate.wait}\n${says.result({ costUsd: 0.001 })}`, {
    whenBusy: 'enqueue',
  });
  const first = await bench.wake(agentId);
  const second = await bench.wake(agentId);
  await bench.server.api('POST', `/v1/runs/${second}/cancel`);
  gate.open();
  await bench.finished(first);
  await expectAgreement(agentId, 1_000);
  expect((await bench.costs('groupBy=run')).items).toMatchObject([{ key: first }]);
});

test('what nobody said is priced by the table where it has a price, and shown as unpriced where not', async () => {
  const usage = { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 10 };
  const priced = await bench.agent(says.result({ usage, ...SONNET }));
  const unpriced = await bench.agent(says.result({ usage, model: 'of nobody' }));
  const silent = await bench.agent('true');
  const pricedRun = await bench.run(priced);
  // 1,000 × $3 + 100 × $15 + 10 × $0.30, per million.
  expect(pricedRun).toMatchObject({ usage, costMicros: 4_503 });
  expect(await bench.run(unpriced)).toMatchObject({ usage, costMicros: null });
  expect(await bench.run(silent)).toMatchObject({ usage: null, costMicros: null });
  await waitUntil(async () => (await bench.costs('groupBy=run')).items.length === 3, 'all are booked');
  const nothing = { costMicros: 0, inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };
  expect(await bench.costs('groupBy=model')).toEqual({
    items: [
      { key: SONNET.model, costMicros: 4_503, ...usage, runs: 1, unpricedRuns: 0 },
      { key: 'of nobody', costMicros: 0, ...usage, runs: 1, unpricedRuns: 1 },
      { key: 'unknown', ...nothing, runs: 1, unpricedRuns: 1 },
    ],
    totalMicros: 4_503,
  });
});

test('tokens that were booked without a price count as priced once the result says the cost', async () => {
  const gate = bench.gate();
  const agentId = await bench.agent(
    [says.usage({ inputTokens: 10 }), gate.wait, says.result({ costUsd: 0.001 })].join('\n'),
  );
  const runId = await bench.wake(agentId);
  await waitUntil(async () => (await bench.costsOfRun(runId))?.unpricedRuns === 1, 'it is booked');
  gate.open();
  await bench.finished(runId);
  await expectAgreement(agentId, 1_000);
  expect(await bench.costsOfRun(runId)).toMatchObject({ inputTokens: 10, runs: 1, unpricedRuns: 0 });
});

test('costs are those that the log alone gives, while runs go on and after them', async () => {
  const gate = bench.gate();
  const booking = says.usage({ inputTokens: 10, costUsd: 0.003, ...SONNET });
  const waiting = await bench.agent(
    [booking, says.usage({ inputTokens: 7, model: 'of nobody' }), gate.wait, booking].join('\n'),
  );
  const settled = await bench.agent(`${booking}\n${says.result({ costUsd: 0.004, model: 'other' })}`);
  const silent = await bench.agent('true');
  const runId = await bench.wake(waiting);
  await bench.run(settled);
  await bench.run(silent);
  const expectSame = async () => {
    const at = new Date().toISOString();
    for (const groupBy of ['agent', 'model', 'provider', 'source', 'day', 'month', 'run']) {
      const path = `/v1/audit/as-of?companyId=${bench.companyId}&groupBy=${groupBy}&at=${at}`;
      expect(await bench.costs(`groupBy=${groupBy}`)).toEqual(
        (await bench.get<{ spend: Costs }>(path)).spend,
      );
    }
  };
  await waitUntil(async () => (await bench.costsOfRun(runId))?.inputTokens === 17, 'it is booked');
  await expectSame();
  gate.open();
  await bench.finished(runId);
  await expectSame();
});

test('a period begins with its first moment and ends before its last', async () => {
  const run = await bench.run(await bench.agent(says.result({ costUsd: 0.001 })));
  const { finishedAt } = await bench.get<{ finishedAt: string }>(`/v1/runs/${run.id}`);
  await waitUntil(async () => (await bench.costs()).totalMicros === 1_000, 'it is booked');
  const day = finishedAt.slice(0, 10);
  const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
  const later = new Date(Date.parse(finishedAt) + 1).toISOString();
  const total = async (query: string) => (await bench.costs(query)).totalMicros;
  expect(await total(`from=${day}&to=${next}`)).toBe(1_000);
  expect(await total(`from=${finishedAt}&to=${later}`)).toBe(1_000);
  expect(await total(`to=${finishedAt}`)).toBe(0);
  expect(await total(`from=${later}`)).toBe(0);
  expect(await total(`from=${next}`)).toBe(0);
  expect(await total(`from=${day}&to=${day}`)).toBe(0);
});

test('questions that make no sense are refused, and other companies have a ledger of their own', async () => {
  const path = `/v1/companies/${bench.companyId}/costs`;
  const field = async (query: string) => {
    const { status, body } = await bench.server.api<{ details: { field: string } }>(
      'GET',
      `${path}?${query}`,
    );
    return { status, field: body.details.field };
  };
  expect(await field('groupBy=colour')).toEqual({ status: 400, field: 'groupBy' });
  expect(await field('from=yesterday')).toEqual({ status: 400, field: 'from' });
  expect(await field('from=2025-11-02&to=2025-11-01')).toEqual({ status: 400, field: 'to' });
  expect(await field('form=2025-11-02')).toEqual({ status: 400, field: 'form' });
  const unknown = '/v1/companies/01890000-0000-7000-8000-000000000000/costs';
  expect((await bench.server.api('GET', unknown)).status).toBe(404);

  const agentId = await bench.agent(says.result({ costUsd: 0.001 }));
  await bench.run(agentId);
  await expectAgreement(agentId, 1_000);
  const other = await bench.server.api<{ id: string }>('POST', '/v1/companies', { name: 'Other' });
  const position = other.headers['reveille-position'] as string;
  expect(await bench.get(`/v1/companies/${other.body.id}/costs?waitFor=${position}`)).toEqual({
    items: [],
    totalMicros: 0,
  });
});
