import { createHash } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EchoCompany, expectWork } from './echo-company';
import { problemOf, readModelsProblem } from './read-models';
import type { FaultRun } from './scenario';
import { count } from './scenario';
import { KillableServer } from './killable-server';

const REFUSAL_LIMIT_MS = 20_000;

interface Damage {
  file: string;
  name: string;
  inflict: (path: string) => void;
}

const halve = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
const overwrite = (path: string) => writeFileSync(path, Buffer.alloc(statSync(path).size, 'garbage!'));
const empty = (path: string) => truncateSync(path, 0);
const remove = (path: string) => rmSync(path);

const damages: readonly Damage[] = [
  { file: 'log.db', name: 'half gone', inflict: halve },
  { file: 'log.db', name: 'full of garbage', inflict: overwrite },
  { file: 'log.db', name: 'empty', inflict: empty },
  { file: 'log.db', name: 'gone', inflict: remove },
  { file: 'runlog.db', name: 'full of garbage', inflict: overwrite },
  { file: 'runlog.db', name: 'gone', inflict: remove },
  { file: 'documents.db', name: 'full of garbage', inflict: overwrite },
  { file: 'durable.db', name: 'half gone', inflict: halve },
];

/** A file of the stores is damaged: a start says which one, and changes nothing that could still be saved. */
export async function damagedFiles({ folder, verdicts, faults, say }: FaultRun): Promise<void> {
  const [original, copy] = [join(folder, 'data'), join(folder, 'copy')];
  await makeDataFolder(original);
  for (const { file, name, inflict } of damages) {
    copyFolder(original, copy);
    inflict(join(copy, 'stores', file));
    const problem = await refusalProblem(copy, file);
    const check = 'a start with a damaged file is refused, names it, and changes nothing';
    verdicts.judge(check, problem && `${file} ${name}: ${problem}`);
    count(faults, 'damaged file of a store');
    say(`${file} ${name}: ${problem ?? 'refused'}`);
  }
  copyFolder(original, copy);
  remove(join(copy, 'stores', 'documents.db'));
  const server = new KillableServer(copy);
  const problem = await problemOf(async () => {
    await server.start();
    await expectWork(server);
  });
  verdicts.judge('read models that are gone are built anew', problem ?? (await readModelsProblem(server)));
  await server.end('SIGTERM');
}

async function makeDataFolder(dataDir: string): Promise<void> {
  const server = new KillableServer(dataDir);
  await server.start();
  const company = await EchoCompany.open(server);
  for (let index = 0; index < 10; index++) await company.wake();
  await company.untilAllEnded();
  await server.end('SIGTERM');
}

/** Null where the start is refused as it should be. */
async function refusalProblem(dataDir: string, file: string): Promise<string | null> {
  const before = fingerprints(dataDir);
  const start = new KillableServer(dataDir).begin();
  const timer = setTimeout(() => start.kill('SIGKILL'), REFUSAL_LIMIT_MS);
  // Where it serves, nobody is going to tell it to stop.
  const serving = setInterval(() => start.stdout().includes('listening') && start.kill('SIGKILL'), 50);
  const { exitCode, signal, stderr } = await start.exit;
  clearTimeout(timer);
  clearInterval(serving);
  if (exitCode !== 1) return `it starts (exit code ${exitCode}, signal ${signal})`;
  if (!stderr.includes(file) || /fault of Reveille's own|^ +at /m.test(stderr)) {
    return `the message is no help: ${stderr.slice(0, 300)}`;
  }
  const after = fingerprints(dataDir);
  const changed = [...before].filter(([name, hash]) => after.get(name) !== hash).map(([name]) => name);
  return changed.length === 0 ? null : `it changes ${changed.join(', ')}`;
}

/** Of the files that hold something: a lock and shared memory don't. */
function fingerprints(dataDir: string): Map<string, string> {
  const stores = join(dataDir, 'stores');
  const names = readdirSync(stores).filter((name) => !name.endsWith('-shm'));
  return new Map(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(stores, name)))
        .digest('hex'),
    ]),
  );
}

function copyFolder(original: string, copy: string): void {
  rmSync(copy, { recursive: true, force: true });
  cpSync(original, copy, { recursive: true });
}
