import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import type { ProxiedNode } from '../../support/eventstoredb/node';
import { startProxiedNode } from '../../support/eventstoredb/node';
import { fillMixedLog } from '../../support/mixed-log';
import type { ReveilleProcess } from '../../support/reveille-process';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startCommand,
  startReveille,
} from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

let node: ProxiedNode;

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
beforeEach(async () => (node = await startProxiedNode()));
afterEach(async () => {
  await killCommands();
  await node.stop();
});

interface Ready {
  status: string;
  eventLog: { head: string };
  consumers: { reached: string }[];
}

function apiOf({ url }: ReveilleProcess) {
  return async <Body>(method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as Body };
  };
}

async function caughtUp(server: ReveilleProcess): Promise<Ready> {
  return waitUntil(async () => {
    const { body } = await apiOf(server)<Ready>('GET', '/health/ready');
    const head = BigInt(body.eventLog.head);
    return body.status === 'ok' && body.consumers.every(({ reached }) => BigInt(reached) >= head)
      ? body
      : null;
  }, 'everything has been handled');
}

test('a node moves to EventStoreDB, through a kill -9, and nobody can tell but by the positions', async () => {
  const dataDir = temporaryFolder();
  const serve = (flags: string[] = [], environment = {}) =>
    startReveille(['--data-dir', dataDir, '--auth', 'none', ...flags], environment);
  const before = await serve();
  const api = apiOf(before);
  const { body: company } = await api<{ id: string }>('POST', '/v1/companies', { name: 'Acme' });
  const agent = {
    name: 'a',
    adapterType: 'process',
    adapterConfig: { command: 'sh', args: ['-c', 'echo hello'] },
  };
  const { body: registered } = await api<{ id: string }>('POST', `/v1/companies/${company.id}/agents`, agent);
  const woken = await api<{ run: { id: string }; position: string }>(
    'POST',
    `/v1/agents/${registered.id}/wakeups`,
    {},
  );
  const paths = [
    `/v1/companies/${company.id}`,
    `/v1/agents/${registered.id}`,
    `/v1/agents/${registered.id}/wakeups`,
    `/v1/companies/${company.id}/runs`,
    `/v1/runs/${woken.body.run.id}/events`,
    `/v1/runs/${woken.body.run.id}/log`,
    `/v1/agents/${registered.id}/runtime-state`,
  ];
  const look = async (server: ReveilleProcess) => {
    const answers: unknown[] = [];
    for (const path of paths) answers.push(await apiOf(server)('GET', path));
    const withoutPositions = (key: string, value: unknown) => (key === 'position' ? undefined : value);
    return JSON.parse(JSON.stringify(answers), withoutPositions) as unknown;
  };
  await waitUntil(async () => {
    const { body } = await api<{ items: unknown[] }>('GET', paths[4]!);
    return JSON.stringify(body).includes('run succeeded');
  }, 'the run is over');
  await caughtUp(before);
  const seenBefore = await look(before);

  const settings = { EVENTSTOREDB_URL: node.url, REVEILLE_NAMESPACE: 'moved' };
  const migrate = ['migrate', '--from', 'embedded', '--to', 'eventstoredb', '--data-dir', dataDir];
  const inUse = await runCommand(migrate, settings);
  expect(inUse).toMatchObject({ exitCode: 1, stdout: '' });
  expect(inUse.stderr).toContain('another server is using the data folder');
  before.kill('SIGTERM');
  await before.exit;

  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  await fillMixedLog(log, 1_200);
  const oldHead = await log.head();
  await log.close();
  node.proxy.delay(3);
  const first = startCommand(migrate, settings);
  await waitUntil(() => /copying: \d+ events/.test(first.stderr()), 'it copies', 30_000);
  first.kill('SIGKILL');
  expect(await first.exit).toMatchObject({ signal: 'SIGKILL', stdout: '' });
  node.proxy.delay(0);

  const tooEarly = await runCommand(
    ['serve', '--data-dir', dataDir, '--port', '0', '--event-log', 'eventstoredb'],
    settings,
  );
  expect(tooEarly.exitCode).toBe(1);
  expect(tooEarly.stderr).toContain('run `reveille migrate` again');
  expect(existsSync(join(dataDir, 'log-moved.json'))).toBe(false);

  const second = await runCommand(migrate, settings);
  expect(second).toMatchObject({ exitCode: 0 });
  expect(second.stdout).toContain(`migrated ${oldHead} events of `);
  const [, copied] = /copying: (\d+) events, at position (\d+) of \2/.exec(second.stderr)!;
  expect(Number(copied)).toBeLessThan(Number(oldHead));
  expect((await runCommand(migrate, settings)).stdout).toContain('had been migrated before');

  const wrongLog = await runCommand(['serve', '--data-dir', dataDir, '--port', '0']);
  expect(wrongLog.exitCode).toBe(1);
  expect(wrongLog.stderr).toContain('has moved to EventStoreDB');

  const after = await serve(['--event-log', 'eventstoredb'], settings);
  const { eventLog } = await caughtUp(after);
  expect(BigInt(eventLog.head) > oldHead).toBe(true);
  expect(await look(after)).toEqual(seenBefore);
  const gone = await apiOf(after)('GET', `${paths[0]}?waitFor=${woken.body.position}`);
  expect(gone).toMatchObject({
    status: 410,
    body: { code: 'position_gone', details: { head: eventLog.head } },
  });
  const again = await apiOf(after)<{ position: string }>('POST', `/v1/agents/${registered.id}/wakeups`, {});
  expect(again.status).toBe(202);
  expect(await apiOf(after)('GET', `${paths[0]}?waitFor=${again.body.position}`)).toMatchObject({
    status: 200,
  });
}, 120_000);

test.each([
  ['where there is no log', ['--from', 'embedded', '--to', 'eventstoredb'], 1, 'no embedded event log'],
  ['without a direction', ['--to', 'eventstoredb'], 2, '--from'],
  ['to a store that it does not know', ['--from', 'embedded', '--to', 'paper'], 2, '--to'],
])('refuses to migrate %s', async (_what, flags, code, message) => {
  const settings = { EVENTSTOREDB_URL: node.url };
  const { exitCode, stdout, stderr } = await runCommand(
    ['migrate', ...flags, '--data-dir', temporaryFolder()],
    settings,
  );
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toContain(message);
});
