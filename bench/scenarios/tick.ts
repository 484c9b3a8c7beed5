import { assertSame, quantile } from '../figure';
import { History } from '../history';
import { Api } from '../load/api';
import type { Scenario } from '../scenario';

const TIMERS = 100_000;
const DUE = 1_000;
const TICKS = 50;
const HOUR_MS = 3_600_000;

/** What a tick costs where nothing is due, and where 1 % of many timers are. */
export const tick: Scenario = {
  name: 'tick',
  about: 'ticks over 100,000 timers',
  async run({ quick, newFolder, startServer }) {
    const timers = quick ? TIMERS / 10 : TIMERS;
    const dataDir = newFolder();
    const now = Date.now();
    const [soon, late] = [new Date(now + 24 * HOUR_MS), new Date(now + 48 * HOUR_MS)];
    const history = await History.begin(dataDir);
    await history.timers(timers, 3_600 * 72, (index) => (index < DUE ? soon : late).toISOString());
    await history.end();

    const server = await startServer({ dataDir, maxRuns: 1, flags: ['--test-clock', 'true'] });
    const api = await Api.open(server);
    const ticked = (body: object) => api.post<{ checked: number; enqueued: number }>('/v1/admin/tick', body);
    await api.get('/health/ready');
    await retried(() => ticked({}));
    const idleMs: number[] = [];
    for (let index = 0; index < TICKS; index++) {
      const before = performance.now();
      assertSame('due timers', (await ticked({})).checked, 0);
      idleMs.push(performance.now() - before);
    }
    const before = performance.now();
    const { checked, enqueued } = await ticked({ now: new Date(soon.getTime() + 1_000).toISOString() });
    const dueMs = performance.now() - before;
    assertSame('due timers', checked, DUE);
    assertSame('enqueued wakeups', enqueued, DUE);
    api.close();
    const check = `${checked} of ${timers} timers due, ${enqueued} wakeups enqueued; 0 before that`;
    return {
      figures: [
        {
          name: `tick with ${timers} timers, none due, p50`,
          value: quantile(idleMs, 0.5),
          unit: 'ms',
          check,
        },
        { name: `tick with ${DUE} due`, value: dueMs, unit: 'ms', check },
      ],
      baselines: [],
    };
  },
};

/** The schedule saga has a first look at all agents when a server meets their log, which takes its time. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!/: 503 /.test((error as Error).message)) throw error;
    }
  }
}
