import type { Config } from 'jest';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findMarkedProcesses } from '../support/jest/marked-processes';
import { runNode, type CommandResult } from '../support/run-command';
import { temporaryFolder } from '../support/temporary-folder';

const root = join(__dirname, '..', '..');
const jestCli = join(root, 'node_modules', 'jest', 'bin', 'jest.js');

const projectConfig = jest.requireActual<Config>('../../jest.config.cjs');

/** Runs jest, with this project's configuration, on one test file with the given text. */
function runTests(text: string, { only = '', allowedSkips = [] as string[] } = {}): Promise<CommandResult> {
  const folder = temporaryFolder();
  const [defaultReporter, closingLine] = projectConfig.reporters as [string, string];
  const reporters = [defaultReporter, [closingLine, { allowedSkips }]];
  writeFileSync(join(folder, 'a.unit.spec.ts'), text);
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...projectConfig, rootDir: root, roots: [folder], reporters }),
  );
  const pick = only ? ['--testNamePattern', only] : [];
  return runNode([jestCli, '--config', join(folder, 'config.json'), ...pick], { cwd: root });
}

test('a good run passes and closes with its counts', async () => {
  const { exitCode, stdout } = await runTests(`test('works', () => {}); test('works too', () => {});`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '2 passed, 0 failed, 0 skipped\n' });
});

test('a failing test and a file that cannot be loaded fail the run', async () => {
  const failing = await runTests(`test('fails', () => { throw new Error('no'); });`);
  expect(failing).toMatchObject({ exitCode: 1, stdout: '0 passed, 1 failed, 0 skipped\n' });
  const unloadable = await runTests(`import './nothing'; test('works', () => {});`);
  expect(unloadable).toMatchObject({ exitCode: 1, stdout: '0 passed, 1 failed, 0 skipped\n' });
});

test('a skip that nobody allowed fails the run, by name', async () => {
  const text = `test('works', () => {}); describe('in the rain', () => { test.skip('floats', () => {}); });`;
  const skipped = await runTests(text);
  expect(skipped).toMatchObject({ exitCode: 1, stdout: '1 passed, 0 failed, 1 skipped\n' });
  expect(skipped.stderr).toContain('not in test/allowed-skips.json:\n  in the rain floats\n');
  expect(await runTests(text, { only: 'works' })).toMatchObject({ exitCode: 0 });
});

test('a skip for want of something is known by its reason', async () => {
  const text = `
    import { describeWhen, testWhen } from '${join(root, 'test', 'support', 'skips')}';
    testWhen(false, 'no rain')('floats', () => {});
    describeWhen(false, 'no wind')('in the air', () => test('flies', () => {}));
  `;
  const run = await runTests(text);
  expect(run).toMatchObject({ exitCode: 1, stdout: '0 passed, 0 failed, 2 skipped\n' });
  expect(run.stderr).toContain(
    'skipped: floats [skipped: no rain]\nskipped: in the air [skipped: no wind] flies\n',
  );
});

test('a process that outlives the tests fails the run and is ended', async () => {
  const run = await runTests(`
    import { spawn } from 'node:child_process';
    test('leaks', () => { spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).unref(); });
  `);
  expect(run).toMatchObject({ exitCode: 1, stdout: '1 passed, 0 failed, 0 skipped\n' });
  expect(run.stderr).toMatch(/process \d+ of a\.unit-\w+: sleep 60\n/);
  // The inner run's temporary folder is inside this file's, and so the name of this one is in its environment too.
  expect(findMarkedProcesses(basename(tmpdir()))).toEqual([]);
});
