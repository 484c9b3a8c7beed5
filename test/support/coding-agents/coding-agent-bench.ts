import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from '../../../src/adapters/adapter';
import { uuidv7 } from '../../../src/kernel/ids';
import type { RunEvent } from '../../e2e/http/client';
import type { Model } from '../provider-double/provider-double';
import { ProviderDouble } from '../provider-double/provider-double';
import type { TestServer } from '../server';
import { startTestServer, waitUntil } from '../server';
import { temporaryFolder } from '../temporary-folder';

const RUN_TIMEOUT_MS = 60_000;

/** Nobody waits for a node that has stopped. */
const settings = { backWithinSec: '0' };

/** A run as far as these tests look at it. */
export interface AgentRun {
  id: string;
  agentId: string;
  status: string;
  error: string | null;
  errorCode: string | null;
  endCause: string | null;
  exitCode: number | null;
  sessionIdBefore: string | null;
  sessionIdAfter: string | null;
  usage: { inputTokens: number; outputTokens: number; cachedInputTokens: number } | null;
  costMicros: number | null;
  resultJson: Record<string, unknown> | null;
  stdoutExcerpt: string;
  stderrExcerpt: string;
}

/** A server, a company with the secret `provider-key`, and a double of the providers that its agents talk to. */
export class CodingAgentBench {
  private constructor(
    public server: TestServer,
    readonly provider: ProviderDouble,
    readonly companyId: string,
    /** A home folder for the programs, so that nothing of the user is read or written. */
    readonly home: string,
    private readonly adapters: readonly Adapter[] | undefined,
  ) {}

  /** @param adapters instead of the built-in ones */
  static async open(dataDir = temporaryFolder(), adapters?: readonly Adapter[]): Promise<CodingAgentBench> {
    const server = await startTestServer({ dataDir, adapters, settings });
    const provider = await ProviderDouble.start(() => ({ status: 500, message: 'nothing to say' }));
    const company = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Acme' });
    const companyId = company.body.id;
    const bench = new CodingAgentBench(
      server,
      provider,
      companyId,
      join(temporaryFolder(), 'home'),
      adapters,
    );
    await bench.put('secrets/provider-key', { value: PROVIDER_KEY });
    return bench;
  }

  async put(path: string, body: object): Promise<void> {
    const { status } = await this.server.api('PUT', `/v1/companies/${this.companyId}/${path}`, body);
    expect(status).toBe(200);
  }

  /** Registers an agent and answers its id. */
  async agent(adapterType: string, adapterConfig: object, heartbeat: object = {}): Promise<string> {
    const body = { name: adapterType, adapterType, adapterConfig, runtimeConfig: { heartbeat } };
    const answer = await this.server.api<{ id: string }>(
      'POST',
      `/v1/companies/${this.companyId}/agents`,
      body,
    );
    expect(answer).toMatchObject({ status: 201 });
    return answer.body.id;
  }

  /** Wakes an agent with a prompt while the model answers so, and answers the id of the run. */
  async start(agentId: string, prompt: string, model: Model): Promise<string> {
    this.provider.answerWith(model);
    const context = { contextSnapshot: { prompt } };
    const woken = await this.server.api<{ run: { id: string } }>(
      'POST',
      `/v1/agents/${agentId}/wakeups`,
      context,
    );
    expect(woken.status).toBe(202);
    return woken.body.run.id;
  }

  /** The same, to its end. */
  async wake(agentId: string, prompt: string, model: Model): Promise<AgentRun> {
    return this.ended(await this.start(agentId, prompt, model));
  }

  async run(runId: string): Promise<AgentRun> {
    return (await this.server.api<AgentRun>('GET', `/v1/runs/${runId}`)).body;
  }

  ended(runId: string): Promise<AgentRun> {
    return waitUntil(
      async () => {
        const run = await this.run(runId);
        return ['queued', 'running'].includes(run.status) ? null : run;
      },
      `run ${runId} has ended`,
      RUN_TIMEOUT_MS,
    );
  }

  async events(runId: string): Promise<RunEvent[]> {
    const answer = await this.server.api<{ items: RunEvent[] }>('GET', `/v1/runs/${runId}/events?limit=1000`);
    return answer.body.items;
  }

  /** Comes back once so many entries of usage are booked for the run. */
  async untilBooked(runId: string, count: number): Promise<void> {
    const isBooked = async () => {
      const usage = (await this.events(runId)).filter(({ eventType }) => eventType === 'usage');
      return usage.length >= count;
    };
    await waitUntil(isBooked, `usage of run ${runId} is booked ${count} times`, RUN_TIMEOUT_MS);
  }

  /** Comes back once the run has an event with this message. */
  async untilNoted(runId: string, message: string): Promise<void> {
    const isThere = async () => (await this.events(runId)).some((event) => event.message === message);
    await waitUntil(isThere, `run ${runId} has an event ${message}`, RUN_TIMEOUT_MS);
  }

  /** Comes back once the provider has been asked so often. */
  async untilAsked(count: number): Promise<void> {
    const isAsked = () => this.provider.requests.length >= count;
    await waitUntil(isAsked, `the provider is asked ${count} times`, RUN_TIMEOUT_MS);
  }

  /** What runs goes on meanwhile. @param asAnother the runs on the log are then those of a node that is no more */
  async restartServer(asAnother = false): Promise<void> {
    const { dataDir } = this.server;
    await this.server.close();
    if (asAnother) writeFileSync(join(dataDir, 'node-id'), `${uuidv7()}\n`);
    this.server = await startTestServer({ dataDir, adapters: this.adapters, settings });
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.provider.close();
  }
}

export const PROVIDER_KEY = 'sk-of-the-provider-0123456789';
