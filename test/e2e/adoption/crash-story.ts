import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTreeOf } from '../../../src/runner/process-tree';
import type { CrashPoint } from '../../support/crashing-server';
import { startCrashingServer } from '../../support/crashing-server';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Page, Run, RunEvent } from '../http/client';
import { get, getAgent, getWakeup, head, openCompany, registerAgent, untilFinal } from '../http/client';
import type { AgentKind, CrashStory } from './crash-points';

const AGENT = join(__dirname, '..', '..', 'support', 'recording-agent.cjs');
const SUCCEEDED = { status: 'succeeded', exitCode: 0, errorCode: null };
/** As the agent reports it. */
const COST_MICROS = 250_000;
const DEATH_MS = 15_000;
const GRACE_SEC = 5;

/** What the agent has written into its own books. */
interface AgentNote {
  runId: string;
  pid: number;
  what: 'started' | 'ended';
  exitCode?: number;
  logs?: Run['logs'];
}

/** One run, the servers that die around it, and the books that must be in order when it is over. */
export class CrashedRun {
  readonly dataDir = temporaryFolder();
  private readonly record = join(temporaryFolder(), 'record');
  private companyId = '';
  private agentId = '';

  /** Carries a story out and checks everything that can be seen from outside. */
  static async expectWhole(story: CrashStory): Promise<void> {
    const run = new CrashedRun();
    await run.beginAndDie(story);
    if (story.then) await run.dieAgain(story.then);
    await run.endInOrder(story.outcome);
  }

  /** Starts the run on a server that dies where the story says. */
  async beginAndDie(story: CrashStory): Promise<void> {
    const server = await startCrashingServer(this.dataDir, story.at);
    try {
      await this.register(server, story.agent ?? 'writer', story.timeoutSec ?? 0);
      // Who asks the server that dies may never hear from it.
      const wake = server.api('POST', `/v1/agents/${this.agentId}/wakeups`).catch(() => null);
      if (story.isCancelled) await this.cancelOnceStarted(server);
      await within(server.died, `the server has died ${story.name}`);
      await wake;
    } finally {
      await server.kill();
    }
    if (story.endsMeanwhile) await this.untilNoted('ended');
    story.meanwhile?.(this.runFolder());
  }

  /** Lets another server take the run up, which dies as well. */
  async dieAgain(at: CrashPoint): Promise<void> {
    const server = await startCrashingServer(this.dataDir, at);
    try {
      await within(server.died, 'the server has died again');
    } finally {
      await server.kill();
    }
  }

  /** Starts a server that stays alive, and checks the books once everything is over. */
  async endInOrder(outcome: NonNullable<CrashStory['outcome']> = SUCCEEDED): Promise<void> {
    const server = await startTestServer({ dataDir: this.dataDir });
    try {
      const run = await untilFinal(server, await this.onlyRun(server), 20_000);
      await head(server);
      expect(run).toMatchObject(outcome);
      await this.expectAgentsBooks(server, run);
      await this.expectServersBooks(server, run);
      await this.expectNothingLeft(run);
      expect(server.errors).toEqual([]);
    } finally {
      await server.close();
    }
  }

  private async register(server: TestServer, kind: AgentKind, timeoutSec: number): Promise<void> {
    this.companyId = (await openCompany(server)).id;
    const adapterConfig = { command: process.execPath, args: [AGENT, this.record, kind] };
    const heartbeat = { graceSec: GRACE_SEC, timeoutSec };
    this.agentId = (await registerAgent(server, this.companyId, { adapterConfig, heartbeat })).id;
  }

  private async cancelOnceStarted(server: TestServer): Promise<void> {
    const { runId } = await this.untilNoted('started');
    await server.api('POST', `/v1/runs/${runId}/cancel`).catch(() => null);
  }

  /** What the agent says has happened is what the server says, to the byte. */
  private async expectAgentsBooks(server: TestServer, run: Run): Promise<void> {
    const notes = this.notes();
    expect(notes.map(({ what, runId }) => ({ what, runId }))).toEqual([
      { what: 'started', runId: run.id },
      { what: 'ended', runId: run.id },
    ]);
    const { exitCode, logs } = notes[1]!;
    expect(run.exitCode).toBe(exitCode);
    expect(run.logs).toMatchObject(logs!);
    for (const stream of ['stdout', 'stderr'] as const) {
      const path = `/v1/runs/${run.id}/log?stream=${stream}`;
      const { bytes } = await server.api('GET', path, undefined, { accept: 'text/plain' });
      expect({ bytes: bytes.length, sha256: sha256(bytes) }).toEqual(logs![stream]);
    }
    const { bytes } = await server.api('GET', `/v1/runs/${run.id}/log`, undefined, { accept: 'text/plain' });
    expect({ bytes: bytes.length, sha256: sha256(bytes) }).toEqual({
      bytes: run.logBytes,
      sha256: run.logSha256,
    });
  }

  private async expectServersBooks(server: TestServer, run: Run): Promise<void> {
    const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events?limit=1000`);
    expect(items.map(({ seq }) => seq)).toEqual(items.map((_event, index) => index + 1));
    const messages = items.map(({ message }) => message);
    const once = ['run queued', 'run started', `process: ${process.execPath}`, `run ${run.status}`];
    expect(messages.filter((message) => once.includes(message))).toEqual(once);
    expect(messages.at(-1)).toBe(`run ${run.status}`);
    expect(items.filter(({ eventType }) => eventType === 'usage')).toHaveLength(1);
    expect(items.filter(({ eventType }) => eventType === 'error')).toEqual([]);

    const costs = await get<{ items: object[]; totalMicros: number }>(
      server,
      `/v1/companies/${this.companyId}/costs`,
    );
    const totalMicros = run.status === 'succeeded' ? COST_MICROS : 0;
    expect(costs).toMatchObject({ totalMicros, items: [{ inputTokens: 10, outputTokens: 2, runs: 1 }] });

    const isWell = run.status === 'succeeded' || run.status === 'cancelled';
    expect(await getAgent(server, this.agentId)).toMatchObject({
      status: isWell ? 'idle' : 'error',
      activeRunIds: [],
      spentMonthMicros: totalMicros,
    });
    const wakeup = await getWakeup(server, run.wakeupIds[0]!);
    expect(wakeup.status).toBe(run.status === 'succeeded' ? 'completed' : run.status);
  }

  private async expectNothingLeft(run: Run): Promise<void> {
    await waitUntil(() => !existsSync(join(this.dataDir, 'runs', run.id)), "the run's folder is gone");
    expect(await processTreeOf(run.id, null).living()).toEqual([]);
  }

  private async onlyRun(server: TestServer): Promise<string> {
    const { items } = await get<Page<Run>>(server, `/v1/companies/${this.companyId}/runs`);
    expect(items).toHaveLength(1);
    return items[0]!.id;
  }

  private runFolder(): string {
    const runs = join(this.dataDir, 'runs');
    const [runId] = readdirSync(runs);
    return join(runs, runId!);
  }

  private notes(): AgentNote[] {
    if (!existsSync(this.record)) return [];
    const lines = readFileSync(this.record, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as AgentNote);
  }

  private untilNoted(what: AgentNote['what']): Promise<AgentNote> {
    return waitUntil(() => this.notes().find((note) => note.what === what), `the agent has ${what}`);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${DEATH_MS} ms in vain until ${what}`)), DEATH_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
