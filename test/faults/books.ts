import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Run, Wakeup } from '../e2e/http/client';
import { findMarkedProcesses } from '../support/jest/marked-processes';
import type { Digest, JournaledRun } from './journal';
import { readJournal } from './journal';
import type { Load, LoadedAgent } from './load';
import { readModelsProblem } from './read-models';
import type { KillableServer } from './killable-server';
import type { Verdicts } from './verdicts';

const FINAL_WAKEUP = ['coalesced', 'skipped', 'completed', 'failed', 'cancelled', 'timed_out'];
const FINAL_RUN = ['succeeded', 'failed', 'cancelled', 'timed_out'];
/** Endings that say that the service lost hold of a run. */
const GIVEN_UP = ['process_lost', 'spool_failed', 'spawn_failed', 'kill_failed', 'adapter_unknown'];
/** 128 + SIGTERM, 128 + SIGKILL. */
const EXIT_CODES_OF_SIGNALS = [143, 137];

export interface RunWithCost extends Run {
  costMicros: number | null;
}

interface Costs {
  items: { key: string; costMicros: number }[];
  totalMicros: number;
}

interface RunEvents {
  items: { seq: number; eventType: string; message: string }[];
}

/** Compares what the service says with what its clients and agents have written down. */
export class Books {
  private readonly journal: Map<string, JournaledRun>;

  constructor(
    private readonly server: KillableServer,
    private readonly verdicts: Verdicts,
    private readonly companyId: string,
    private readonly agents: readonly LoadedAgent[],
    private readonly load: Load,
    journalFolder: string,
  ) {
    this.journal = readJournal(journalFolder);
  }

  async check(): Promise<{ runs: number; wakeups: number; starts: number }> {
    const runs = await this.server.list<RunWithCost>(`/v1/companies/${this.companyId}/runs`);
    const wakeups = await this.checkWakeups();
    this.checkStarts(runs);
    for (const run of runs) {
      this.checkEnd(run);
      await this.checkOutput(run);
      await this.checkEvents(run);
    }
    await this.checkCosts(runs);
    const name = 'read models that are built anew equal those that were kept';
    this.verdicts.judge(name, await readModelsProblem(this.server));
    this.checkNothingIsLeft();
    const ready = await this.server.api('GET', '/health/ready');
    this.verdicts.expect('the server is well at the end', ready.status === 200, ready.bytes.toString());
    return { runs: runs.length, wakeups, starts: this.journal.size };
  }

  private async checkWakeups(): Promise<number> {
    const keys = new Map<string, string>();
    let count = 0;
    for (const { id } of this.agents) {
      const all = await this.server.list<Wakeup & { idempotencyKey: string | null }>(
        `/v1/agents/${id}/wakeups`,
      );
      count += all.length;
      for (const { id: wakeupId, status, idempotencyKey } of all) {
        const isFinal = FINAL_WAKEUP.includes(status);
        this.verdicts.expect('every wakeup has come to an end', isFinal, `${wakeupId} is ${status}`);
        if (idempotencyKey === null) continue;
        const first = keys.get(`${id} ${idempotencyKey}`);
        keys.set(`${id} ${idempotencyKey}`, wakeupId);
        const problem =
          first === undefined ? null : `${first} and ${wakeupId} have the key ${idempotencyKey}`;
        this.verdicts.judge('a key stands for one wakeup', problem);
      }
    }
    for (const { wakeupId, finalStatus } of this.load.receipts.values()) {
      const { status, body, bytes } = await this.server.api<Wakeup>('GET', `/v1/wakeups/${wakeupId}`);
      const found = status === 200 && FINAL_WAKEUP.includes(body.status);
      const problem = `${wakeupId}: ${status} ${bytes.toString()}`;
      this.verdicts.expect('every acknowledged wakeup can be read back, with its end', found, problem);
      if (finalStatus === null) continue;
      const isSame = body.status === finalStatus;
      this.verdicts.expect(
        'an end that was told is final',
        isSame,
        `${wakeupId}: ${finalStatus}, ${body.status}`,
      );
    }
    return count;
  }

  /** What the agents saw of each other. */
  private checkStarts(runs: readonly Run[]): void {
    const known = new Set(runs.map(({ id }) => id));
    const plans = new Map(this.agents.map(({ id, plan }) => [id, plan]));
    for (const [runId, { agentId, starts }] of this.journal) {
      this.verdicts.expect('every started run is known', known.has(runId), `${runId} of ${agentId}`);
      const pids = starts.map(({ pid }) => pid).join(', ');
      this.verdicts.expect('every run has at most one process', starts.length === 1, `${runId}: ${pids}`);
      const limit = plans.get(agentId)?.policy.maxConcurrentRuns ?? 1;
      for (const { key, beside } of starts) {
        const isAllowed = beside.length < limit && beside.every((other) => other.key !== key);
        const problem = `${runId} (${key}) beside ${JSON.stringify(beside)}, at most ${limit}`;
        this.verdicts.expect('no runs overlap beyond the policy', isAllowed, problem);
      }
    }
  }

  private checkEnd(run: Run): void {
    const { id, status, exitCode, endCause, errorCode, error } = run;
    const said = this.journal.get(id)?.exitCode ?? null;
    const told = `${id}: ${status}, ${errorCode}, ${error}, exit code ${exitCode}, end cause ${endCause}`;
    this.verdicts.expect('every run has come to an end', FINAL_RUN.includes(status), told);
    this.verdicts.expect('no run is given up', !GIVEN_UP.includes(errorCode ?? ''), told);
    let isTrue: boolean;
    if (endCause === null) {
      isTrue = said === exitCode && exitCode !== null && status === (exitCode === 0 ? 'succeeded' : 'failed');
    } else {
      const bySignal = exitCode === null || EXIT_CODES_OF_SIGNALS.includes(exitCode);
      isTrue = ['cancelled', 'timed_out'].includes(status) && (bySignal || exitCode === said);
    }
    const name = 'exit codes and outcomes are those of the agents';
    this.verdicts.expect(name, isTrue, `${told}; the agent said ${said}`);
  }

  private async checkOutput({ id, agentId, logs }: Run): Promise<void> {
    const hasQuota = this.agents.find((agent) => agent.id === agentId)?.plan.policy.logQuotaBytes;
    for (const stream of ['stdout', 'stderr'] as const) {
      const claimed = logs?.[stream] ?? null;
      const journaled = this.journal.get(id)?.output[stream] ?? null;
      const bytes = hasQuota ? null : await this.readBack(id, stream);
      const problem = outputProblem(journaled, claimed, bytes);
      this.verdicts.judge(
        'output is what the agents wrote, byte for byte',
        problem && `${id} ${stream}: ${problem}`,
      );
    }
  }

  private async readBack(runId: string, stream: string): Promise<Buffer> {
    const { bytes } = await this.server.api(
      'GET',
      `/v1/runs/${runId}/log?stream=${stream}`,
      undefined,
      'text/plain',
    );
    return bytes;
  }

  private async checkEvents({ id }: Run): Promise<void> {
    const { items } = await this.server.get<RunEvents>(`/v1/runs/${id}/events?limit=1000`);
    const isGapFree = items.every(({ seq }, index) => seq === index + 1);
    const seqs = `${id}: ${items.map(({ seq }) => seq).join(' ')}`;
    this.verdicts.expect("a run's events are numbered without a gap", isGapFree, seqs);
    const lines = items.filter(({ eventType }) => eventType === 'lifecycle').map(({ message }) => message);
    const ends = lines.filter((line) =>
      /^(run (succeeded|failed|timed_out|cancelled)|Process lost)/.test(line),
    );
    const isWhole = lines[0] === 'run queued' && ends.length === 1 && items.at(-1)?.message === ends[0];
    const story = `${id}: ${lines.join(', ')}`;
    this.verdicts.expect("a run's events begin once and end once", isWhole, story);
  }

  private async checkCosts(runs: readonly RunWithCost[]): Promise<void> {
    const path = `/v1/companies/${this.companyId}/costs?groupBy=`;
    const byRun = await this.server.get<Costs>(`${path}run`);
    const ledger = new Map(byRun.items.map(({ key, costMicros }) => [key, costMicros]));
    for (const { id, costMicros } of runs) {
      const booked = ledger.get(id) ?? 0;
      const possible = possibleCosts(this.journal.get(id));
      const isTrue = possible.includes(booked) && booked === (costMicros ?? 0);
      const problem = `${id}: the ledger says ${booked}, the run ${costMicros}, the agent ${possible.join(' or ')}`;
      this.verdicts.expect('every run costs what its agent said', isTrue, problem);
    }
    const total = [...ledger.values()].reduce((sum, micros) => sum + micros, 0);
    for (const grouping of ['agent', 'day', 'model', 'source', 'month']) {
      const { items, totalMicros } = await this.server.get<Costs>(`${path}${grouping}`);
      const sum = items.reduce((micros, { costMicros }) => micros + costMicros, 0);
      const isTrue = sum === total && totalMicros === total;
      this.verdicts.expect(
        'costs add up',
        isTrue,
        `by ${grouping}: ${sum}, ${totalMicros}; by run: ${total}`,
      );
    }
    await this.checkTotals(runs, ledger);
  }

  private async checkTotals(
    runs: readonly RunWithCost[],
    ledger: ReadonlyMap<string, number>,
  ): Promise<void> {
    for (const { id } of this.agents) {
      const own = runs.filter(({ agentId }) => agentId === id);
      const expected = own.reduce((sum, run) => sum + (ledger.get(run.id) ?? 0), 0);
      const { totalCostMicros } = await this.server.get<{ totalCostMicros: number }>(
        `/v1/agents/${id}/runtime-state`,
      );
      const problem = `agent ${id}: ${totalCostMicros}, its runs: ${expected}`;
      this.verdicts.expect("an agent's totals are those of its runs", totalCostMicros === expected, problem);
    }
  }

  private checkNothingIsLeft(): void {
    const runsFolder = join(this.server.dataDir, 'runs');
    const processes = findMarkedProcesses(`${runsFolder}/`);
    const list = processes.map(({ pid, commandLine }) => `${pid} ${commandLine}`).join('; ');
    this.verdicts.expect('no process of a run is left', processes.length === 0, list);
    const folders = readdirSync(runsFolder);
    this.verdicts.expect('no folder of a run is left', folders.length === 0, folders.join(', '));
  }
}

/** What an agent's reports allow the ledger to say. A report that was cut short may count or not. */
function possibleCosts(run: JournaledRun | undefined): number[] {
  if (!run) return [0];
  const { booked, reported } = run;
  if (reported.done !== null) return [reported.done];
  const withoutResult = [booked.done, booked.announced];
  return reported.announced === null ? withoutResult : [...withoutResult, reported.announced];
}

/** @param bytes what was read back; null where the quota leaves only the digests to compare */
function outputProblem(
  journaled: JournaledRun['output']['stdout'] | null,
  claimed: Digest | null,
  bytes: Buffer | null,
): string | null {
  if (!journaled) return bytes === null || bytes.length === 0 ? null : `${bytes.length} bytes of nobody`;
  const { announced, done } = journaled;
  const length = bytes?.length ?? claimed?.bytes ?? -1;
  if (length < done.bytes) return `${length} bytes, but the agent has written ${done.bytes}`;
  if (length > announced.bytes) return `${length} bytes, but the agent came to ${announced.bytes} at most`;
  if (bytes && sha256(bytes.subarray(0, done.bytes)) !== done.sha256) {
    return `the first ${done.bytes} bytes are not those of the agent`;
  }
  const whole = [done, announced].find((digest) => digest.bytes === length);
  if (whole && claimed?.sha256 !== whole.sha256) return `the service's SHA-256 is not that of the agent`;
  if (bytes && whole && sha256(bytes) !== whole.sha256) return 'the bytes are not those of the agent';
  if (bytes && claimed && (claimed.bytes !== bytes.length || claimed.sha256 !== sha256(bytes))) {
    return "the service's digest is not that of the bytes that it gives back";
  }
  return null;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
