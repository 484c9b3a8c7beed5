// Builds the MongoDB-wire server of the tests (main.go), once. Does nothing where there is another server already.
// Exits with 0 where tests have a server, with 3 where Go is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, '..', '..', '..', 'node_modules', '.cache', 'reveille', 'mongo-wire');

const isThere = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const isFresh = () =>
  existsSync(built) &&
  ['main.go', 'go.mod'].every((file) => statSync(join(here, file)).mtimeMs <= statSync(built).mtimeMs);

function provide() {
  if (process.env.MONGODB_URL) return 'MONGODB_URL names a MongoDB server';
  if (isThere('mongod', '--version')) return 'mongod is on the path';
  if (isFresh()) return 'the MongoDB-wire server is built already';
  if (!isThere('go', 'version')) return null;
  mkdirSync(dirname(built), { recursive: true });
  const { status } = spawnSync('go', ['build', '-trimpath', '-o', built, '.'], {
    cwd: here,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  return 'the MongoDB-wire server has been built';
}

const found = provide();
console.log(found ?? 'there is neither MONGODB_URL, nor mongod, nor Go: tests on MongoDB will be skipped');
process.exit(found === null ? 3 : 0);
