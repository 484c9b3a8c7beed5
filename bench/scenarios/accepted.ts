import { quantile } from '../figure';
import type { Figure } from '../figure';
import { bareFastify, durableAppends } from '../baselines';
import { Api } from '../load/api';
import { closedLoop } from '../load/closed-loop';
import { wakeupIdsOnLog } from '../log';
import type { Scenario } from '../scenario';

const AGENTS = 200;
/** An agent takes at most 1,000 open wakeups. */
const REQUESTS = 20_000;
const FEW = 4;
const MANY = 64;

/**
 * Wakeups that are accepted and become queued runs, each on disk before its 202. The node's only slot is taken by a
 * run that sleeps, so that nothing else is executed; read models and sagas do their work meanwhile.
 */
export const accepted: Scenario = {
  name: 'accepted',
  about: 'wakeups accepted by POST /v1/agents/:id/wakeups',
  async run({ quick, newFolder, startServer }) {
    const requests = quick ? REQUESTS / 10 : REQUESTS;
    const dataDir = newFolder();
    const server = await startServer({ dataDir, maxRuns: 1 });
    const api = await Api.open(server);
    const companyId = await api.company();
    const sleeper = { adapterConfig: { command: 'sleep', args: ['600'] } };
    const [blocking] = await api.agents(companyId, 1, sleeper);
    const { run } = await api.post<{ run: { id: string } }>(`/v1/agents/${blocking}/wakeups`, {});
    await untilRunning(api, run.id);
    const agents = await api.agents(companyId, AGENTS, {
      adapterConfig: { command: 'true' },
      heartbeat: { whenBusy: 'enqueue' },
    });
    const answered = new Set<string>();
    const load = (clients: number) =>
      closedLoop(
        server,
        { clients, requests },
        (connection, index) =>
          connection.post(
            `/v1/agents/${agents[index % AGENTS]}/wakeups`,
            `{"reason":"bench","payload":{"index":${index}}}`,
          ),
        ({ status, body }) => {
          if (status !== 202) throw new Error(`a wakeup was answered with ${status}: ${body}`);
          answered.add((JSON.parse(body) as { wakeup: { id: string } }).wakeup.id);
        },
      );
    const cpuBefore = server.cpuMs();
    const few = await load(FEW);
    const many = await load(MANY);
    const cpuMs = (server.cpuMs() - cpuBefore) / (2 * requests);
    await api.post(`/v1/runs/${run.id}/cancel`, {});
    api.close();
    await server.stop();

    const onLog = await wakeupIdsOnLog(dataDir);
    const missing = [...answered].filter((id) => !onLog.has(id));
    if (missing.length > 0 || answered.size !== 2 * requests) {
      throw new Error(
        `${answered.size} of ${2 * requests} wakeups have ids of their own, ${missing.length} are not on the log`,
      );
    }
    const check = `all ${answered.size} answered wakeups found on the log`;
    const figures: Figure[] = [
      {
        name: 'processor time of the server, a wakeup',
        value: cpuMs,
        unit: 'ms',
        check: 'of /proc/PID/stat, read models and sagas included',
      },
      {
        name: `accepted, ${FEW} clients`,
        value: few.perSecond,
        unit: '/s',
        target: { atLeast: 1_500 },
        check,
      },
      {
        name: `latency p50, ${FEW} clients`,
        value: quantile(few.latenciesMs, 0.5),
        unit: 'ms',
        target: { atMost: 3 },
        check,
      },
      { name: `latency p99, ${FEW} clients`, value: quantile(few.latenciesMs, 0.99), unit: 'ms', check },
      {
        name: `accepted, ${MANY} clients`,
        value: many.perSecond,
        unit: '/s',
        target: { atLeast: 1_500 },
        check,
      },
      { name: `latency p50, ${MANY} clients`, value: quantile(many.latenciesMs, 0.5), unit: 'ms', check },
      { name: `latency p99, ${MANY} clients`, value: quantile(many.latenciesMs, 0.99), unit: 'ms', check },
    ];
    return {
      figures,
      baselines: [...durableAppends(dataDir), ...(await bareFastify(FEW)), ...(await bareFastify(MANY))],
    };
  },
};

async function untilRunning(api: Api, runId: string): Promise<void> {
  for (;;) {
    const { status } = await api.get<{ status: string }>(`/v1/runs/${runId}`);
    if (status === 'running') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
