import type { z } from 'zod';
import type { StatusChange } from '../agents/agent.handlers';
import type { registerAgentSchema } from '../agents/agent.schemas';
import type { AgentView } from '../agents/agent.view';
import type { CompanyDocument } from '../companies/projections/companies.projection';
import type { OutputStream } from '../runs/domain/run-log.events';
import type { LogAnswer } from '../runs/run-log.queries';
import type { RunEventView } from '../runs/run.queries';
import type { RunView } from '../runs/run.view';
import type { WakeAnswer } from '../wakeups/wake.handler';
import type { wakeupSchema } from '../wakeups/wakeup.schemas';
import type { WakeupView } from '../wakeups/wakeup.view';
import { RequestRefused, ServerUnreachable } from './api-error';

export type {
  AgentView,
  CompanyDocument,
  LogAnswer,
  OutputStream,
  RunEventView,
  RunView,
  WakeAnswer,
  WakeupView,
};

export type AgentRequest = z.input<typeof registerAgentSchema>;
export type WakeRequest = z.input<typeof wakeupSchema>;
export type RunWithExcerpts = RunView & { stdoutExcerpt: string; stderrExcerpt: string };

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** A place in a run's log; without `stream` in the combined one. */
export interface LogPlace {
  stream?: OutputStream;
  /** In bytes. */
  offset: number;
}

type Query = Record<string, string | number | undefined>;

/** The server bounds everything that it does for an answer by far less. */
const ANSWER_TIMEOUT_MS = 30_000;

/** The HTTP API, as far as the command line uses it. Every call throws `RequestRefused` or `ServerUnreachable`. */
export class ApiClient {
  /** @param token null: none is sent */
  constructor(
    private readonly url: string,
    private readonly token: string | null,
  ) {}

  registerCompany(company: { name: string; externalKey?: string }): Promise<CompanyDocument> {
    return this.post('/v1/companies', company);
  }

  company(companyId: string): Promise<CompanyDocument> {
    return this.get(path`/v1/companies/${companyId}`);
  }

  registerAgent(companyId: string, agent: AgentRequest): Promise<AgentView> {
    return this.post(path`/v1/companies/${companyId}/agents`, agent);
  }

  agents(
    companyId: string,
    query: { status?: string; limit?: number; cursor?: string },
  ): Promise<Page<AgentView>> {
    return this.get(path`/v1/companies/${companyId}/agents`, query);
  }

  agent(agentId: string): Promise<AgentView> {
    return this.get(path`/v1/agents/${agentId}`);
  }

  /** @param patch a JSON merge patch */
  patchAgent(agentId: string, patch: Partial<AgentRequest>): Promise<AgentView> {
    return this.json('PATCH', path`/v1/agents/${agentId}`, patch);
  }

  changeAgentStatus(agentId: string, change: StatusChange): Promise<AgentView & { cancelledRuns: string[] }> {
    return this.post(path`/v1/agents/${agentId}/${change}`);
  }

  wake(agentId: string, request: WakeRequest): Promise<WakeAnswer> {
    return this.post(path`/v1/agents/${agentId}/wakeups`, request);
  }

  wakeup(wakeupId: string): Promise<WakeupView> {
    return this.get(path`/v1/wakeups/${wakeupId}`);
  }

  wakeups(
    agentId: string,
    query: { runId?: string; limit?: number; cursor?: string },
  ): Promise<Page<WakeupView>> {
    return this.get(path`/v1/agents/${agentId}/wakeups`, query);
  }

  runs(
    companyId: string,
    query: { agentId?: string; status?: string; limit?: number; cursor?: string },
  ): Promise<Page<RunView>> {
    return this.get(path`/v1/companies/${companyId}/runs`, query);
  }

  run(runId: string): Promise<RunWithExcerpts> {
    return this.get(path`/v1/runs/${runId}`);
  }

  cancelRun(runId: string): Promise<RunView> {
    return this.post(path`/v1/runs/${runId}/cancel`);
  }

  runEvents(runId: string, query: { afterSeq?: number; limit?: number }): Promise<Page<RunEventView>> {
    return this.get(path`/v1/runs/${runId}/events`, query);
  }

  logPage(runId: string, query: LogPlace & { limitBytes?: number }): Promise<LogAnswer> {
    return this.get(path`/v1/runs/${runId}/log`, { ...query });
  }

  /** The bytes as the agent wrote them, from an offset to what is recorded when the server gets the request. */
  async *rawLog(runId: string, place: LogPlace): AsyncGenerator<Uint8Array> {
    const address = path`/v1/runs/${runId}/log` + encode({ ...place });
    const response = await this.fetch('GET', address, { headers: { accept: 'text/plain' } });
    if (!response.ok) throw await refusal(response);
    if (!response.body) return;
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    try {
      for (;;) {
        const next = await this.reaching(() => reader.read());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // Where the reader was not taken to the end, the rest must not be sent.
      await reader.cancel().catch(() => undefined);
    }
  }

  private get<T>(address: string, query: Query = {}): Promise<T> {
    return this.json('GET', address + encode(query));
  }

  private post<T>(address: string, body?: object): Promise<T> {
    return this.json('POST', address, body);
  }

  private async json<T>(method: string, address: string, body?: object): Promise<T> {
    const response = await this.fetch(method, address, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    if (!response.ok) throw await refusal(response);
    const text = await this.reaching(() => response.text());
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new ServerUnreachable(`what answers at ${this.url} is not a Reveille server`, error);
    }
  }

  private fetch(method: string, address: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== null) headers.set('authorization', `Bearer ${this.token}`);
    return this.reaching(() => fetch(this.url + address, { ...init, method, headers }));
  }

  private async reaching<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const hint = 'is `reveille serve` running? Another address: --url';
      throw new ServerUnreachable(`cannot reach ${this.url} (${reasonOf(error)}): ${hint}`, error);
    }
  }
}

async function refusal(response: Response): Promise<RequestRefused> {
  const problem: unknown = await response.json().catch(() => null);
  const isProblem = typeof problem === 'object' && problem !== null;
  return new RequestRefused(response.status, isProblem ? problem : {});
}

/** `fetch` says no more than that it failed; the reason is what caused that, or its code. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? inner ?? message;
}

function path(parts: TemplateStringsArray, ...ids: string[]): string {
  return String.raw({ raw: parts }, ...ids.map(encodeURIComponent));
}

function encode(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, `${value}`);
  return search.size === 0 ? '' : `?${search.toString()}`;
}
