import { join } from 'node:path';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import type { AgentEvent } from '../../../src/agents/domain/agent.events';
import type { Recorded } from '../../../src/kernel/event';
import { decode } from '../../../src/kernel/event';
import { Dice } from '../../support/dice';
import type { Answer, TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import type { Agent, Wakeup, Woken } from '../http/client';
import { expectStatus, listAll, openCompany, registerAgent, shell } from '../http/client';

export interface StormSize {
  agents: number;
  /** Of each agent. */
  requests: number;
  connections: number;
  patienceMs: number;
}

/** Answers that a client of a busy agent, or of one that is held, has to expect. */
const EXPECTED = [200, 202, 409, 429];
const FINAL_WAKEUP = ['coalesced', 'skipped', 'completed', 'failed', 'cancelled', 'timed_out'];

const policies: readonly object[] = [
  {},
  { maxConcurrentRuns: 2 },
  { whenBusy: 'coalesce' },
  { whenBusy: 'enqueue', maxConcurrentRuns: 3 },
  { whenBusy: 'enqueue' },
  { whenBusy: 'interrupt', graceSec: 1 },
  { whenBusy: 'reject', maxConcurrentRuns: 2 },
  { retry: { maxAttempts: 3, backoffSec: 0 } },
  { retry: { maxAttempts: 2, backoffSec: 1 }, maxConcurrentRuns: 2, whenBusy: 'enqueue' },
  { intervalSec: 1 },
  { maxDailyRuns: 5, whenBusy: 'enqueue' },
  { circuitBreaker: { failures: 2, coolDownSec: 1 } },
];

/**
 * Wakes many agents of mixed policies from many clients, some of which pause, resume and cancel, and waits until all
 * is over. Answers the wakeups that were accepted.
 */
export async function storm(server: TestServer, size: StormSize, seed = 1): Promise<Wakeup[]> {
  const { id: companyId } = await openCompany(server);
  const agents: Agent[] = [];
  for (let index = 0; index < size.agents; index++) {
    // Every third run fails, so that there is something to retry.
    const adapterConfig = shell('sleep 0.05; [ $(( $$ % 3 )) -ne 0 ]');
    const heartbeat = policies[index % policies.length]!;
    agents.push(await registerAgent(server, companyId, { adapterConfig, heartbeat }));
  }
  const accepted: Wakeup[] = [];
  let next = 0;
  const client = async () => {
    while (next < size.agents * size.requests) {
      const index = next++;
      await request(server, agents[index % size.agents]!, new Dice(seed * 1_000_003 + index), accepted);
    }
  };
  await Promise.all(Array.from({ length: size.connections }, client));
  await calmDown(server, agents);
  return accepted;
}

async function request(server: TestServer, agent: Agent, dice: Dice, accepted: Wakeup[]): Promise<void> {
  const path = `/v1/agents/${agent.id}`;
  const kind = dice.upTo(20);
  let answer: Answer<unknown>;
  if (kind === 0) answer = await server.api('POST', `${path}/pause`);
  else if (kind <= 2) answer = await server.api('POST', `${path}/resume`);
  else if (kind === 3 && accepted.length > 0) {
    answer = await server.api('POST', `/v1/wakeups/${dice.oneOf(accepted).id}/cancel`);
  } else {
    const woken = await server.api<Woken>('POST', `${path}/wakeups`, {
      source: dice.oneOf(['assignment', 'on_demand', 'automation']),
      coalesceKey: dice.oneOf([null, null, 'a', 'b', 'c']),
      priority: dice.upTo(5),
      notBefore: dice.upTo(8) === 0 ? new Date(Date.now() + dice.upTo(1_500)).toISOString() : null,
    });
    if (woken.status === 202) accepted.push(woken.body.wakeup);
    answer = woken;
  }
  if (!EXPECTED.includes(answer.status)) expectStatus(answer, 202);
}

/** Nobody is held any more, and no timer goes off. */
async function calmDown(server: TestServer, agents: readonly Agent[]): Promise<void> {
  for (const { id } of agents) {
    expectStatus(await server.api('POST', `/v1/agents/${id}/resume`), 200);
    const patch = { runtimeConfig: { heartbeat: { intervalSec: 0, maxDailyRuns: null } } };
    expectStatus(await server.api('PATCH', `/v1/agents/${id}`, patch), 200);
  }
}

/** Every receipt of these agents, once all of them are final. */
export async function finalReceipts(
  server: TestServer,
  agentIds: Iterable<string>,
  patienceMs: number,
): Promise<Wakeup[]> {
  const all: Wakeup[] = [];
  for (const id of agentIds) {
    const look = async () => {
      const receipts = await listAll<Wakeup>(server, `/v1/agents/${id}/wakeups`, 200);
      return receipts.every(({ status }) => FINAL_WAKEUP.includes(status)) && receipts;
    };
    all.push(...(await waitUntil(look, `every wakeup of agent ${id} is final`, patienceMs)));
  }
  return all;
}

/** The agents' streams in a data folder that no server uses any more, in the order of the log. */
export async function agentEvents(dataDir: string): Promise<Recorded<AgentEvent>[]> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const following = new AbortController();
  try {
    const head = await log.head();
    const events: Recorded<AgentEvent>[] = [];
    const categories = { only: ['agent'] };
    for await (const batch of log.follow({ after: 0n, categories, signal: following.signal })) {
      events.push(...batch.events.map((stored) => decode<AgentEvent>(stored)));
      if (batch.reached >= head) break;
    }
    return events;
  } finally {
    following.abort();
    await log.close();
  }
}
