import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from '../../../src/kernel/ids';
import { findMarkedProcesses } from '../../support/jest/marked-processes';
import type { ReveilleProcess } from '../../support/reveille-process';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startCommand,
  startReveille,
} from '../../support/reveille-process';
import type { TestServer } from '../../support/server';
import { apiOf, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Run } from '../http/client';
import { Gate, getRun, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

interface Ready {
  status: string;
  draining: { mode: string; since: string; until: string | null; runIds: string[] } | null;
}

/** A server process, as the API's clients know it. */
interface Served extends TestServer {
  process: ReveilleProcess;
}

async function serve(...flags: string[]): Promise<Served> {
  const process = await startReveille(flags);
  const { url, dataDir } = process;
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const { api, disconnect } = apiOf(url, token);
  const close = async () => {
    disconnect();
    process.kill('SIGTERM');
    await process.exit;
  };
  return { url, token, dataDir, errors: [], api, close, process };
}

/** Another start on the same folder. */
const serveAgain = ({ dataDir }: Served, ...flags: string[]) => serve('--data-dir', dataDir, ...flags);

async function ready({ api }: Served): Promise<{ code: number } & Ready> {
  const { status: code, body } = await api<Ready>('GET', '/health/ready');
  return { code, ...body };
}

/** Answers what the server said when it had left by itself, and how long that took since `sinceMs`. */
async function left({ process }: Served, sinceMs: number) {
  const { exitCode, stderr } = await process.exit;
  return { exitCode, stderr, tookMs: Date.now() - sinceMs };
}

/** An agent at work that says `ready`, and `done` when its gate is open. */
async function working(server: Served, trap = ''): Promise<{ gate: Gate; agentId: string; runId: string }> {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `${trap} echo ready; ${gate.wait}; echo done`);
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  return { gate, agentId: agent.id, runId: run!.id };
}

test('by default agents go on without the server, and are found again', async () => {
  const server = await serve();
  const { gate, runId } = await working(server);
  const leader = () => findMarkedProcesses(runId)[0]?.pid;
  const before = leader();
  const since = Date.now();
  server.process.kill('SIGTERM');
  const { tookMs, ...exit } = await left(server, since);
  expect(exit).toEqual({ exitCode: 0, stderr: '' });
  expect(tookMs).toBeLessThan(10_000);
  expect(leader()).toBe(before);

  const again = await serveAgain(server);
  expect(await getRun(again, runId)).toMatchObject({ status: 'running' });
  gate.open();
  expect(await untilFinal(again, runId)).toMatchObject({
    status: 'succeeded',
    stdoutExcerpt: 'ready\ndone\n',
  });
});

test('with --drain wait it starts nothing, still answers, says what it waits for, and leaves after the last run', async () => {
  const server = await serve('--drain', 'wait');
  const { gate, agentId, runId } = await working(server);
  expect(await ready(server)).toMatchObject({ code: 200, status: 'ok', draining: null });
  server.process.kill('SIGTERM');
  const draining = await waitUntil(async () => {
    const seen = await ready(server);
    return seen.code === 503 && seen;
  }, 'it is draining');
  expect(draining).toMatchObject({
    status: 'draining',
    draining: { mode: 'wait', until: expect.stringMatching(/Z$/) as string, runIds: [runId] },
  });
  const status = await runCommand(['status', '--url', server.url]);
  expect(status).toMatchObject({ exitCode: 1, stderr: '' });
  expect(status.stdout).toMatch(/^status +draining$/m);
  expect(status.stdout).toMatch(/^draining +since .+: starts none, waits for 1 to end/m);

  const followUp = await wake(server, agentId);
  const other = await scriptedAgent(server, 'echo started');
  const queued = await wake(server, other.id);
  expect([followUp.wakeup.status, queued.wakeup.status]).toEqual(['deferred', 'queued']);

  gate.open();
  const since = Date.now();
  const { tookMs, ...exit } = await left(server, since);
  expect(exit).toEqual({ exitCode: 0, stderr: '' });
  expect(tookMs).toBeLessThan(10_000);
  expect(findMarkedProcesses(runId)).toEqual([]);

  const again = await serveAgain(server);
  expect(await getRun(again, runId)).toMatchObject({ status: 'succeeded', stdoutExcerpt: 'ready\ndone\n' });
  const started = await untilFinal(again, queued.run!.id);
  expect(started).toMatchObject({ status: 'succeeded' });
  expect(Date.parse(started.startedAt!)).toBeGreaterThan(Date.parse(draining.draining!.since));
});

test.each([
  ['a second signal', ['--drain', 'wait', '--drain-timeout-sec', '0'], true],
  ['its time', ['--drain', 'wait', '--drain-timeout-sec', '1'], false],
])('%s ends the waiting, and the agent goes on', async (_what, flags, sendsAgain) => {
  const server = await serve(...flags);
  const { gate, runId } = await working(server);
  const since = Date.now();
  server.process.kill('SIGTERM');
  await waitUntil(async () => (await ready(server)).status === 'draining', 'it is draining');
  if (sendsAgain) server.process.kill('SIGINT');
  const { tookMs, ...exit } = await left(server, since);
  expect(exit).toEqual({ exitCode: 0, stderr: '' });
  expect(tookMs).toBeLessThan(10_000);
  expect(findMarkedProcesses(runId)).not.toEqual([]);
  const again = await serveAgain(server);
  gate.open();
  expect(await untilFinal(again, runId)).toMatchObject({ status: 'succeeded' });
});

test('a cancelled run ends while the server waits for others', async () => {
  const server = await serve('--drain', 'wait');
  const { runId } = await working(server);
  server.process.kill('SIGTERM');
  await waitUntil(async () => (await ready(server)).status === 'draining', 'it is draining');
  expect((await server.api('POST', `/v1/runs/${runId}/cancel`)).status).toBe(202);
  expect(await server.process.exit).toMatchObject({ exitCode: 0 });
  const again = await serveAgain(server);
  expect(await getRun(again, runId)).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
});

test('with --drain cancel nothing of an agent is left, and the log says why', async () => {
  const server = await serve('--drain', 'cancel');
  const first = await working(server, `trap 'echo told; exit 0' TERM;`);
  const second = await working(server);
  const since = Date.now();
  server.process.kill('SIGTERM');
  const { tookMs, ...exit } = await left(server, since);
  expect(exit).toEqual({ exitCode: 0, stderr: '' });
  expect(tookMs).toBeLessThan(10_000);
  for (const { runId } of [first, second]) expect(findMarkedProcesses(runId)).toEqual([]);
  const again = await serveAgain(server);
  const ended: Partial<Run> = {
    status: 'cancelled',
    endCause: 'shutdown',
    errorCode: 'cancelled',
    error: 'Cancelled due to server shutdown',
  };
  expect(await getRun(again, first.runId)).toMatchObject({ ...ended, stdoutExcerpt: 'ready\ntold\n' });
  expect(await getRun(again, second.runId)).toMatchObject(ended);
});

test('a server that is still starting stops when it is told to', async () => {
  const dataDir = temporaryFolder();
  const runId = uuidv7();
  const folder = join(dataDir, 'runs', runId);
  mkdirSync(folder, { recursive: true });
  // What an earlier life has left behind takes its time to end: the start waits for that.
  const told = join(temporaryFolder(), 'told');
  const script = `trap ": > '${told}'" TERM; while [ -d '${dataDir}' ]; do sleep 0.05; done`;
  const leftover = spawn('sh', ['-c', script], {
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, REVEILLE_RUN_ID: runId },
  });
  try {
    const starting = startCommand(['serve', '--port', '0', '--data-dir', dataDir]);
    await waitUntil(() => existsSync(told), 'the server is about to end the leftover');
    const since = Date.now();
    starting.kill('SIGTERM');
    expect(await starting.exit).toMatchObject({ exitCode: 0, signal: null, stdout: '', stderr: '' });
    expect(Date.now() - since).toBeLessThan(3_000);
    expect(leftover.exitCode).toBeNull();
  } finally {
    leftover.kill('SIGKILL');
  }
  const again = await startReveille(['--data-dir', dataDir]);
  expect((await fetch(`${again.url}/health/ready`)).status).toBe(200);
});
