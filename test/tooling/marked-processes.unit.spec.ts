import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findMarkedProcesses, waitUntilGone } from '../support/jest/marked-processes';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder('marker-');
const marker = basename(folder);

let child: ChildProcess | undefined;

async function start(env: Record<string, string>, cwd = '/', args = ['60']): Promise<void> {
  child = spawn('sleep', args, {
    detached: true,
    stdio: 'ignore',
    cwd,
    env: { PATH: process.env.PATH, ...env },
  });
  await once(child, 'spawn');
}

async function end(): Promise<void> {
  if (!child?.kill('SIGKILL')) return;
  await once(child, 'exit');
}

afterEach(end);

test('a detached process is found by its environment until it ends', async () => {
  await start({ REVEILLE_TEST_RUN: marker });
  expect(findMarkedProcesses(marker)).toEqual([
    { pid: child?.pid, commandLine: 'sleep 60', startedBy: null },
  ]);
  await end();
  expect(findMarkedProcesses(marker)).toEqual([]);
});

test('a path in the environment is enough, and tells which test file it was', async () => {
  await start({ REVEILLE_CONTEXT_FILE: join(folder, 'runs.e2e-AbCdEf', 'context.json') });
  expect(findMarkedProcesses(marker)).toMatchObject([{ pid: child?.pid, startedBy: 'runs.e2e-AbCdEf' }]);
});

test('a process is found by its working folder', async () => {
  await start({}, mkdtempSync(join(folder, 'data-')));
  expect(findMarkedProcesses(marker)).toMatchObject([{ pid: child?.pid }]);
});

test('other processes are left out', async () => {
  await start({ REVEILLE_TEST_RUN: 'another' });
  expect(findMarkedProcesses(marker)).toEqual([]);
});

test('waits for a process that is on its way out', async () => {
  await start({ REVEILLE_TEST_RUN: marker }, '/', ['0.2']);
  expect(findMarkedProcesses(marker)).toHaveLength(1);
  await waitUntilGone(marker, 10_000);
  expect(findMarkedProcesses(marker)).toEqual([]);
});
