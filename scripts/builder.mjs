import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = ['src', 'nest-cli.json', 'package.json', 'tsconfig.build.json', 'tsconfig.json'];
const stampFile = join(root, 'dist', '.build-stamp');
const nestCli = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
const lockFolder = join(root, 'node_modules', '.cache', 'reveille');

const LOCK_WAIT_MS = 5 * 60_000;

/** An expected failure, already explained by its message or by what the compiler printed. */
export class BuildFailed extends Error {}

/** False for an installed package, which brings its build along. */
export function isCheckout() {
  return existsSync(join(root, 'src', 'main.ts'));
}

/** Builds where `dist` is not what the sources say. Of several callers at once one builds and the others wait for it. */
export async function ensureBuilt() {
  if (isUpToDate()) return;
  await locked(async () => {
    if (isUpToDate()) return;
    console.error('reveille: building, because the sources have changed since the last build');
    await compile();
  });
}

/** Builds in any case. */
export async function build() {
  await locked(compile);
}

// The stamp holds what was built, not when: neither a checkout's new file times nor a wrong clock matter.
function isUpToDate() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint();
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of sources.flatMap(filesBelow)) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesBelow(path) {
  if (!statSync(join(root, path)).isDirectory()) return path.endsWith('.spec.ts') ? [] : [path];
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`));
}

async function compile() {
  const fingerprintBefore = fingerprint();
  const { code, signal } = await nestBuild();
  if (signal) process.kill(process.pid, signal);
  if (code !== 0) throw new BuildFailed('the build failed');
  // Written last, into the folder that a build empties first: a broken build leaves none. A file that was saved while
  // the compiler ran gives another fingerprint, and so another build.
  writeFileSync(stampFile, fingerprintBefore);
}

function nestBuild() {
  // Standard output belongs to whoever is started after the build.
  const child = spawn(process.execPath, [nestCli, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  const passOn = (signal) => child.kill(signal);
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      resolve({ code, signal });
    });
  });
}

/** A database's lock, because the system takes it back from a process that dies, however it dies. */
async function locked(work) {
  if (!existsSync(nestCli)) throw new BuildFailed('there is nothing to build with: run `npm ci` first');
  const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite');
  mkdirSync(lockFolder, { recursive: true });
  const lock = new DatabaseSync(join(lockFolder, 'build.lock'));
  try {
    lock.exec(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}; BEGIN EXCLUSIVE`);
    await work();
  } finally {
    lock.close();
  }
}
