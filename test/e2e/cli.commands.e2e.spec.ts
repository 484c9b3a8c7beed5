import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AgentView,
  LiveMessage,
  Page,
  RuntimeStateView,
  TokenView,
  WakeAnswer,
  WakeupView,
} from '../../src/client';
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

/** What an operator does beside waking agents: each command once, for scripts and for people. */

let server: ReveilleProcess;
let api: ReveilleClient;
let companyId: string;
let agentId: string;
let environment: Record<string, string>;

beforeAll(async () => {
  await ensureBuilt();
  server = await startReveille(['--test-clock', 'true']);
  const token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
  api = new ReveilleClient({ url: server.url, token });
  companyId = (await api.registerCompany({ name: 'Acme' })).id;
  const adapterConfig = { command: 'sh', args: ['-c', 'echo hello'] };
  agentId = (await api.registerAgent(companyId, { name: 'a', adapterType: 'process', adapterConfig })).id;
  environment = {
    REVEILLE_URL: server.url,
    REVEILLE_DATA_DIR: server.dataDir,
    REVEILLE_COMPANY_ID: companyId,
  };
}, BUILD_TIMEOUT_MS);

afterAll(killCommands);

function reveille(...args: string[]): Promise<CommandOutput> {
  return runCommand(args, environment);
}

async function answerOf<T>(...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await reveille(...args, '--json');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

async function textOf(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await reveille(...args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

test('budget set and get: of an agent and of the company, in dollars', async () => {
  const set = ['budget', 'set', '--usd', '0.50', '--runs', '500', '--warn-at', '0.9'];
  expect(await answerOf('budget', 'set', '--agent', agentId, '--usd', '25')).toMatchObject({
    agentId,
    monthlyMicros: 25_000_000,
    monthlyRuns: null,
    state: 'ok',
  });
  expect(await answerOf(...set)).toMatchObject({
    agentId: null,
    monthlyMicros: 500_000,
    monthlyRuns: 500,
    warnAt: 0.9,
  });
  const text = await textOf('budget', 'get');
  expect(text).toContain(companyId);
  expect(text).toMatch(/money\s+\S+ of \$0\.50/);
  expect(text).toMatch(/tokens\s+0, no limit/);
  for (const whose of [['--agent', agentId], []]) {
    expect(await answerOf('budget', 'set', '--none', ...whose)).toMatchObject({ state: 'unlimited' });
  }
  const wrong = [['--usd', 'much'], ['--warn-at', '80'], []];
  for (const options of wrong) expect((await reveille('budget', 'set', ...options)).exitCode).toBe(2);
});

test('the kill switch of a company', async () => {
  const company = await api.registerCompany({ name: 'Globex' });
  expect(await answerOf('company', 'pause', company.id)).toMatchObject({ status: 'paused' });
  expect(await textOf('company', 'resume', company.id)).toMatch(/^status +active$/m);
});

test('an agent is changed, also only in the version that was seen', async () => {
  const { version } = await api.agent(agentId);
  const update = [
    'agent',
    'update',
    agentId,
    '--policy',
    '{"timeoutSec": 60}',
    '--secret-env',
    'KEY=api-key',
  ];
  const changed = await answerOf<AgentView>(...update, '--if-version', `${version}`);
  expect(changed.runtimeConfig.heartbeat.timeoutSec).toBe(60);
  expect(changed.adapterConfig).toMatchObject({ command: 'sh', env: { KEY: { secret: 'api-key' } } });
  const late = await reveille('agent', 'update', agentId, '--name', 'b', '--if-version', `${version}`);
  expect(late).toMatchObject({ exitCode: 1, stdout: '' });
  expect(late.stderr).toMatch(/^error: .*changed/);
  expect(await reveille('agent', 'update', agentId)).toMatchObject({ exitCode: 2 });
  await api.patchAgent(agentId, { adapterConfig: { env: null } });
});

test('secrets are set from a file, and only their names come back', async () => {
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, 'my secret value\n');
  const put = await textOf('secret', 'put', 'api-key', '--file', file);
  expect(put).toMatch(/^secret +api-key$/m);
  expect(put).not.toContain('my secret');
  const { items } = await answerOf<Page<{ name: string }>>('secret', 'list');
  expect(items.map(({ name }) => name)).toEqual(['api-key']);
  const missing = await reveille('secret', 'put', 'x', '--file', '/nowhere/secret');
  expect(missing).toMatchObject({ exitCode: 2, stdout: '' });
});

test('a token is made, used in place of the admin token, listed and revoked', async () => {
  const token = (await textOf('token', 'create', 'ci', '--role', 'operator', '--expires', '7d', '-q')).trim();
  expect(token).toMatch(/^rvl_/);
  const as = (...args: string[]) => runCommand(args, { ...environment, REVEILLE_TOKEN: token });
  expect(await as('agent', 'resume', agentId)).toMatchObject({ exitCode: 0 });
  const refused = await as('agent', 'update', agentId, '--command', 'evil');
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toBe('error: Only an admin may set adapterConfig\n');

  const { items } = await answerOf<Page<TokenView>>('token', 'list');
  expect(items).toMatchObject([{ name: 'ci', role: 'operator', revokedAt: null }]);
  const days = (Date.parse(items[0]!.expiresAt) - Date.parse(items[0]!.createdAt)) / 86_400_000;
  expect(Math.round(days)).toBe(7);
  const list = await textOf('token', 'list');
  expect(list).toMatch(/ci +operator +valid/);
  expect(list).not.toContain(token);
  expect(await textOf('token', 'revoke', items[0]!.id)).toMatch(/^status +revoked$/m);
  expect(await as('agent', 'resume', agentId)).toMatchObject({ exitCode: 3 });
}, 90_000);

test('a token that nobody could mean is refused before anybody is asked', async () => {
  expect(await reveille('token', 'create', 'x', '--role', 'king')).toMatchObject({ exitCode: 2, stdout: '' });
  expect(await reveille('token', 'create', 'x', '--expires', 'soon')).toMatchObject({ exitCode: 2 });
});

test('an agent is invoked, and what became of it is found', async () => {
  const { wakeup, run } = await answerOf<WakeAnswer>('invoke', agentId, '--reason', 'by hand', '--wait');
  expect(wakeup).toMatchObject({ triggerDetail: 'manual', status: 'completed' });
  expect(await answerOf('wakeup', 'show', wakeup.id)).toEqual(await api.wakeup(wakeup.id));
  expect(await textOf('wakeup', 'show', wakeup.id)).toMatch(/^reason +by hand$/m);
  const { items } = await answerOf<Page<WakeupView>>('wakeups', agentId, '--run', run!.id);
  expect(items.map(({ id }) => id)).toEqual([wakeup.id]);
  expect(await textOf('wakeups', agentId)).toMatch(new RegExp(`^${wakeup.id}  completed`, 'm'));
  expect(await answerOf('wakeup', 'cancel', wakeup.id)).toMatchObject({ status: 'completed' });
});

test('a run is followed to its end, which is the exit code', async () => {
  const { wakeup, run } = await api.wake(agentId);
  await api.untilSettled(wakeup.id);
  const { stdout, exitCode } = await reveille('run', 'follow', run!.id, '--logs', '--json');
  const messages = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LiveMessage);
  expect(messages.at(-1)!.payload).toMatchObject({ message: 'run succeeded' });
  expect(messages.map(({ type }) => type)).toContain('heartbeat.run.log');
  expect(exitCode).toBe(0);
  expect(await textOf('run', 'follow', run!.id)).toContain('message=run succeeded');

  const failing = { name: 'f', adapterType: 'process', adapterConfig: { command: 'false' } };
  const failed = await api.wake((await api.registerAgent(companyId, failing)).id);
  expect(await reveille('run', 'follow', failed.run!.id)).toMatchObject({ exitCode: 1, stderr: '' });
});

test('a session is shown and forgotten', async () => {
  const state = await answerOf<RuntimeStateView>('agent', 'state', agentId);
  expect(state).toMatchObject({ agentId, taskKey: null, lastRunStatus: 'succeeded' });
  expect(await textOf('agent', 'state', agentId, '--task-key', 't')).toMatch(/^task +t$/m);
  expect(await answerOf('agent', 'reset-session', agentId)).toMatchObject({ sessionId: null });
});

test('what happens is listed, and followed as it happens', async () => {
  const { items } = await answerOf<Page<LiveMessage>>('events', '--agent', agentId, '--limit', '5');
  expect(items).toHaveLength(5);
  expect(items[0]!.type).toBe('agent.registered');
  const following = startCommand(['events', '--follow', '--after', items[4]!.cursor, '--json'], environment);
  await waitUntil(() => following.stdout().includes('wakeup.finished'), 'what was is told');
  await api.changeAgentStatus(agentId, 'pause');
  await waitUntil(() => following.stdout().includes('agent.paused'), 'what happens is told');
  await api.changeAgentStatus(agentId, 'resume');
  following.kill('SIGINT');
  const { stdout } = await following.exit;
  const messages = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LiveMessage);
  expect(new Set(messages.map(({ cursor }) => cursor)).size).toBe(messages.length);
  const text = await textOf('events', '--after', items[4]!.cursor);
  expect(text).toMatch(/ {2}agent\.resumed +agentId=/);
});

test('money: prices come from a file, and spend is added up', async () => {
  const file = join(temporaryFolder(), 'prices.json');
  const perMillion = { inputMicros: 3_000_000, outputMicros: 15_000_000, cachedInputMicros: 300_000 };
  writeFileSync(
    file,
    JSON.stringify({ prices: [{ provider: 'p', model: 'm', validFrom: '2026-01-01', ...perMillion }] }),
  );
  expect(await textOf('prices', 'set', file)).toMatch(
    /^p +m +2026-01-01 +\$3\.0000 +\$0\.3000 +\$15\.0000$/m,
  );
  expect(await answerOf('prices', 'show')).toEqual(await api.prices(companyId));
  expect(await textOf('costs', '--by', 'agent')).toMatch(
    new RegExp(`^${agentId} .*\n(.*\n)*total \\$0\\.0000\n$`, 'm'),
  );
  expect(await answerOf('costs', '--by', 'agent')).toEqual(await api.costs(companyId, { groupBy: 'agent' }));
  const wrong = await reveille('costs', '--from', 'yesterday');
  expect(wrong.exitCode).toBe(1);
  expect(wrong.stderr).toMatch(/^error: from: an ISO 8601 date/);
});

test('the server itself', async () => {
  expect(await textOf('health')).toMatch(/^status +ok$/m);
  expect(await answerOf('health')).toMatchObject({ status: 'ok' });
  expect(await answerOf('tick', '--now', '2030-01-01T00:00:00Z')).toMatchObject({ checked: 0 });
  expect(await textOf('reap', '--stale-ms', '60000')).toBe('0 ended\n');
});

test('the part of the server that is ill is named, and why', async () => {
  const moved = `${server.dataDir}.moved`;
  renameSync(server.dataDir, moved);
  try {
    const { exitCode, stdout } = await reveille('status');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^status +ill$/m);
    expect(stdout).toMatch(/^ill: dataFolder: ENOENT/m);
  } finally {
    renameSync(moved, server.dataDir);
  }
});

test('every command has help, and names its options', async () => {
  const { stdout } = await reveille('--help');
  for (const name of ['serve', 'company', 'agent', 'secret', 'wake', 'runs', 'events', 'costs', 'status']) {
    expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  }
  expect((await reveille('secret', 'put', '--help')).stdout).toContain('--file <file>');
  const unknown = await reveille('wakeup', 'shwo', 'x');
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain('Did you mean show?');
});
