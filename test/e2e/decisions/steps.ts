import type { TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import type { Agent, Page, Run, Wakeup, Woken } from '../http/client';
import { expectStatus, Gate, get, scriptedAgent, untilRunning, wake } from '../http/client';

export interface Ticked {
  checked: number;
  enqueued: number;
  skipped: number;
}

/** The clock of a server that was started with `testClock`. */
export class ServerClock {
  private offsetMs = 0;

  constructor(private readonly server: TestServer) {}

  /** What the server takes for the time, to a few milliseconds. */
  get now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }

  /** The time after so many seconds, ISO 8601. */
  in(seconds: number): string {
    return new Date(this.now.getTime() + seconds * 1_000).toISOString();
  }

  async advance(seconds: number): Promise<Ticked> {
    return this.set(this.in(seconds));
  }

  async set(now: string): Promise<Ticked> {
    this.offsetMs = Date.parse(now) - Date.now();
    return expectStatus(await this.server.api<Ticked>('POST', '/v1/admin/tick', { now }), 200);
  }
}

export interface BusyAgent {
  agent: Agent;
  first: Woken;
  gate: Gate;
}

/** An agent whose first run goes on until the gate opens; later ones end at once when it is open. */
export async function busyAgent(
  server: TestServer,
  heartbeat: object = {},
  request: object = { reason: 'first' },
): Promise<BusyAgent> {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat });
  const first = await wake(server, agent.id, request);
  await untilRunning(server, first.run!.id);
  return { agent, first, gate };
}

/** Newest first. */
export async function runsOf(server: TestServer, agent: Agent): Promise<Run[]> {
  const path = `/v1/companies/${agent.companyId}/runs?agentId=${agent.id}&limit=200`;
  return (await get<Page<Run>>(server, path)).items;
}

export async function wakeupsOf(server: TestServer, agent: Agent): Promise<Wakeup[]> {
  return (await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups?limit=200`)).items;
}

export async function untilRuns(server: TestServer, agent: Agent, count: number): Promise<Run[]> {
  return waitUntil(async () => {
    const runs = await runsOf(server, agent);
    return runs.length >= count && runs;
  }, `agent ${agent.id} has ${count} runs`);
}
