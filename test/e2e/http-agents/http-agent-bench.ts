import { HttpAgent } from '../../support/http-agent';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';

export interface Run {
  id: string;
  status: string;
  error: string | null;
  errorCode: string | null;
  exitCode: number | null;
  exitedAt: string | null;
  endCause: string | null;
  attempt: number;
  retryOfRunId: string | null;
  sessionIdAfter: string | null;
  resultJson: unknown;
  usage: { inputTokens: number; outputTokens: number } | null;
  costMicros: number | null;
  logBytes: number;
  stdoutExcerpt: string;
  stderrExcerpt: string;
}

export interface RunEvent {
  seq: number;
  eventType: string;
  message: string;
  payload: Record<string, unknown> | null;
}

type Api = Pick<TestServer, 'api'>;

/** A server whose agents are reached by HTTP, and such an agent. */
export class HttpAgentBench {
  private constructor(
    readonly server: TestServer,
    readonly agent: HttpAgent,
    readonly companyId: string,
  ) {}

  static async start(settings: Parameters<typeof startTestServer>[0] = {}): Promise<HttpAgentBench> {
    const allowed = { httpPrivateAddresses: 'allow', ...settings.settings };
    const server = await startTestServer({ ...settings, settings: allowed });
    const { body } = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
    return new HttpAgentBench(server, await HttpAgent.start(), body.id);
  }

  async close(): Promise<void> {
    await this.agent.close();
    await this.server.close();
    expect(this.server.errors).toEqual([]);
  }

  register(adapterConfig: object, heartbeat: object = {}): Promise<string> {
    return registerHttpAgent(this.server, this.companyId, adapterConfig, heartbeat);
  }

  invoke(agentId: string, request: object = {}): Promise<string> {
    return invoke(this.server, agentId, request);
  }

  run(runId: string): Promise<Run> {
    return getRun(this.server, runId);
  }

  /** Registers an agent, invokes it, and answers its run when that is over. */
  async runOf(adapterConfig: object, heartbeat: object = {}, request: object = {}): Promise<Run> {
    return this.over(await this.invoke(await this.register(adapterConfig, heartbeat), request));
  }

  over(runId: string): Promise<Run> {
    return runOver(this.server, runId);
  }

  async events(runId: string): Promise<RunEvent[]> {
    const { body } = await this.server.api<{ items: RunEvent[] }>('GET', `/v1/runs/${runId}/events`);
    return body.items;
  }

  async log(runId: string, stream: 'stdout' | 'stderr'): Promise<Buffer> {
    const path = `/v1/runs/${runId}/log?stream=${stream}`;
    return (await this.server.api('GET', path, undefined, { accept: 'text/plain' })).bytes;
  }
}

export async function registerHttpAgent(
  { api }: Api,
  companyId: string,
  adapterConfig: object,
  heartbeat: object = {},
): Promise<string> {
  const agent = { name: 'Ada', adapterType: 'http', adapterConfig, runtimeConfig: { heartbeat } };
  const { status, body } = await api<{ id: string }>('POST', `/v1/companies/${companyId}/agents`, agent);
  expect([status, body]).toEqual([201, expect.anything()]);
  return body.id;
}

export async function invoke({ api }: Api, agentId: string, request: object = {}): Promise<string> {
  const { body } = await api<{ run: { id: string } }>('POST', `/v1/agents/${agentId}/invoke`, request);
  return body.run.id;
}

export async function getRun({ api }: Api, runId: string): Promise<Run> {
  return (await api<Run>('GET', `/v1/runs/${runId}`)).body;
}

export function runOver(server: Api, runId: string): Promise<Run> {
  return waitUntil(async () => {
    const run = await getRun(server, runId);
    return !['queued', 'running'].includes(run.status) && run;
  }, 'the run is over');
}
