import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ReveilleProcess } from '../support/reveille-process';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../support/reveille-process';
import { temporaryFolder } from '../support/temporary-folder';

const root = join(__dirname, '..', '..');
const run = promisify(execFile);

/** The package as somebody else has installed it. */
let project: string;

beforeAll(async () => {
  await ensureBuilt();
  project = temporaryFolder();
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'reveille'));
}, BUILD_TIMEOUT_MS);
afterAll(killCommands);

describe('docs/client.md', () => {
  let server: ReveilleProcess;

  beforeAll(async () => {
    server = await startReveille();
  }, BUILD_TIMEOUT_MS);

  test('its example works as it stands', async () => {
    const text = readFileSync(join(root, 'docs', 'client.md'), 'utf8');
    const [, example] = /^```js\n(.*?)^```$/ms.exec(text)!;
    const file = join(project, 'example.mjs');
    writeFileSync(file, example!);
    const token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
    const env = { ...process.env, REVEILLE_URL: server.url, REVEILLE_TOKEN: token };
    const { stdout } = await run(process.execPath, [file], { cwd: project, env });
    expect(stdout).toBe('running\nGood morning.\n\nsucceeded\n404 agent_not_found\n');
  });
});

test('the client is also there for require, and loads nothing but itself', async () => {
  const script = `
    const { ReveilleClient } = require('reveille/client');
    const loaded = Object.keys(require.cache).filter((file) => !file.includes('/dist/client/'));
    console.log(typeof ReveilleClient, JSON.stringify(loaded));`;
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: project });
  expect(stdout).toBe('function []\n');
});

test('its types are there, and know what a message holds', async () => {
  const file = join(project, 'types.ts');
  writeFileSync(
    file,
    `import { ReveilleClient } from 'reveille/client';
     export async function costOf(client: ReveilleClient, runId: string): Promise<number | null> {
       for await (const message of client.follow(runId)) {
         if (message.type === 'heartbeat.run.status') message.payload.status satisfies string;
       }
       // @ts-expect-error there is no such field
       void (await client.run(runId)).costs;
       return (await client.run(runId)).costMicros;
     }`,
  );
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--lib',
    'es2023',
  ];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  await run(process.execPath, [compiler, ...flags, ...types, file], { cwd: project }).catch(
    (error: { stdout: string }) => {
      throw new Error(error.stdout);
    },
  );
}, 60_000);
