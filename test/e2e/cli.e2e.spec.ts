import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentView, Page, RunEventView, RunView, WakeAnswer } from '../../src/client';
import { ReveilleClient } from '../../src/client';
import type { CommandOutput, ReveilleProcess } from '../support/reveille-process';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startCommand,
  startReveille,
} from '../support/reveille-process';
import { waitUntil } from '../support/server';
import { temporaryFolder } from '../support/temporary-folder';

let server: ReveilleProcess;
let api: ReveilleClient;
let companyId: string;
let environment: Record<string, string>;

beforeAll(async () => {
  await ensureBuilt();
  server = await startReveille();
  api = apiOf(server);
  companyId = (await api.registerCompany({ name: 'Acme' })).id;
  environment = {
    REVEILLE_URL: server.url,
    REVEILLE_DATA_DIR: server.dataDir,
    REVEILLE_COMPANY_ID: companyId,
  };
}, BUILD_TIMEOUT_MS);

afterAll(killCommands);

function apiOf({ url, dataDir }: ReveilleProcess): ReveilleClient {
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return new ReveilleClient({ url, token });
}

function reveille(...args: string[]): Promise<CommandOutput> {
  return runCommand(args, environment);
}

async function answerOf<T>(...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await reveille(...args, '--json');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** An agent that is a shell script. */
async function shellAgent(script: string, heartbeat: object = {}): Promise<string> {
  const adapterConfig = { command: 'sh', args: ['-c', script] };
  const request = { name: 'script', adapterType: 'process', adapterConfig, runtimeConfig: { heartbeat } };
  return (await api.registerAgent(companyId, request)).id;
}

async function wakeAndWait(agentId: string): Promise<string> {
  const { run } = await answerOf<WakeAnswer>('wake', agentId, '--wait');
  return run!.id;
}

/** A run that waits for a file, and the end of it. */
async function runningUntilReleased(api_ = api, company = companyId) {
  const gate = join(temporaryFolder(), 'gate');
  const script = `echo begun; until [ -e ${gate} ]; do sleep 0.05; done; echo done`;
  const adapterConfig = { command: 'sh', args: ['-c', script] };
  const agent = await api_.registerAgent(company, { name: 'patient', adapterType: 'process', adapterConfig });
  const { run } = await api_.wake(agent.id, {});
  await waitUntil(async () => (await api_.logPage(run!.id, { offset: 0 })).totalBytes > 0, 'it has begun');
  return { agentId: agent.id, runId: run!.id, release: () => writeFileSync(gate, '') };
}

describe('companies and agents', () => {
  test('a company is registered once under its external key, and shown', async () => {
    const first = await answerOf<{ id: string }>('company', 'add', 'Globex', '--external-key', 'globex');
    const again = await answerOf<{ id: string }>('company', 'add', 'Globex', '--external-key', 'globex');
    expect(again).toEqual(first);
    expect(await answerOf('company', 'show', first.id)).toEqual(await api.company(first.id));
    const { stdout } = await reveille('company', 'show', first.id);
    expect(stdout).toMatch(new RegExp(`^company +${first.id}\nname +Globex\nexternal key +globex\n`));
  });

  test('a script can keep the ids in variables', async () => {
    const company = (await reveille('company', 'add', 'Initech', '--quiet')).stdout;
    expect(await api.company(company.trimEnd())).toMatchObject({ name: 'Initech' });
    const flags = ['--company', company.trimEnd(), '--command', 'true', '--quiet'];
    const agent = (await reveille('agent', 'add', 'quiet', ...flags)).stdout;
    expect(agent).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await api.agent(agent.trimEnd())).toMatchObject({ name: 'quiet', companyId: company.trimEnd() });
    const list = ['--company', company.trimEnd(), '--quiet'];
    expect((await reveille('agent', 'list', ...list)).stdout).toBe(agent);
    expect((await reveille('runs', ...list)).stdout).toBe('');
    const { run } = await api.wake(agent.trimEnd(), {});
    await waitUntil(
      async () => (await reveille('runs', ...list)).stdout === `${run!.id}\n`,
      'the run is listed',
    );
  });

  test('options make an agent', async () => {
    const agent = await answerOf<AgentView>(
      ...['agent', 'add', 'greeter', '--command', 'sh', '--arg=-c', '--arg', 'echo "$GREETING"'],
      ...['--cwd', '.', '--env', 'GREETING=a=b', '--stdin', 'hello', '--external-key', 'greeter'],
      ...['--policy', '{"whenBusy": "enqueue", "maxConcurrentRuns": 2}', '--requires-approval'],
    );
    expect(agent).toMatchObject({
      companyId,
      name: 'greeter',
      externalKey: 'greeter',
      status: 'pending_approval',
      adapterType: 'process',
      adapterConfig: {
        command: 'sh',
        args: ['-c', 'echo "$GREETING"'],
        cwd: process.cwd(),
        env: { GREETING: 'a=b' },
        stdin: 'hello',
      },
      runtimeConfig: { heartbeat: { whenBusy: 'enqueue', maxConcurrentRuns: 2 } },
    });
  });

  test('a file makes an agent, and options come on top', async () => {
    const file = join(temporaryFolder(), 'agent.json');
    const registration = {
      name: 'from-file',
      adapterType: 'process',
      adapterConfig: { command: 'true', args: ['x'] },
    };
    writeFileSync(file, JSON.stringify(registration));
    const agent = await answerOf<AgentView>('agent', 'add', '--config-file', file, '--command', 'false');
    expect(agent).toMatchObject({ name: 'from-file', adapterConfig: { command: 'false', args: ['x'] } });
  });

  test('an agent is approved, paused, resumed and terminated', async () => {
    const { id } = await api.registerAgent(companyId, {
      name: 'lifecycle',
      adapterType: 'process',
      adapterConfig: { command: 'true' },
      requiresApproval: true,
    });
    const statuses = [];
    for (const change of ['approve', 'pause', 'resume', 'terminate']) {
      statuses.push((await answerOf<AgentView>('agent', change, id)).status);
    }
    expect(statuses).toEqual(['idle', 'paused', 'idle', 'terminated']);
    expect((await reveille('agent', 'show', id)).stdout).toMatch(/^status +terminated$/m);
    expect(await answerOf('agent', 'show', id)).toEqual(await api.agent(id));
    expect(await reveille('agent', 'resume', id)).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'error: The agent is terminated\n',
    });
  });

  test('a list follows the cursors up to its limit', async () => {
    const crowd = (await api.registerCompany({ name: 'Crowd' })).id;
    const request = (name: string) => ({ name, adapterType: 'process', adapterConfig: { command: 'true' } });
    const names = Array.from({ length: 205 }, (_value, index) => `agent ${index}`);
    for (const name of names) await api.registerAgent(crowd, request(name));
    const list = (limit: string) =>
      answerOf<Page<AgentView>>('agent', 'list', '--company', crowd, '--limit', limit);
    const all = await list('1000');
    expect(all.items.map(({ name }) => name)).toEqual(names);
    expect(all.nextCursor).toBeNull();
    expect(await list('2')).toEqual(await api.agents(crowd, { limit: 2 }));
    const { stdout } = await reveille('agent', 'list', '--company', crowd, '--limit', '201');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(202);
    expect(lines[0]).toMatch(/^AGENT {33}NAME {7}STATUS {2}ADAPTER/);
    expect(lines[1]).toMatch(new RegExp(`^${all.items[0]!.id}  agent 0 {4}idle {4}process`));
  });
});

describe('wake', () => {
  test('tells the decision, and with --wait how the run has ended', async () => {
    const agentId = await shellAgent('exit 0');
    expect((await reveille('wake', agentId)).stdout).toMatch(/^queued: run [0-9a-f-]{36}\n$/);
    const waited = await reveille('wake', agentId, '--wait');
    expect(waited).toMatchObject({ exitCode: 0, stderr: '' });
    expect(waited.stdout).toMatch(/^\w+: .+\nsucceeded after [\d.]+s, exit code 0\n$/);
  });

  test('with --wait a run that fails is a failure', async () => {
    const { exitCode, stdout } = await reveille('wake', await shellAgent('exit 7'), '--wait', '--json');
    expect(exitCode).toBe(1);
    const { wakeup, run } = JSON.parse(stdout) as WakeAnswer;
    expect({ wakeup: wakeup.status, run: run?.status, code: run?.exitCode }).toEqual({
      wakeup: 'failed',
      run: 'failed',
      code: 7,
    });
  });

  test('says what the run is about', async () => {
    const agentId = await shellAgent('cat "$REVEILLE_CONTEXT_FILE"');
    const { wakeup, run } = await answerOf<WakeAnswer>(
      ...['wake', agentId, '--wait', '--reason', 'a reason', '--payload', '{"issueId": "I-1"}'],
      ...['--context', '{"x": 1}', '--key', 'k', '--source', 'assignment', '--priority', '-5'],
      ...['--task-key', 't', '--coalesce-key', 'c'],
    );
    expect(wakeup).toMatchObject({
      source: 'assignment',
      reason: 'a reason',
      payload: { issueId: 'I-1' },
      contextSnapshot: { x: 1 },
      idempotencyKey: 'k',
      priority: -5,
      taskKey: 't',
      coalesceKey: 'c',
    });
    expect(run!.contextSnapshot).toMatchObject({ x: 1, issueId: 'I-1', wakeReason: 'a reason' });
  });

  test('later, where it says so', async () => {
    const agentId = await shellAgent('true');
    const dueAt = '2099-01-01T00:00:00.000Z';
    const wakeAt = (time: string) => reveille('wake', agentId, '--not-before', time);
    expect(await wakeAt('2099-01-01T01:00:00+01:00')).toMatchObject({
      exitCode: 0,
      stdout: `deferred: until ${dueAt}\n`,
    });
    expect((await api.wakeups(agentId, {})).items).toMatchObject([{ status: 'deferred', dueAt }]);
    expect(await wakeAt('tomorrow')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('notBefore'),
    });
  });

  test('names what asks for it by one of four words', async () => {
    const { exitCode, stderr } = await reveille('wake', 'nobody', '--source', 'odd');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('on_demand') });
  });

  test('--follow prints what the agent writes, and nothing else, on standard output', async () => {
    const { exitCode, stdout, stderr } = await reveille(
      'wake',
      await shellAgent('echo a; sleep 0.3; echo b'),
      '--follow',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'a\nb\n' });
    expect(stderr).toMatch(/^queued: run .+\nsucceeded after .+\n$/);
  });

  test('a busy agent defers one and coalesces the next, and all who wait see the end of the same run', async () => {
    const { agentId, release } = await runningUntilReleased();
    const deferred = startCommand(['wake', agentId, '--wait'], environment);
    await waitUntil(() => deferred.stdout().startsWith('deferred: '), 'one is deferred');
    const coalesced = startCommand(['wake', agentId, '--follow'], environment);
    await waitUntil(() => coalesced.stderr().startsWith('coalesced: '), 'one is coalesced');
    release();
    expect(await deferred.exit).toMatchObject({ exitCode: 0 });
    expect(await coalesced.exit).toMatchObject({ exitCode: 0, stdout: 'begun\ndone\n' });
    expect((await api.runs(companyId, { agentId })).items).toHaveLength(2);
  });

  test('a skip is an answer, but no success for those who wait', async () => {
    const agentId = await shellAgent('true', { wakeOnDemand: false });
    const skipped = 'skipped: heartbeat.wakeOnDemand.disabled\n';
    expect(await reveille('wake', agentId)).toMatchObject({ exitCode: 0, stdout: skipped });
    expect(await reveille('wake', agentId, '--wait')).toMatchObject({ exitCode: 1 });
  });
});

describe('runs', () => {
  test('are listed for people and for scripts', async () => {
    const agentId = await shellAgent('exit 3');
    const { run } = await api.wake(agentId, {});
    await waitUntil(async () => (await api.run(run!.id)).finishedAt, 'the run is over');
    const { stdout } = await reveille('runs', '--agent', agentId, '--status', 'failed');
    const [title, line] = stdout.split('\n');
    expect(title).toMatch(/^RUN +AGENT +STATUS +SOURCE +QUEUED +TOOK +EXIT +COST +ERROR$/);
    expect(line).toMatch(
      new RegExp(`^${run!.id}  script  failed  on_demand  \\d+s ago +[\\d.]+s +3 +-  \\S`),
    );
    expect(await answerOf<Page<RunView>>('runs', '--agent', agentId)).toEqual(
      await api.runs(companyId, { agentId }),
    );
    expect(await answerOf('run', 'show', run!.id)).toEqual(await api.run(run!.id));
    expect((await reveille('run', 'show', run!.id)).stdout).toMatch(/^outcome +failed after .+exit code 3/m);
  });

  test('say which signal has ended an agent', async () => {
    const agentId = await shellAgent('kill -SEGV $$');
    const { run } = await api.wake(agentId, {});
    await waitUntil(async () => (await api.run(run!.id)).finishedAt, 'the run is over');
    expect((await reveille('runs', '--agent', agentId)).stdout).toMatch(/ 139 +- +Adapter failed\n$/);
    const { stdout } = await reveille('run', 'show', run!.id);
    expect(stdout).toMatch(/^outcome +failed after [\d.]+s, exit code 139, signal SIGSEGV, Adapter failed$/m);
    const { items } = await answerOf<Page<RunEventView>>('run', 'events', run!.id);
    expect(items.at(-1)!.payload).toMatchObject({ exitCode: 139, signal: 'SIGSEGV' });
  });

  test('every byte of the log comes out as it went in', async () => {
    const bytes = Buffer.from(
      Array.from({ length: 300_000 }, (_value, index) => (index * 7 + (index >> 8)) & 0xff),
    );
    const file = join(temporaryFolder(), 'bytes');
    writeFileSync(file, bytes);
    const runId = await wakeAndWait(await shellAgent(`cat ${file}; echo to stderr >&2`));
    const stdout = await reveille('run', 'log', runId, '--stream', 'stdout');
    expect(stdout.exitCode).toBe(0);
    expect(stdout.stdoutBytes.equals(bytes)).toBe(true);
    const followed = await reveille('run', 'log', runId, '-f', '--stream', 'stdout');
    expect(followed.stdoutBytes.equals(bytes)).toBe(true);
    expect((await reveille('run', 'log', runId, '--stream', 'stderr')).stdout).toBe('to stderr\n');
    const rest = await reveille('run', 'log', runId, '--stream', 'stdout', '--offset', '299990');
    expect(rest.stdoutBytes.equals(bytes.subarray(299_990))).toBe(true);
    expect(await answerOf('run', 'log', runId)).toEqual(await api.logPage(runId, { offset: 0 }));
  });

  test('a log is followed while it grows, and to its end', async () => {
    const { runId, release } = await runningUntilReleased();
    const follower = startCommand(['run', 'log', runId, '-f'], environment);
    await waitUntil(() => follower.stdout() === 'begun\n', 'what is there is printed');
    release();
    expect(await follower.exit).toMatchObject({ exitCode: 0, stdout: 'begun\ndone\n', stderr: '' });
  });

  test('events are listed and followed to the closing line', async () => {
    const { runId, release } = await runningUntilReleased();
    const follower = startCommand(['run', 'events', runId, '-f', '--json'], environment);
    await waitUntil(() => follower.stdout().includes('run started'), 'what is there is printed');
    release();
    const { exitCode, stdout } = await follower.exit;
    const followed = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEventView);
    expect(exitCode).toBe(0);
    expect(followed.map(({ seq }) => seq)).toEqual(followed.map((_event, index) => index + 1));
    expect(followed.at(-1)!.message).toBe('run succeeded');
    expect((await answerOf<Page<RunEventView>>('run', 'events', runId)).items).toEqual(followed);
    const lines = (await reveille('run', 'events', runId, '--after', '1')).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(followed.length - 1);
    expect(lines.at(-1)).toMatch(/^ +\d+ {2}\d\d:\d\d:\d\d\.\d{3} {2}lifecycle +run succeeded$/);
  });

  test('a run is cancelled', async () => {
    const { runId } = await runningUntilReleased();
    expect((await reveille('run', 'cancel', runId)).stdout).toMatch(/^to be ended +cancel$/m);
    await waitUntil(async () => (await api.run(runId)).finishedAt, 'the run is over');
    expect(await answerOf<RunView>('run', 'cancel', runId)).toMatchObject({ status: 'cancelled' });
  });

  test('who follows a run does not notice that the server is killed and comes back', async () => {
    const first = await startReveille();
    const firstApi = apiOf(first);
    const company = await firstApi.registerCompany({ name: 'Phoenix' });
    const { runId, release } = await runningUntilReleased(firstApi, company.id);
    const flags = ['--url', first.url, '--data-dir', first.dataDir];
    const follower = startCommand(['run', 'log', runId, '-f', ...flags]);
    await waitUntil(() => follower.stdout() === 'begun\n', 'what is there is printed');
    first.kill('SIGKILL');
    await first.exit;
    release();
    const second = await startReveille(['--data-dir', first.dataDir, '--port', new URL(first.url).port]);
    expect(await follower.exit).toMatchObject({ exitCode: 0, stdout: 'begun\ndone\n', stderr: '' });
    await waitUntil(async () => (await apiOf(second).run(runId)).status === 'succeeded', 'the run is over');
  });

  test('a server that is told to stop leaves them running', async () => {
    const first = await startReveille();
    const company = await apiOf(first).registerCompany({ name: 'Night shift' });
    const { runId, release } = await runningUntilReleased(apiOf(first), company.id);
    first.kill('SIGTERM');
    expect(await first.exit).toMatchObject({ exitCode: 0, stderr: '' });
    const second = apiOf(await startReveille(['--data-dir', first.dataDir]));
    expect(await second.run(runId)).toMatchObject({ status: 'running' });
    release();
    await waitUntil(async () => (await second.run(runId)).status === 'succeeded', 'the run is over');
  });
});

describe('what goes wrong is one line, and an exit code', () => {
  const nowhere = '0190a0a0-0000-7000-8000-000000000000';

  test.each([
    ['an unknown command', ['frobnicate'], 2, /unknown command 'frobnicate'/],
    ['an unknown option', ['runs', '--frob'], 2, /unknown option '--frob'/],
    ['a missing argument', ['wake'], 2, /missing required argument 'agent-id'/],
    ['an agent that is no program', ['agent', 'add', 'x'], 2, /--command/],
    ['an agent without a name', ['agent', 'add', '--command', 'x'], 2, /name/],
    ['a payload that is not JSON', ['wake', nowhere, '--payload', '{'], 2, /--payload.*not JSON/],
    ['a payload that is no object', ['wake', nowhere, '--payload', '[]'], 2, /--payload.*JSON object/],
    ['a priority that is no number', ['wake', nowhere, '--priority', 'high'], 2, /--priority.*whole number/],
    [
      'a variable without a value',
      ['agent', 'add', 'x', '--command', 'y', '--env', 'Z'],
      2,
      /--env.*NAME=VALUE/,
    ],
    ['JSON of what is followed', ['run', 'log', nowhere, '-f', '--json'], 2, /--follow.*--json/],
    ['JSON beside what an agent writes', ['wake', nowhere, '--follow', '--json'], 2, /--follow.*--json/],
    ['an address that is none', ['runs', '--url', 'localhost'], 2, /--url/],
    ['an agent that is not there', ['agent', 'show', nowhere], 1, /There is no such agent/],
    ['a run that is not there', ['run', 'log', nowhere], 1, /There is no such run/],
    ['a run to be followed that is not there', ['run', 'log', nowhere, '-f'], 1, /There is no such run/],
    ['a source that there is not', ['wake', nowhere, '--source', 'dream'], 2, /--source/],
    ['a wrong field', ['wake', nowhere, '--task-key', 'x'.repeat(2_000)], 1, /taskKey/],
    ['a wrong token', ['runs', '--token', 'wrong'], 3, /token/],
    ['a data folder without a token', ['runs', '--data-dir', '/nowhere'], 3, /--data-dir/],
    ['no server', ['runs', '--url', 'http://127.0.0.1:1'], 3, /cannot reach http:\/\/127\.0\.0\.1:1 .*--url/],
  ])('%s', async (_what, args, exitCode, message) => {
    const output = await reveille(...args);
    expect(output).toMatchObject({ exitCode, stdout: '' });
    expect(output.stderr).toMatch(/^error: .+\n$/);
    expect(output.stderr).toMatch(message);
  });

  test('a refused registration names its field', async () => {
    const policy = '{"maxConcurrentRuns": 0}';
    const output = await reveille('agent', 'add', 'x', '--command', 'true', '--policy', policy);
    expect(output).toMatchObject({ exitCode: 1, stdout: '' });
    expect(output.stderr).toMatch(/^error: .*runtimeConfig\.heartbeat\.maxConcurrentRuns.*\n$/);
  });

  test('without a company it says how to name one', async () => {
    const { exitCode, stderr } = await runCommand(['runs'], { REVEILLE_URL: server.url });
    expect(exitCode).toBe(2);
    expect(stderr).toBe('error: --company <id> is missing (or REVEILLE_COMPANY_ID)\n');
  });

  test('help is no error, and tells the exit codes', async () => {
    const { exitCode, stdout, stderr } = await reveille('--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Exit codes:');
  });
});
