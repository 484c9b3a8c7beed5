import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { durableAppends } from '../baselines';
import { assertSame, quantile } from '../figure';
import { Api } from '../load/api';
import type { Scenario } from '../scenario';

const WAKEUPS = 300;
const AGENTS = 20;

/** One wakeup at a time: from the POST until a follower hears that its run is running, and until it hears of its end. */
export const wake: Scenario = {
  name: 'wake',
  about: 'wake → running and → ended, as a follower of the live stream sees it',
  async run({ quick, newFolder, startServer }) {
    const wakeups = quick ? WAKEUPS / 3 : WAKEUPS;
    const dataDir = newFolder();
    const server = await startServer({ dataDir, noop: true });
    const api = await Api.open(server);
    const companyId = await api.company();
    const kinds = [
      {
        label: 'no-op',
        agents: await api.agents(companyId, AGENTS, { adapterType: 'noop', adapterConfig: {} }),
      },
      {
        label: 'process true',
        agents: await api.agents(companyId, AGENTS, { adapterConfig: { command: 'true' } }),
      },
    ];
    const follower = await Follower.open(server, companyId);
    const figures = [];
    for (const { label, agents } of kinds) {
      const [runningMs, endedMs]: number[][] = [[], []];
      for (let index = 0; index < wakeups; index++) {
        const before = performance.now();
        const agent = agents[index % AGENTS];
        const { run } = await api.post<{ run: { id: string } }>(`/v1/agents/${agent}/wakeups`, {});
        runningMs!.push((await follower.seen(run.id, 'running')) - before);
        endedMs!.push((await follower.seen(run.id, 'succeeded')) - before);
      }
      assertSame('runs seen to their end', follower.endCount, wakeups);
      follower.endCount = 0;
      const check = `${wakeups} runs, each seen running and succeeded on the live stream`;
      const figure = (name: string, samples: number[], share: number) => ({
        ...{
          name: `${label}: wake → ${name} p${share * 100}`,
          value: quantile(samples, share),
          unit: 'ms',
          check,
        },
      });
      figures.push(
        { ...figure('running', runningMs!, 0.5), target: { atMost: 8 } },
        figure('running', runningMs!, 0.99),
        figure('succeeded', endedMs!, 0.5),
        figure('succeeded', endedMs!, 0.99),
      );
    }
    follower.close();
    api.close();
    return { figures, baselines: durableAppends(dataDir) };
  },
};

/** Follows a company's server-sent events, and knows when which run was first seen in which status. */
class Follower {
  endCount = 0;
  private readonly times = new Map<string, number>();
  private readonly waiting = new Map<string, (atMs: number) => void>();

  static async open(server: { url: string; token: string }, companyId: string): Promise<Follower> {
    const headers = { authorization: `Bearer ${server.token}`, accept: 'text/event-stream' };
    const [answer] = (await once(
      get(`${server.url}/v1/companies/${companyId}/events`, { headers }),
      'response',
    )) as [IncomingMessage];
    if (answer.statusCode !== 200) throw new Error(`the live stream answered ${answer.statusCode}`);
    return new Follower(answer);
  }

  private constructor(private readonly answer: IncomingMessage) {
    createInterface({ input: answer }).on('line', (line) => this.notice(line));
  }

  /** When the run was seen in the status, by `performance.now()`. */
  seen(runId: string, status: string): Promise<number> {
    const key = `${runId} ${status}`;
    const atMs = this.times.get(key);
    if (atMs !== undefined) return Promise.resolve(atMs);
    return new Promise((resolve) => this.waiting.set(key, resolve));
  }

  close(): void {
    this.answer.destroy();
  }

  private notice(line: string): void {
    if (!line.startsWith('data:')) return;
    const { type, payload } = JSON.parse(line.slice(5)) as {
      type: string;
      payload: { runId: string; status: string };
    };
    if (type !== 'heartbeat.run.status') return;
    const key = `${payload.runId} ${payload.status}`;
    const now = performance.now();
    if (payload.status === 'succeeded') this.endCount += 1;
    this.times.set(key, now);
    this.waiting.get(key)?.(now);
    this.waiting.delete(key);
  }
}
