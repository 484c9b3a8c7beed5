import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../support/reveille-process';
import { waitUntil } from '../support/server';
import { temporaryFolder } from '../support/temporary-folder';

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

async function maxRunsOf(url: string): Promise<number> {
  const ready = (await (await fetch(`${url}/health/ready`)).json()) as { runs: { max: number } };
  return ready.runs.max;
}

function settingsFile(settings: object): string {
  const file = join(temporaryFolder(), 'settings.json');
  writeFileSync(file, JSON.stringify(settings));
  return file;
}

test('says where it listens, in one plain line, and serves', async () => {
  const server = await startReveille();
  expect(await (await fetch(`${server.url}/health/live`)).json()).toEqual({ status: 'ok' });
  expect((await fetch(`${server.url}/v1/agents/x`)).status).toBe(401);
  expect(statSync(join(server.dataDir, 'admin-token')).mode & 0o777).toBe(0o600);
  server.kill('SIGTERM');
  expect(await server.exit).toMatchObject({
    exitCode: 0,
    signal: null,
    stdout: `listening on ${server.url}\n`,
    stderr: '',
  });
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test('flags go over the environment, that over the file, that over defaults', async () => {
  const config = ['--config', settingsFile({ maxRuns: 3, logLevel: 'error' })];
  const environment = { REVEILLE_MAX_RUNS: '4' };
  const byFile = await startReveille(config);
  expect(await maxRunsOf(byFile.url)).toBe(3);
  const byEnvironment = await startReveille(config, environment);
  expect(await maxRunsOf(byEnvironment.url)).toBe(4);
  const byFlag = await startReveille([...config, '--max-runs', '5'], environment);
  expect(await maxRunsOf(byFlag.url)).toBe(5);
});

test.each([
  ['an unknown flag', ['--prot', '1'], {}, '--prot'],
  ['a flag without its value', ['--port'], {}, '--port'],
  ['an argument', ['7717'], {}, 'too many arguments'],
  ['a port that is no number', ['--port', 'http'], {}, '--port'],
  ['an empty port', ['--port', ''], {}, '--port'],
  ['a port that cannot be', ['--port', '65536'], {}, '--port'],
  ['an unknown choice', ['--event-log', 'paper'], {}, '--event-log'],
  ['an unknown variable', [], { REVEILLE_PROT: '1' }, 'REVEILLE_PROT'],
  ['a wrong variable', [], { REVEILLE_MAX_RUNS: '0' }, 'REVEILLE_MAX_RUNS'],
  ['an unknown setting in the file', ['--config', settingsFile({ prot: 1 })], {}, 'prot in '],
  ['a wrong setting in the file', ['--config', settingsFile({ port: true })], {}, 'port in '],
  ['a file that is not there', ['--config', '/nowhere/settings.json'], {}, '/nowhere/settings.json'],
  ['no token for the world', ['--auth', 'none', '--host', '0.0.0.0'], {}, '--auth'],
  ['a demo once that is no demo', ['--once'], {}, '--demo'],
])('%s stops the start by name', async (_what, flags, environment, name) => {
  const dataDir = join(temporaryFolder(), 'data');
  const { exitCode, stdout, stderr } = await runCommand(
    ['serve', '--data-dir', dataDir, ...flags],
    environment,
  );
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(/^error: .+\n(\(Did you mean .+\)\n)?$/);
  expect(stderr).toContain(name);
});

test('a second server on the same data folder is refused, and the first one serves on', async () => {
  const first = await startReveille();
  const second = await runCommand(['serve', '--port', '0', '--data-dir', first.dataDir]);
  expect(second).toMatchObject({ exitCode: 1, stdout: '' });
  expect(second.stderr).toBe(
    `error: another server is using the data folder ${first.dataDir}: stop it, or choose another folder with --data-dir\n`,
  );
  expect((await fetch(`${first.url}/health/live`)).status).toBe(200);
});

test('a port that is in use is named, with the way out', async () => {
  const { port } = new URL((await startReveille()).url);
  const other = await runCommand(['serve', '--port', port, '--data-dir', temporaryFolder()]);
  expect(other).toMatchObject({ exitCode: 1, stdout: '' });
  expect(other.stderr).toBe(
    `error: port ${port} of 127.0.0.1 is in use: choose another one with --port, or any free one with --port 0\n`,
  );
});

test('a data folder that cannot be made is named', async () => {
  const file = settingsFile({});
  const { exitCode, stderr } = await runCommand(['serve', '--port', '0', '--data-dir', join(file, 'data')]);
  expect({ exitCode, lines: stderr.split('\n').length }).toEqual({ exitCode: 1, lines: 2 });
  expect(stderr).toContain(`error: cannot use the data folder ${join(file, 'data')}`);
});

test('says aloud that it asks for no token', async () => {
  const server = await startReveille(['--auth', 'none']);
  expect(server.stderr()).toContain('warning: --auth none');
  expect((await fetch(`${server.url}/v1/companies/x`)).status).toBe(404);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s closes it in time, and the same folder serves again',
  async (signal) => {
    const server = await startReveille();
    // A connection that is kept open must not keep the server.
    const idle = await fetch(`${server.url}/health/live`);
    const sentAt = Date.now();
    server.kill(signal);
    expect(await server.exit).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
    expect(Date.now() - sentAt).toBeLessThan(10_000);
    await idle.text().catch(() => undefined);
    const again = await startReveille(['--data-dir', server.dataDir]);
    await waitUntil(async () => (await fetch(`${again.url}/health/ready`)).ok, 'it is ready again');
  },
);
