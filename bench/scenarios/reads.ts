import { performance } from 'node:perf_hooks';
import { assertSame, quantile } from '../figure';
import { History } from '../history';
import { Api } from '../load/api';
import type { Scenario } from '../scenario';
import { untilCaughtUp } from '../until-caught-up';

const EVENTS = 200_000;
const AGENTS = 1_000;
const DAYS = 90;
const TIMES = 7;
const DAY_MS = 24 * 3_600_000;

/** What is read of a company that has been at work for months: how long it takes should not depend on that. */
export const reads: Scenario = {
  name: 'reads',
  about: 'lists and costs of a thousand agents after three months',
  async run({ quick, newFolder, startServer }) {
    const dataDir = newFolder();
    const history = await History.begin(dataDir);
    const [agentId] = await history.months(quick ? EVENTS / 10 : EVENTS, AGENTS, DAYS);
    await history.end();

    const server = await startServer({ dataDir });
    await untilCaughtUp(server);
    const api = await Api.open(server);
    const company = `/v1/companies/${history.companyId}`;
    const { totalMicros } = await api.get<{ totalMicros: number }>(`${company}/costs`);
    assertSame('the sum of all costs', totalMicros, history.spentMicros);
    const month = `from=${new Date(Date.now() - 30 * DAY_MS).toISOString()}`;
    const paths = {
      'costs by day': `${company}/costs`,
      'costs by agent': `${company}/costs?groupBy=agent`,
      'costs by model, 30 days to the minute': `${company}/costs?groupBy=model&${month}`,
      'a page of runs': `${company}/runs?limit=50`,
      'a page of runs of an agent': `${company}/runs?limit=50&agentId=${agentId}`,
      'a page of wakeups': `/v1/agents/${agentId}/wakeups?limit=50`,
      'a page of agents': `${company}/agents?limit=50`,
    };
    const check = `${history.eventCount} events of ${AGENTS} agents over ${DAYS} days; costs are those of the log`;
    const figures = [];
    for (const [name, path] of Object.entries(paths)) {
      const times: number[] = [];
      for (let index = 0; index < TIMES; index++) {
        const before = performance.now();
        await api.get(path);
        times.push(performance.now() - before);
      }
      figures.push({ name: `${name}, p50`, value: quantile(times, 0.5), unit: 'ms', check });
    }
    api.close();
    return { figures, baselines: [] };
  },
};
