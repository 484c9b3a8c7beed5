import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent, Company, Wakeup } from '../e2e/http/client';
import { eventually } from '../support/eventually';
import { Books } from './books';
import type { LoadedAgent } from './load';
import { Load } from './load';
import type { LogAudit } from './log-audit';
import { auditLog } from './log-audit';
import type { AgentPlan, Round } from './plan';
import { agentPlans, planRounds } from './plan';
import type { FaultRun } from './scenario';
import { count, subfolder } from './scenario';
import { KillableServer } from './killable-server';
import type { Verdicts } from './verdicts';

const CALLERS = 8;
const MAX_RUNS = 12;
/** Agents that are busy may take no more wakeups for a while. */
const LOAD_PATIENCE_MS = 5_000;
const CLOSE_LIMIT_MS = 10_000;
const SETTLE_MS = 240_000;

const OPEN_WAKEUPS = ['queued', 'claimed', 'deferred'];

/** A mixed load, in the middle of which the server is killed, again and again; then the books are checked. */
export async function faultRounds(run: FaultRun): Promise<void> {
  const { folder, dice, verdicts, faults, say } = run;
  const journalFolder = subfolder(folder, 'journal');
  const server = new KillableServer(join(folder, 'data'), ['--max-runs', `${MAX_RUNS}`]);
  const rounds = planRounds(run.rounds, dice.fork());
  await server.start();
  const { companyId, agents } = await registerAgents(server, journalFolder);
  const load = new Load(server, agents, verdicts);
  load.start(CALLERS, dice.fork());
  try {
    for (const [index, round] of rounds.entries()) {
      await underLoad(load, round);
      await strike(server, round, verdicts);
      count(faults, round.kind);
      say(
        `round ${index + 1} of ${rounds.length}: ${round.kind}; ${load.receipts.size} wakeups acknowledged`,
      );
    }
  } finally {
    await load.stop();
  }
  await settle(server, companyId, agents);
  const sums = await new Books(server, verdicts, companyId, agents, load, journalFolder).check();
  await server.end('SIGTERM');
  judgeLog(await auditLog(server.dataDir), verdicts);
  say(`${sums.wakeups} wakeups, ${sums.runs} runs, ${sums.starts} processes; ${JSON.stringify(load.counts)}`);
}

/** A slow machine gets the time that it needs to have something to lose. */
async function underLoad(load: Load, { afterMs, afterWakeups }: Round): Promise<void> {
  const wanted = load.receipts.size + afterWakeups;
  await sleep(afterMs);
  for (const since = Date.now(); load.receipts.size < wanted && Date.now() - since < LOAD_PATIENCE_MS;) {
    await sleep(10);
  }
}

export async function registerAgents(
  server: KillableServer,
  journalFolder: string,
  plans: readonly AgentPlan[] = [...agentPlans, ...agentPlans],
) {
  const company = await server.expect<Company>(201, 'POST', '/v1/companies', { name: 'Faults' });
  const agents: LoadedAgent[] = [];
  for (const plan of plans) {
    const { id } = await server.expect<Agent>(201, 'POST', `/v1/companies/${company.id}/agents`, {
      name: plan.name,
      adapterType: 'process',
      adapterConfig: adapterConfig(plan, journalFolder),
      runtimeConfig: { heartbeat: plan.policy },
    });
    agents.push({ id, plan });
  }
  return { companyId: company.id, agents };
}

export function adapterConfig({ behaviour }: Pick<AgentPlan, 'behaviour'>, journalFolder: string) {
  const script = join(__dirname, 'agent.cjs');
  return { command: process.execPath, args: [script, journalFolder, JSON.stringify(behaviour)] };
}

async function strike(server: KillableServer, { kind, betweenMs }: Round, verdicts: Verdicts): Promise<void> {
  switch (kind) {
    case 'kill -9':
      await server.end('SIGKILL');
      break;
    case 'kill -9 as soon as it serves again':
      await server.end('SIGKILL');
      await server.start();
      await server.end('SIGKILL');
      break;
    case 'kill -9 during the start': {
      await server.end('SIGKILL');
      const starting = server.begin();
      await sleep(betweenMs);
      starting.kill('SIGKILL');
      await starting.exit;
      break;
    }
    case 'SIGTERM':
      await close(server, verdicts);
      break;
    case 'SIGTERM, then kill -9': {
      server.signal('SIGTERM');
      await sleep(betweenMs);
      await server.end('SIGKILL');
      break;
    }
    case 'SIGSTOP for a moment':
      server.signal('SIGSTOP');
      await sleep(betweenMs);
      server.signal('SIGCONT');
      return;
    case 'SIGSTOP, then kill -9':
      server.signal('SIGSTOP');
      await sleep(betweenMs);
      await server.end('SIGKILL');
  }
  await server.start();
}

async function close(server: KillableServer, verdicts: Verdicts): Promise<void> {
  const since = Date.now();
  const { exitCode, signal, stderr } = await server.end('SIGTERM');
  const tookMs = Date.now() - since;
  const isClean = exitCode === 0 && tookMs < CLOSE_LIMIT_MS;
  const problem = `exit code ${exitCode}, signal ${signal} after ${tookMs} ms: ${stderr.slice(-500)}`;
  verdicts.expect('SIGTERM under load closes the server cleanly, within 10 s', isClean, problem);
}

/** Nobody is held any more, no timer goes off, and everything that was asked for is over. */
export async function settle(
  server: KillableServer,
  companyId: string,
  agents: readonly LoadedAgent[],
): Promise<void> {
  for (const { id } of agents) {
    // What a store missed while it was away may still have to be caught up with.
    await eventually(() => server.expect(200, 'POST', `/v1/agents/${id}/resume`), 60_000);
    const patch = { runtimeConfig: { heartbeat: { intervalSec: 0 } } };
    await server.expect(200, 'PATCH', `/v1/agents/${id}`, patch);
  }
  await eventually(async () => {
    const ready = await server.get<Ready>('/health/ready');
    if (ready.runs.active + ready.runs.waiting > 0) throw new Error(`runs: ${JSON.stringify(ready.runs)}`);
    const head = BigInt(ready.eventLog.head);
    const behind = ready.consumers.filter(({ reached }) => BigInt(reached) < head);
    if (behind.length > 0) throw new Error(`behind: ${JSON.stringify(behind)}`);
    for (const status of ['queued', 'running']) {
      const { items } = await server.get<{ items: { id: string }[] }>(
        `/v1/companies/${companyId}/runs?status=${status}&limit=5`,
      );
      if (items.length > 0) throw new Error(`still ${status}: ${items.map(({ id }) => id).join(', ')}`);
    }
    for (const { id } of agents) await expectNoOpenWakeup(server, id);
    await sleep(100);
  }, SETTLE_MS);
}

async function expectNoOpenWakeup(server: KillableServer, agentId: string): Promise<void> {
  for (const { id, status } of await server.list<Wakeup>(`/v1/agents/${agentId}/wakeups`)) {
    if (OPEN_WAKEUPS.includes(status)) throw new Error(`wakeup ${id} of agent ${agentId} is still ${status}`);
  }
}

interface Ready {
  eventLog: { head: string };
  consumers: { name: string; reached: string }[];
  runs: { active: number; waiting: number };
}

/** What the log itself says, with nobody's help. */
export function judgeLog({ breaks, watch }: LogAudit, verdicts: Verdicts): void {
  const told = (problems: readonly string[]) =>
    problems.length === 0 ? null : problems.slice(0, 5).join('; ');
  verdicts.judge('the log has no gap, and its hash chains hold', told(breaks));
  verdicts.judge('no run was started against the policy', told(watch.violations));
  for (const [id, { ends, isWaiting }] of watch.wakeups) {
    const isEnded = ends === 1 && !isWaiting;
    verdicts.expect(
      'every wakeup ends once on the log',
      isEnded,
      `${id}: ${ends} ends, waiting: ${isWaiting}`,
    );
  }
}
