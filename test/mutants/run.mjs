// Proves that the tests of the pure core can fail: breaks it in one place at a time, in a copy, and expects the tests to
// notice. Prints a table and fails where a mutant survives.
//
//   node test/mutants/run.mjs [--check] [--only TEXT]
//
// `--check` only looks whether every mutant still finds its place; `--only` takes the mutants whose name holds TEXT.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants } from './mutants.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const copied = [
  'src',
  'test/support',
  'test/mutants',
  'test/allowed-skips.json',
  'jest.config.cjs',
  'package.json',
];

const MAX_JOBS = 4;
/** A mutant that hangs is caught, too. */
const LONGEST_TEST_MS = 15_000;
const LONGEST_RUN_MS = 180_000;

const properties = 'src/.*\\.properties\\.unit\\.spec';
const isPure = (file) => /^src\/(kernel|.+\/(domain|projections|sagas))\//.test(file);

const { values: options } = parseArgs({ options: { check: { type: 'boolean' }, only: { type: 'string' } } });

/** The test runs that are going on. */
const running = new Set();
let stopped = false;

const misplaced = mutants.filter((mutant) => mutated(mutant) === undefined);
for (const { name, file } of misplaced) console.error(`does not find its one place in ${file}: ${name}`);
if (misplaced.length > 0) process.exitCode = 1;
else if (!options.check) await main();

async function main() {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  const folder = mkdtempSync(join(tmpdir(), 'reveille-mutants-'));
  try {
    await runAll(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function runAll(folder) {
  const chosen = mutants.filter(({ name }) => name.includes(options.only ?? ''));
  const jobs = Math.min(availableParallelism(), MAX_JOBS, chosen.length);
  const trees = Array.from({ length: jobs }, (_, index) => copyTo(join(folder, `tree-${index}`)));
  const everything = [...chosen.map(({ file }) => examplesFor(file)), properties];
  const failure = await runTests(trees[0], [...new Set(everything)]);
  if (failure) throw new Error(`the tests fail without any mutant: ${failure}`);

  const waiting = [...chosen];
  const results = [];
  const work = async (tree) => {
    for (let mutant = waiting.shift(); mutant && !stopped; mutant = waiting.shift()) {
      const result = await tryOne(tree, mutant);
      console.log(lineOf(result));
      results.push(result);
    }
  };
  await Promise.all(trees.map(work));
  const survivors = results.filter(({ survives }) => survives);
  console.log(
    `\n${results.length} mutants, ${results.length - survivors.length} caught, ${survivors.length} survived`,
  );
  for (const { name, survives } of survivors) console.log(`survived ${survives}: ${name}`);
  if (survivors.length > 0 || stopped) process.exitCode = 1;
}

function stop() {
  stopped = true;
  for (const child of running) child.kill();
}

function copyTo(tree) {
  for (const path of copied) cpSync(join(root, path), join(tree, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/**
 * The examples beside the broken file come first. The property tests follow where those notice nothing, and where the
 * mutant says that the properties have to find it without their help.
 */
async function tryOne(tree, mutant) {
  const since = Date.now();
  const path = join(tree, mutant.file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, mutated(mutant, tree));
  try {
    const byExamples = await runTests(tree, [examplesFor(mutant.file)], [properties]);
    const asksProperties = mutant.properties || (isPure(mutant.file) && !byExamples);
    const byProperties = asksProperties && (await runTests(tree, [properties]));
    const escapes = mutant.properties && !byProperties ? 'the property tests' : null;
    const survives = byExamples || byProperties ? escapes : 'all tests';
    return { name: mutant.name, byExamples, byProperties, survives, seconds: (Date.now() - since) / 1000 };
  } finally {
    writeFileSync(path, original);
  }
}

function examplesFor(file) {
  return `${dirname(file)}/[^/]+\\.unit\\.spec`;
}

/** Answers what failed, or null. A test file that cannot even be loaded proves nothing. */
function runTests(tree, patterns, ignored = []) {
  const args = [
    ...[join('node_modules', 'jest', 'bin', 'jest.js'), '--runInBand', '--bail', '--no-watchman'],
    ...['--testTimeout', `${LONGEST_TEST_MS}`],
    ...['--cacheDirectory', join(tree, '..', 'cache'), '--setupFiles', './test/mutants/no-shrinking.cjs'],
    ...['--testPathIgnorePatterns', '/node_modules/', ...ignored, '--testPathPatterns', ...patterns],
  ];
  const child = spawn(process.execPath, args, { cwd: tree, timeout: LONGEST_RUN_MS });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      const failure = /^ {2}● (.+)$/m.exec(output)?.[1];
      if (code === 0) resolve(null);
      else if (code === null) resolve('hangs');
      else if (failure && failure !== 'Test suite failed to run') resolve(failure);
      else reject(new Error(`the tests could not be run:\n${output}`));
    });
  });
}

/** The file with the mutation in it; undefined where its place is not there, or there more than once. */
function mutated({ file, find, replace }, folder = root) {
  const text = readFileSync(join(folder, file), 'utf8');
  const parts = text.split(find);
  return parts.length === 2 ? parts.join(replace) : undefined;
}

function lineOf({ name, byExamples, byProperties, seconds, survives }) {
  const verdict = survives ? 'SURVIVES' : 'caught';
  const by = [byExamples, byProperties && `property: ${byProperties}`].filter(Boolean).join(' | ');
  return `${verdict.padEnd(9)} ${seconds.toFixed(1).padStart(5)} s  ${name.padEnd(64)} ${by}`;
}
