import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNode } from '../support/run-command';
import { temporaryFolder } from '../support/temporary-folder';

const root = join(__dirname, '..', '..');
const toolchain = ['bin', 'scripts', 'nest-cli.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const building = 'reveille: building, because the sources have changed since the last build\n';

let checkout: string;

/** A checkout with this project's tools and a program that prints its version and its arguments. */
beforeEach(() => {
  checkout = temporaryFolder('checkout-');
  for (const name of toolchain) cpSync(join(root, name), join(checkout, name), { recursive: true });
  // Each package for itself, so that the checkout has a cache folder, and with it a build lock, of its own.
  mkdirSync(join(checkout, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => !entry.startsWith('.'))) {
    symlinkSync(join(root, 'node_modules', name), join(checkout, 'node_modules', name));
  }
  mkdirSync(join(checkout, 'src'));
  writeVersion('1');
});

function writeVersion(version: string): void {
  const text = `const version: number = ${version};\nconsole.log(version, ...process.argv.slice(2));\n`;
  writeFileSync(join(checkout, 'src', 'main.ts'), text);
}

function reveille(...args: string[]) {
  return runNode([join(checkout, 'bin', 'reveille.mjs'), ...args], { cwd: '/' });
}

test('builds once, and again when a source has changed', async () => {
  expect(await reveille('serve', '--port', '0')).toEqual({
    exitCode: 0,
    stdout: '1 serve --port 0\n',
    stderr: building,
  });
  expect(await reveille()).toEqual({ exitCode: 0, stdout: '1\n', stderr: '' });
  writeVersion('2');
  expect(await reveille()).toEqual({ exitCode: 0, stdout: '2\n', stderr: building });
});

test('a build by hand counts, and so does the file beside the sources that it copies', async () => {
  mkdirSync(join(checkout, 'src', 'runner'));
  writeFileSync(join(checkout, 'src', 'runner', 'wrapper.sh'), '#!/bin/sh\n');
  expect(await runNode([join(checkout, 'scripts', 'build.mjs')], { cwd: '/' })).toMatchObject({
    exitCode: 0,
  });
  expect(existsSync(join(checkout, 'dist', 'runner', 'wrapper.sh'))).toBe(true);
  expect(await reveille()).toEqual({ exitCode: 0, stdout: '1\n', stderr: '' });
});

test('of several starts at once one builds and all run', async () => {
  const runs = await Promise.all([reveille('a'), reveille('b'), reveille('c')]);
  expect(runs.map(({ stdout }) => stdout)).toEqual(['1 a\n', '1 b\n', '1 c\n']);
  expect(runs.map(({ stderr }) => stderr).join('')).toBe(building);
});

test('a broken build stops the start, every time, and leaves nothing old to run', async () => {
  await reveille();
  writeVersion('"two"');
  for (const attempt of ['first', 'second']) {
    const broken = await reveille(attempt);
    expect(broken).toMatchObject({ exitCode: 1, stdout: '' });
    expect(broken.stderr).toContain('src/main.ts');
    expect(broken.stderr).toContain('reveille: the build failed\n');
  }
});

test('without installed packages it says what to do', async () => {
  rmSync(join(checkout, 'node_modules'), { recursive: true });
  const stderr = 'reveille: there is nothing to build with: run `npm ci` first\n';
  expect(await reveille()).toEqual({ exitCode: 1, stdout: '', stderr });
});

test.each([
  ['18.20.8', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['21.7.3', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['24.1.0', true],
])('Node %s is good enough: %s', async (version, isGoodEnough) => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
  const args = ['--import', `data:text/javascript,${pretend}`, join(checkout, 'scripts', 'node-version.mjs')];
  const { exitCode, stderr } = await runNode(args, { cwd: '/' });
  expect(exitCode).toBe(isGoodEnough ? 0 : 1);
  expect(stderr.includes(`needs Node.js 20.19 or newer (of 22: 22.12 or newer); this is ${version}`)).toBe(
    !isGoodEnough,
  );
});
