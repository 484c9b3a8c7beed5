import type { TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import { says } from '../costs/ledger-bench';
import type { Agent, Run, Woken } from '../http/client';
import { expectStatus, get, getAgent, wake } from '../http/client';

export interface Budget {
  agentId: string | null;
  monthlyMicros: number | null;
  monthlyTokens: number | null;
  monthlyRuns: number | null;
  warnAt: number;
  month: string;
  state: 'unlimited' | 'ok' | 'warned' | 'exceeded';
  exceededLimits: string[];
  stoppedBy: string[];
  resumesAt: string | null;
  spent: { micros: number; tokens: number; runs: number };
  remaining: { micros: number | null; tokens: number | null; runs: number | null };
}

interface Message {
  type: string;
  payload: Record<string, unknown>;
}

/** A line with which a run says that a call of a model has cost $0.20 and 10 tokens. */
export const CALL = says.usage({ inputTokens: 10, costUsd: 0.2 });

/** The budgets of a server's agents and companies, as clients set and see them. */
export class Budgets {
  constructor(private readonly server: TestServer) {}

  ofAgent(agentId: string, budget: object): Promise<Budget> {
    return this.put(`/v1/agents/${agentId}/budget`, budget);
  }

  ofCompany(companyId: string, budget: object): Promise<Budget> {
    return this.put(`/v1/companies/${companyId}/budget`, budget);
  }

  agent(agentId: string): Promise<Budget> {
    return get(this.server, `/v1/agents/${agentId}/budget`);
  }

  company(companyId: string): Promise<Budget> {
    return get(this.server, `/v1/companies/${companyId}/budget`);
  }

  /** Wakes the agent, and expects that its budget keeps it from running. */
  async expectSkipped({ id }: Agent): Promise<void> {
    const { wakeup, run } = await wake(this.server, id);
    expect({ ...wakeup, run }).toMatchObject({ status: 'skipped', skipReason: 'budget.exceeded', run: null });
  }

  async untilStatus({ id }: Agent, status: string): Promise<Agent> {
    const look = async () => {
      const agent = await getAgent(this.server, id);
      return agent.status === status && agent;
    };
    return waitUntil(look, `agent ${id} is ${status}`);
  }

  /** What followers of a company were told of budgets, in its order. */
  async told(companyId: string): Promise<Message[]> {
    const feed = `/v1/companies/${companyId}/events?limit=1000`;
    const { items } = await get<{ items: Message[] }>(this.server, feed);
    return items.filter(({ type }) => type.startsWith('budget.'));
  }

  private async put(path: string, budget: object): Promise<Budget> {
    return expectStatus(await this.server.api<Budget>('PUT', path, budget), 200);
  }
}

/** What a run looks like that a budget has ended. */
export const ENDED_BY_BUDGET: Partial<Run> = {
  status: 'cancelled',
  endCause: 'budget',
  errorCode: 'cancelled',
  error: 'Cancelled due to exceeded budget',
};

export function runIdOf({ run }: Woken): string {
  if (!run) throw new Error('nothing was queued');
  return run.id;
}
