import type { Agent, Company, Wakeup, Woken } from '../e2e/http/client';
import { eventually } from '../support/eventually';
import type { KillableServer } from './killable-server';

const FINAL_WAKEUP = ['coalesced', 'skipped', 'completed', 'failed', 'cancelled', 'timed_out'];
const PATIENCE_MS = 60_000;

/** A company with one agent that is done at once, for those who only want to see whether a server does its work. */
export class EchoCompany {
  readonly receipts: string[] = [];

  private constructor(
    private readonly server: KillableServer,
    readonly companyId: string,
    readonly agentId: string,
  ) {}

  static async open(server: KillableServer): Promise<EchoCompany> {
    const { id: companyId } = await server.expect<Company>(201, 'POST', '/v1/companies', { name: 'Echo' });
    const { id: agentId } = await server.expect<Agent>(201, 'POST', `/v1/companies/${companyId}/agents`, {
      name: 'Echo',
      adapterType: 'process',
      adapterConfig: { command: '/bin/sh', args: ['-c', 'echo "$REVEILLE_RUN_ID"'] },
      runtimeConfig: { heartbeat: { whenBusy: 'enqueue', maxConcurrentRuns: 4 } },
    });
    return new EchoCompany(server, companyId, agentId);
  }

  /** Keeps the receipt of a wakeup that is taken. Answers what the server answered. */
  async wake() {
    const answer = await this.server.api<Woken>('POST', `/v1/agents/${this.agentId}/wakeups`, {});
    if (answer.status === 202) this.receipts.push(answer.body.wakeup.id);
    return answer;
  }

  /** @throws Error where a wakeup that was taken does not come to its end */
  async untilAllEnded(): Promise<void> {
    for (const id of this.receipts) await untilEnded(this.server, id);
  }
}

/** @throws Error where the wakeup is not known, or does not come to its end */
export async function untilEnded(server: KillableServer, wakeupId: string): Promise<Wakeup> {
  return eventually(async () => {
    const wakeup = await server.get<Wakeup>(`/v1/wakeups/${wakeupId}`);
    if (!FINAL_WAKEUP.includes(wakeup.status))
      throw new Error(`wakeup ${wakeupId} is still ${wakeup.status}`);
    return wakeup;
  }, PATIENCE_MS);
}

/** A new company whose wakeup runs to its end: what a server in working order does. @throws Error where it does not */
export async function expectWork(server: KillableServer): Promise<void> {
  const company = await EchoCompany.open(server);
  const { status, body, bytes } = await company.wake();
  if (status !== 202) throw new Error(`a wakeup was answered with ${status} ${bytes.toString()}`);
  const { status: end } = await untilEnded(server, body.wakeup.id);
  if (end !== 'completed') throw new Error(`a wakeup ended as ${end}`);
}
