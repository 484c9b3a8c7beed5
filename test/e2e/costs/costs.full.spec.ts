import { waitUntil } from '../../support/server';
import { LedgerBench, says } from './ledger-bench';

const RUNS = 1_000;
const MINUTES = 60_000;

test(
  'a thousand runs of $0.0004 cost $0.40 exactly',
  async () => {
    const bench = await LedgerBench.open({ maxRuns: 8 });
    const agentId = await bench.agent(says.result({ costUsd: 0.0004 }), {
      maxConcurrentRuns: 8,
      whenBusy: 'enqueue',
    });
    for (let n = 0; n < RUNS; n++) await bench.wake(agentId);
    await waitUntil(
      async () => (await bench.costs('groupBy=agent')).items[0]?.runs === RUNS,
      'all runs are in the ledger',
      8 * MINUTES,
    );
    expect(await bench.costs('groupBy=agent')).toMatchObject({
      items: [{ key: agentId, costMicros: 400_000, runs: RUNS, unpricedRuns: 0 }],
      totalMicros: 400_000,
    });
    await waitUntil(async () => {
      const agent = await bench.get<{ spentMonthMicros: number }>(`/v1/agents/${agentId}`);
      const state = await bench.get<{ totalCostMicros: number }>(`/v1/agents/${agentId}/runtime-state`);
      return agent.spentMonthMicros === 400_000 && state.totalCostMicros === 400_000;
    }, 'agent and runtime state agree');
    expect(bench.server.errors).toEqual([]);
    await bench.server.close();
  },
  10 * MINUTES,
);
