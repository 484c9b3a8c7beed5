import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseRate } from '../baselines';
import { assertSame } from '../figure';
import { History } from '../history';
import { Api } from '../load/api';
import { eventsOf } from '../log';
import type { Scenario } from '../scenario';
import { untilCaughtUp } from '../until-caught-up';
import { decode } from '../../src/kernel/event';

const EVENTS = 200_000;
const AGENTS = 1_000;

/** The read models are thrown away; a server that starts builds all of them from the whole log. */
export const replay: Scenario = {
  name: 'replay',
  about: 'a log read from its beginning: followed, and folded into all read models',
  async run({ quick, newFolder, startServer }) {
    const dataDir = newFolder();
    const history = await History.begin(dataDir);
    await history.lifecycles(quick ? EVENTS / 10 : EVENTS, AGENTS);
    await history.end();

    // Sagas are never rebuilt, so they have their first look at the log before the clock starts.
    const first = await startServer({ dataDir });
    await untilCaughtUp(first);
    const before = await runsOf(first, history.companyId);
    await first.stop();
    for (const name of ['documents.db', 'documents.db-wal', 'documents.db-shm']) {
      rmSync(join(dataDir, 'stores', name), { force: true });
    }
    const startedAt = performance.now();
    const server = await startServer({ dataDir });
    await untilCaughtUp(server);
    const rebuildMs = performance.now() - startedAt;
    assertSame('newest runs after the rebuild', await runsOf(server, history.companyId), before);
    const { peakRssMb } = server.memory();
    const cpuMs = server.cpuMs();
    await server.stop();

    const follow = await followed(dataDir);
    if (follow.count < history.eventCount)
      throw new Error(`${follow.count} of ${history.eventCount} events followed`);
    const check = `${follow.count} events; the newest runs read the same as before`;
    const rate = (ms: number) => (follow.count / ms) * 1000;
    return {
      figures: [
        {
          name: 'rebuild of all read models, start included',
          value: rate(rebuildMs),
          unit: 'events/s',
          check,
        },
        {
          name: 'processor time of the server, 1,000 events',
          value: (cpuMs / follow.count) * 1000,
          unit: 'ms',
          check: 'of /proc/PID/stat',
        },
        { name: 'peak memory meanwhile', value: peakRssMb, unit: 'MiB', check: 'VmHWM' },
        {
          name: 'the whole log followed and decoded',
          value: rate(follow.ms),
          unit: 'events/s',
          target: { atLeast: 30_000 },
          check: `${follow.count} events, every position above the one before`,
        },
      ],
      baselines: parseRate(follow.sample),
    };
  },
};

async function runsOf(server: { url: string; token: string }, companyId: string): Promise<string> {
  const api = await Api.open(server);
  const page = await api.get(`/v1/companies/${companyId}/runs?limit=200`);
  api.close();
  return JSON.stringify(page);
}

async function followed(dataDir: string) {
  let count = 0;
  let last = 0n;
  let sample = { data: '{}', metadata: '{}' };
  const startedAt = performance.now();
  for await (const stored of eventsOf(dataDir)) {
    if (stored.position <= last) throw new Error(`position ${stored.position} after ${last}`);
    last = stored.position;
    decode(stored);
    if (++count === 100) sample = { data: stored.data as string, metadata: JSON.stringify(stored.metadata) };
  }
  return { count, sample, ms: performance.now() - startedAt };
}
