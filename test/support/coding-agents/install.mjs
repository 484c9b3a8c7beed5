// Installs the coding agents that the tests execute, each into a folder of its own beside the other things that are
// made once: none of them is a dependency. What is there already stays. `node install.mjs [NAME…]`; exits with 1 where
// one of them is not to be had: its tests are then skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const agents = JSON.parse(readFileSync(join(here, 'agents.json'), 'utf8'));
const cache = join(here, '..', '..', '..', 'node_modules', '.cache', 'reveille', 'agents');

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(agents);
const missing = names.filter((name) => !provide(name, agents[name]));
if (missing.length > 0) console.error(`not to be had: ${missing.join(', ')}`);
process.exit(missing.length === 0 ? 0 : 1);

function provide(name, { package: wanted, version, scripts }) {
  const folder = join(cache, name);
  if (versionIn(folder, wanted) === version) return true;
  mkdirSync(folder, { recursive: true });
  const manifest = { private: true, ...(scripts && { allowScripts: { [wanted]: true } }) };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', `${wanted}@${version}`];
  spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 2, 2] });
  return versionIn(folder, wanted) === version;
}

function versionIn(folder, name) {
  const manifest = join(folder, 'node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null;
}
