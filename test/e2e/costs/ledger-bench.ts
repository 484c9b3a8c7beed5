import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

export interface CostItem {
  key: string;
  costMicros: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  runs: number;
  unpricedRuns: number;
}

export interface Costs {
  items: CostItem[];
  totalMicros: number;
}

export interface RunAnswer {
  id: string;
  status: string;
  usage: { inputTokens: number; outputTokens: number; cachedInputTokens: number } | null;
  costMicros: number | null;
}

const FINAL = ['succeeded', 'failed', 'cancelled', 'timed_out'];

/** A server with a company whose agents are shell scripts. */
export class LedgerBench {
  private gates = 0;
  private readonly folder = temporaryFolder();

  private constructor(
    readonly server: TestServer,
    readonly companyId: string,
  ) {}

  static async open(options: Parameters<typeof startTestServer>[0] = {}): Promise<LedgerBench> {
    const server = await startTestServer(options);
    const { body } = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Ledger' });
    return new LedgerBench(server, body.id);
  }

  /** The same company, on a server that was started anew on its data. */
  movedTo(server: TestServer): LedgerBench {
    return new LedgerBench(server, this.companyId);
  }

  /** A script that waits at a gate: `while [ ! -e … ]`. `open` lets it through. */
  gate(): { wait: string; open: () => void } {
    const path = join(this.folder, `gate-${++this.gates}`);
    return { wait: `while [ ! -e ${path} ]; do sleep 0.02; done`, open: () => writeFileSync(path, '') };
  }

  async agent(script: string, heartbeat: object = {}): Promise<string> {
    const { status, body } = await this.server.api<{ id: string }>(
      'POST',
      `/v1/companies/${this.companyId}/agents`,
      {
        name: 'Ada',
        adapterType: 'process',
        adapterConfig: { command: 'sh', args: ['-c', script] },
        runtimeConfig: { heartbeat },
      },
    );
    if (status !== 201) throw new Error(`not registered: ${JSON.stringify(body)}`);
    return body.id;
  }

  async wake(agentId: string, request: object = {}): Promise<string> {
    const { body } = await this.server.api<{ run: { id: string } }>(
      'POST',
      `/v1/agents/${agentId}/wakeups`,
      request,
    );
    return body.run.id;
  }

  async finished(runId: string): Promise<RunAnswer> {
    return waitUntil(async () => {
      const run = await this.get<RunAnswer>(`/v1/runs/${runId}`);
      return FINAL.includes(run.status) && run;
    }, `run ${runId} is over`);
  }

  async run(agentId: string, request: object = {}): Promise<RunAnswer> {
    return this.finished(await this.wake(agentId, request));
  }

  async get<Body>(path: string): Promise<Body> {
    const { status, body } = await this.server.api<Body>('GET', path);
    if (status !== 200) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** As of all that is on the log now. */
  costs(query = ''): Promise<Costs> {
    return this.get<Costs>(`/v1/companies/${this.companyId}/costs?${query}`);
  }

  /** A run's entries, added up. */
  async costsOfRun(runId: string): Promise<CostItem | undefined> {
    return (await this.costs('groupBy=run')).items.find(({ key }) => key === runId);
  }
}

/** Shell lines with which a run says what it has used. */
export const says = {
  result: (result: object) => `echo '${JSON.stringify(result)}' > "$REVEILLE_RESULT_FILE"`,
  usage: (usage: object) =>
    `echo '${JSON.stringify({ type: 'usage', ...usage })}' >> "$REVEILLE_EVENTS_FILE"`,
};
