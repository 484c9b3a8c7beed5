import type { Figure } from '../figure';
import { assertSame, quantile } from '../figure';
import { durableAppends, spawnRate } from '../baselines';
import type { AgentOptions } from '../load/api';
import { Api } from '../load/api';
import { closedLoop } from '../load/closed-loop';
import { eventsOf } from '../log';
import type { BenchContext, Scenario } from '../scenario';

const AGENTS = 100;
const CLIENTS = 16;

/** From the POST to the run's recorded end. */
export const processLifecycles: Scenario = {
  name: 'process',
  about: 'whole lifecycles of `process true`: wakeup, run, process, end',
  async run(context) {
    const agent: AgentOptions = { adapterConfig: { command: 'true' }, heartbeat: { whenBusy: 'enqueue' } };
    const { figures, dataDir } = await lifecycles(context, {
      agent,
      noop: false,
      count: 3_000,
      atLeast: 100,
      maxRuns: 8,
    });
    return { figures, baselines: [...durableAppends(dataDir), ...(await spawnRate(8))] };
  },
};

export const noopLifecycles: Scenario = {
  name: 'noop',
  about: 'whole lifecycles of an adapter that executes nothing: what the service itself costs',
  async run(context) {
    const agent: AgentOptions = {
      adapterType: 'noop',
      adapterConfig: {},
      heartbeat: { whenBusy: 'enqueue' },
    };
    const { figures, dataDir } = await lifecycles(context, {
      agent,
      noop: true,
      count: 10_000,
      atLeast: 600,
      maxRuns: 32,
    });
    return { figures, baselines: durableAppends(dataDir) };
  },
};

interface Lifecycles {
  agent: AgentOptions;
  noop: boolean;
  count: number;
  atLeast: number;
  maxRuns: number;
}

async function lifecycles(
  { quick, newFolder, startServer }: BenchContext,
  { agent, noop, count: full, atLeast, maxRuns }: Lifecycles,
): Promise<{ figures: Figure[]; dataDir: string }> {
  const count = quick ? full / 10 : full;
  const dataDir = newFolder();
  const server = await startServer({ dataDir, maxRuns, noop });
  const api = await Api.open(server);
  const companyId = await api.company();
  const agents = await api.agents(companyId, AGENTS, agent);
  const cpuBefore = server.cpuMs();
  const startedAt = Date.now();
  await closedLoop(
    server,
    { clients: CLIENTS, requests: count },
    (connection, index) => connection.post(`/v1/agents/${agents[index % AGENTS]}/wakeups`, '{}'),
    ({ status, body }) => {
      if (status !== 202) throw new Error(`a wakeup was answered with ${status}: ${body}`);
    },
  );
  await untilIdle(api);
  const cpuMs = server.cpuMs() - cpuBefore;
  api.close();
  await server.stop();

  const story = await storyOf(dataDir);
  assertSame('runs that succeeded', story.succeeded, count);
  const perSecond = (count / (story.lastEndMs - startedAt)) * 1000;
  const check = `${story.succeeded} runs succeeded on the log, ${story.lines} run events`;
  return {
    dataDir,
    figures: [
      { name: 'lifecycles', value: perSecond, unit: '/s', target: { atLeast }, check },
      {
        name: 'processor time of the server, a lifecycle',
        value: cpuMs / count,
        unit: 'ms',
        check: 'of /proc/PID/stat',
      },
      {
        name: 'events, a lifecycle',
        value: story.events / count,
        unit: 'events',
        check: 'counted on the log',
      },
      { name: 'start to end p50, all queued at once', value: quantile(story.runMs, 0.5), unit: 'ms', check },
    ],
  };
}

/** Nothing runs and nothing waits; by then the ends are on the log. */
async function untilIdle(api: Api): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    const { runs } = await api.get<{ runs: { active: number; waiting: number } }>('/health/ready');
    quiet = runs.active === 0 && runs.waiting === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function storyOf(dataDir: string) {
  const started = new Map<string, number>();
  const runMs: number[] = [];
  let [succeeded, lines, events, lastEndMs] = [0, 0, 0, 0];
  for await (const { type, data, stream, metadata } of eventsOf(dataDir)) {
    events += 1;
    if (stream.startsWith('run-')) lines += 1;
    if (type !== 'RunStarted' && type !== 'RunFinished') continue;
    const { runId, status } = JSON.parse(data as string) as { runId: string; status?: string };
    const atMs = Date.parse(metadata.at);
    if (type === 'RunStarted') started.set(runId, atMs);
    else {
      if (status === 'succeeded') succeeded += 1;
      runMs.push(atMs - started.get(runId)!);
      lastEndMs = Math.max(lastEndMs, atMs);
    }
  }
  return { succeeded, lines, events, lastEndMs, runMs };
}
