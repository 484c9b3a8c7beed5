import type { ProxiedNode } from '../../support/eventstoredb/node';
import { startProxiedNode } from '../../support/eventstoredb/node';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startCommand,
} from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { startTcpProxy } from '../../support/tcp-proxy';
import { temporaryFolder } from '../../support/temporary-folder';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

const PASSWORD = 's3cret-of-the-store';

/** Where nobody answers. */
async function deadPort(): Promise<number> {
  const proxy = await startTcpProxy({ port: 1 });
  await proxy.close();
  return proxy.port;
}

test.each([
  ['EventStoreDB', 'EVENTSTOREDB_URL', 'esdb', '--event-log', 'eventstoredb', '?tls=false'],
  ['MongoDB', 'MONGODB_URL', 'mongodb', '--documents', 'mongodb', '/reveille'],
])('%s that is not there: one line after the time to wait, and exit code 1', async (...parts) => {
  const [name, setting, protocol, flag, choice, rest] = parts;
  const port = await deadPort();
  const url = `${protocol}://admin:${PASSWORD}@127.0.0.1:${port}${rest}`;
  const args = [
    'serve',
    '--port',
    '0',
    '--data-dir',
    temporaryFolder(),
    flag,
    choice,
    '--store-wait-sec',
    '0',
  ];
  const { exitCode, stdout, stderr } = await runCommand(args, { [setting]: url });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toContain(`error: ${name} at 127.0.0.1:${port} (${setting}) has not answered within 0 s: `);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toContain(PASSWORD);
});

test.each([
  ['EVENTSTOREDB_URL', 'esdb://admin:s3cret-of-the-store@host:port', '--event-log', 'eventstoredb'],
  [
    'EVENTSTOREDB_URL',
    'esdb://admin:s3cret-of-the-store@host?userKeyFile=/none',
    '--event-log',
    'eventstoredb',
  ],
  ['MONGODB_URL', 'mongodb://admin:s3cret-of-the-store@host/?nonsense=1', '--documents', 'mongodb'],
])('%s of %s is refused without its password', async (setting, url, flag, choice) => {
  const args = ['serve', '--port', '0', '--data-dir', temporaryFolder(), flag, choice];
  const { exitCode, stderr } = await runCommand(args, { [setting]: url });
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(setting);
  expect(stderr).not.toContain(PASSWORD);
});

describe('a server whose EventStoreDB comes and goes', () => {
  let node: ProxiedNode;
  beforeEach(async () => (node = await startProxiedNode()));
  afterEach(() => node.stop());

  function start() {
    const url = node.url.replace('esdb://', `esdb://admin:${PASSWORD}@`);
    const settings = { EVENTSTOREDB_URL: url, REVEILLE_NAMESPACE: `test-${Date.now()}` };
    const args = ['serve', '--port', '0', '--data-dir', temporaryFolder(), '--event-log', 'eventstoredb'];
    return startCommand(args, settings);
  }

  test('waits for it with a line every few seconds, serves once it is there, and says when it is away', async () => {
    await node.proxy.refuse();
    const server = start();
    await waitUntil(() => server.stderr().includes('waiting for EventStoreDB at 127.0.0.1:'), 'it says so');
    expect(server.stdout()).toBe('');
    await node.proxy.accept();
    const [, url] = await waitUntil(() => /^listening on (.+)\n/.exec(server.stdout()), 'it serves', 20_000);
    const ready = async () => {
      const answer = await fetch(`${url}/health/ready`);
      return { status: answer.status, text: await answer.text() };
    };
    await waitUntil(async () => (await ready()).status === 200, 'it is ready');

    await node.proxy.refuse();
    const ill = await waitUntil(async () => {
      const answer = await ready();
      return answer.status === 503 ? answer.text : null;
    }, 'it is ill');
    expect(JSON.parse(ill)).toMatchObject({ status: 'ill', eventLog: { status: 'ill' } });
    await node.proxy.accept();
    await waitUntil(async () => (await ready()).status === 200, 'it is ready again');

    server.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await server.exit;
    expect(exitCode).toBe(0);
    expect(ill + stdout + stderr).not.toContain(PASSWORD);
  }, 60_000);

  test('stops at once, and well, when it is told to while it waits', async () => {
    await node.proxy.refuse();
    const server = start();
    await waitUntil(() => server.stderr().includes('waiting for EventStoreDB'), 'it waits');
    const toldAt = Date.now();
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ exitCode: 0, stdout: '' });
    expect(Date.now() - toldAt).toBeLessThan(5_000);
  });
});
