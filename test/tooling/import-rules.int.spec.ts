import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runNode } from '../support/run-command';
import { temporaryFolder } from '../support/temporary-folder';

const root = join(__dirname, '..', '..');
const rulesFile = join(root, '.dependency-cruiser.cjs');
const cruise = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');

/** One import that breaks one rule: the rule, the file that imports, and the file or package that it imports. */
const forbidden: [rule: string, from: string, to: string][] = [
  ['no-cycles', 'src/http/chicken.ts', 'src/http/egg.ts'],
  ['no-unresolvable', 'src/http/lost.ts', './nowhere'],
  ['no-undeclared-packages', 'src/http/tester.ts', 'dev-tool'],
  ['no-test-code-in-src', 'src/http/tested.ts', 'test/support/anything.ts'],
  ['kernel-stands-alone', 'src/kernel/slow.ts', 'fs'],
  ['kernel-stands-alone', 'src/kernel/fat.ts', 'zod'],
  ['domain-is-pure', 'src/agents/domain/random.ts', 'crypto'],
  ['domain-is-pure', 'src/agents/domain/stateful.ts', 'src/agents/agents.store.ts'],
  ['projections-and-sagas-are-pure', 'src/agents/projections/curious.ts', 'src/documents/document-store.ts'],
  ['projections-and-sagas-are-pure', 'src/agents/sagas/hasty.ts', 'src/processing/saga-runner.ts'],
  ['event-log-sees-the-kernel', 'src/event-log/embedded/knowing.ts', 'src/agents/agents.store.ts'],
  ['documents-see-the-kernel', 'src/documents/embedded/knowing.ts', 'src/agents/agents.store.ts'],
  ['sqlite-sees-nothing', 'src/sqlite/knowing.ts', 'src/agents/agents.store.ts'],
  ['processing-sees-ports', 'src/processing/knowing.ts', 'src/agents/agents.store.ts'],
  ['adapters-see-the-kernel', 'src/adapters/process/knowing.ts', 'src/agents/agents.store.ts'],
  ['live-sees-ports', 'src/live/curious.ts', 'src/agents/agents.store.ts'],
  ['runner-sees-ports-and-adapters', 'src/runner/knowing.ts', 'src/agents/agents.store.ts'],
  ['client-stands-alone', 'src/client/heavy.ts', 'src/agents/agents.store.ts'],
  ['command-line-is-a-client', 'src/cli/direct.ts', 'src/agents/agents.store.ts'],
  ['backends-stay-apart', 'src/event-log/eventstoredb/copycat.ts', 'src/event-log/embedded/backend.ts'],
  ['backends-are-chosen-at-the-root', 'src/agents/choosy.ts', 'src/event-log/embedded/backend.ts'],
  ['the-root-is-on-top', 'src/agents/climber.ts', 'src/app.module.ts'],
  ['sqlite-in-one-folder', 'src/documents/embedded/direct.ts', '@photostructure/sqlite'],
  ['eventstoredb-in-one-folder', 'src/event-log/embedded/stray.ts', '@eventstore/db-client'],
  ['mongodb-in-one-folder', 'src/documents/embedded/stray.ts', 'mongodb'],
  ['processes-in-one-folder', 'src/agents/spawning.ts', 'child_process'],
  ['nest-at-the-edge', 'src/runner/injected.ts', '@nestjs/common'],
];

/** Files that are themselves what is forbidden. */
const forbiddenFiles: [rule: string, file: string][] = [
  ['no-orphans', 'test/support/forgotten.ts'],
  ['no-dead-code', 'src/http/dead.ts'],
];

const allowed: [from: string, to: string][] = [
  ['src/http/egg.ts', 'src/http/chicken.ts'],
  ['src/kernel/ids.ts', 'crypto'],
  ['src/agents/domain/agent.ts', 'src/kernel/ids.ts'],
  ['src/agents/sagas/agent.saga.ts', 'src/agents/domain/agent.ts'],
  ['src/runs/projections/runs.projection.ts', 'src/processing/projection.ts'],
  ['src/sqlite/sqlite.ts', '@photostructure/sqlite'],
  ['src/event-log/embedded/log.ts', 'src/sqlite/sqlite.ts'],
  ['src/event-log/eventstoredb/log.ts', '@eventstore/db-client'],
  ['src/runner/spawn.ts', 'child_process'],
  ['src/app.module.ts', '@nestjs/common'],
  ['src/http/dead.ts', 'src/kernel/ids.ts'],
];

const packages = ['@eventstore/db-client', '@nestjs/common', '@photostructure/sqlite', 'mongodb', 'zod'];

interface Violation {
  from: string;
  to: string;
  rule: { name: string };
}

/** A project that breaks every rule once, and no other thing. */
function writeProject(): string {
  const project = temporaryFolder();
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(project, file)), { recursive: true });
    writeFileSync(join(project, file), text);
  };
  const imports = [...forbidden.map(([, from, to]) => [from, to] as const), ...allowed];
  for (const [, to] of imports.filter(([, target]) => target.endsWith('.ts'))) write(to, 'export {};\n');
  for (const [, file] of forbiddenFiles) write(file, 'export {};\n');
  for (const [from, to] of imports) write(from, `import '${specifier(from, to)}';\n`);
  const used = imports.map(([from]) => from).filter((from) => from !== 'src/http/dead.ts');
  write('src/main.ts', used.map((from) => `import '${specifier('src/main.ts', from)}';\n`).join(''));
  for (const name of [...packages, 'dev-tool']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
  }
  const dependencies = Object.fromEntries(packages.map((name) => [name, '1.0.0']));
  write('package.json', JSON.stringify({ dependencies, devDependencies: { 'dev-tool': '1.0.0' } }));
  write('tsconfig.json', '{}');
  return project;
}

function specifier(from: string, to: string): string {
  if (!to.endsWith('.ts')) return to;
  const path = relative(dirname(from), to.replace(/\.ts$/, ''));
  return path.startsWith('.') ? path : `./${path}`;
}

/** `node_modules/zod/index.js` → `zod` */
function packageOr(path: string): string {
  return path.replace(/^node_modules\/(.*)\/index\.js$/, '$1');
}

test('every import rule fails on what it forbids, and on nothing else', async () => {
  const args = [cruise, '--config', rulesFile, '--output-type', 'json', 'src', 'test'];
  const { stdout } = await runNode(args, { cwd: writeProject() });
  const { violations } = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary;
  const found = violations.map(({ rule, from, to }) => [rule.name, from, packageOr(to)]);
  const expected = [...forbidden, ...forbiddenFiles.map(([rule, file]) => [rule, file, file])];
  expect(found.sort()).toEqual(expected.sort());
});

test('every import rule is tried', () => {
  const { forbidden: rules } = jest.requireActual<{ forbidden: { name: string }[] }>(rulesFile);
  const tried = new Set([...forbidden, ...forbiddenFiles].map(([rule]) => rule));
  expect(rules.map(({ name }) => name).sort()).toEqual([...tried].sort());
});
