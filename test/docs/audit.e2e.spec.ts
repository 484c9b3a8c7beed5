import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReveilleProcess } from '../support/reveille-process';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../support/reveille-process';
import { ReveilleClient } from '../../src/client';
import { temporaryFolder } from '../support/temporary-folder';

/** What docs/audit.md tells an outsider to do, done as it stands there: to an export, and to what others made of one. */

const root = join(__dirname, '..', '..');
let server: ReveilleProcess;
let company: { id: string };
let environment: Record<string, string>;
let folder: string;
let exported: string;
let key: string;

interface Line {
  kind: string;
  stream: string;
  revision: number;
  id: string;
  data?: string;
  base64?: string;
  metadata: { hash: string; actor: { id: string | null } };
  heads: [stream: string, from: number, revision: number, hash: string, metadata: string][];
}

function clientOf({ url, dataDir }: ReveilleProcess): ReveilleClient {
  return new ReveilleClient({ url, token: readFileSync(join(dataDir, 'admin-token'), 'utf8').trim() });
}

function reveille(...args: string[]) {
  return runCommand(args, environment);
}

beforeAll(async () => {
  await ensureBuilt();
  folder = temporaryFolder();
  server = await startReveille(['--audit-checkpoint-events', '20']);
  environment = { REVEILLE_URL: server.url, REVEILLE_DATA_DIR: server.dataDir };
  const api = clientOf(server);
  company = await api.registerCompany({ name: 'Acme' });
  const other = await api.registerCompany({ name: 'Other' });
  for (const { id } of [company, other]) {
    const adapterConfig = { command: 'sh', args: ['-c', 'echo héllo; head -c 3 /dev/urandom'] };
    const agent = await api.registerAgent(id, { name: 'Ada', adapterType: 'process', adapterConfig });
    for (let run = 0; run < 4; run += 1) await api.untilSettled((await api.wake(agent.id)).wakeup.id);
  }
  exported = join(folder, 'acme.ndjson');
  const { exitCode, stdout } = await reveille('audit', 'export', '--company', company.id, '--out', exported);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${exported}\n` });
  key = join(folder, 'key.pem');
  writeFileSync(key, (await reveille('audit', 'key')).stdout);
  const [, script] = /^```js\n(.*?)^```$/ms.exec(readFileSync(join(root, 'docs', 'audit.md'), 'utf8'))!;
  writeFileSync(join(folder, 'verify.mjs'), script!);
}, BUILD_TIMEOUT_MS);

afterAll(killCommands);

/** The outsider's own verification. */
function outsider(file: string): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(folder, 'verify.mjs'), file, key], (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

function lines(): Line[] {
  return linesOf(exported);
}

function linesOf(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function written(changed: readonly Line[]): string {
  const file = join(temporaryFolder(), 'tampered.ndjson');
  writeFileSync(file, changed.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

test('about thirty lines, and they verify an export', async () => {
  const { exitCode, stdout, stderr } = await outsider(exported);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/^verified: 1\d streams, \d+ checkpoints, the last one [0-9a-f]{64}\n$/);
  const own = await reveille('audit', 'verify', '--file', exported, '--key', key);
  expect(own).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^verified: \d+ events, \d+ checkpoints, 0 events/),
  });
});

test('the key is for its owner only, and is the one that the server shows', () => {
  expect(statSync(join(server.dataDir, 'audit.key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(key, 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  expect(existsSync(`${exported}.part`)).toBe(false);
});

test('nothing of another company is in it', () => {
  const names = new Set(
    lines()
      .filter(({ kind }) => kind === 'event')
      .map(({ stream }) => stream.split(/[-.]/)[0]),
  );
  expect([...names].sort()).toEqual(['agent', 'company', 'run', 'runlog']);
  const text = readFileSync(exported, 'utf8');
  const others = [...text.matchAll(/"companyId":"([^"]+)"/g)].filter(([, id]) => id !== company.id);
  expect(others).toEqual([]);
});

const isRun = ({ kind, stream }: Line) => kind === 'event' && stream.startsWith('run-');
const isOutput = ({ kind, stream, base64 }: Line) =>
  kind === 'event' && stream.startsWith('runlog-') && base64 !== undefined;

const tamperings: [what: string, tamper: (all: Line[]) => { changed: Line[]; names: string }][] = [
  [
    'a changed byte',
    (all) => {
      const event = all.find(isRun)!;
      event.data = event.data!.replace('run queued', 'run Queued');
      return { changed: all, names: `${event.stream}, revision ${event.revision}, id ${event.id}` };
    },
  ],
  [
    'a changed byte of output',
    (all) => {
      const event = all.find(isOutput)!;
      event.base64 = `${event.base64!.slice(0, -4)}AAAA`;
      return { changed: all, names: `${event.stream}, revision ${event.revision}, id ${event.id}` };
    },
  ],
  [
    'a removed event',
    (all) => {
      const event = all.find((line) => isRun(line) && line.revision === 1)!;
      return { changed: all.filter((line) => line !== event), names: `${event.stream}, revision 2` };
    },
  ],
  [
    'two swapped events',
    (all) => {
      const [one, other] = all.filter((line) => isRun(line) && line.revision > 0);
      [one!.data, other!.data] = [other!.data!, one!.data!];
      return { changed: all, names: `${one!.stream}, revision ${one!.revision}, id ${one!.id}` };
    },
  ],
  [
    'a cut-off end',
    (all) => {
      const { stream } = all.find(isRun)!;
      const last = all.filter((line) => line.kind === 'event' && line.stream === stream).at(-1)!;
      return { changed: all.filter((line) => line !== last), names: `${stream}, revision` };
    },
  ],
  [
    'a removed stream',
    (all) => {
      const { stream } = all.find(isOutput)!;
      return { changed: all.filter((line) => line.stream !== stream), names: `${stream}, revision` };
    },
  ],
  [
    'another actor',
    (all) => {
      const event = all.find(isRun)!;
      event.metadata.actor.id = 'somebody else';
      return { changed: all, names: `${event.stream}, revision` };
    },
  ],
  [
    'heads that were left out',
    (all) => {
      const checkpoint = all.find(({ kind, heads }) => kind === 'checkpoint' && heads.length > 1)!;
      checkpoint.heads.pop();
      return { changed: all, names: 'checkpoint' };
    },
  ],
  [
    'a removed checkpoint',
    (all) => ({
      changed: all.filter((line) => line !== all.find(({ kind }) => kind === 'checkpoint')),
      names: 'checkpoint 2',
    }),
  ],
  ['a missing end', (all) => ({ changed: all.slice(0, -1), names: 'no end' })],
];

test.each(tamperings)(
  '%s is found and named, by the outsider and by `audit verify`',
  async (_what, tamper) => {
    const { changed, names } = tamper(lines());
    const file = written(changed);
    const { exitCode, stdout, stderr } = await outsider(file);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain(names);
    const own = await reveille('audit', 'verify', '--file', file, '--key', key);
    expect(own.exitCode).toBe(1);
    const stream = names.split(',')[0]!;
    expect(own.stdout + own.stderr).toContain(stream);
  },
);

test('an export that was broken off is gone on with, and is the same', async () => {
  const again = join(temporaryFolder(), 'acme.ndjson');
  const text = readFileSync(exported, 'utf8');
  writeFileSync(`${again}.part`, text.slice(0, text.length / 2));
  const { exitCode } = await reveille('audit', 'export', '--company', company.id, '--out', again);
  expect(exitCode).toBe(0);
  expect(readFileSync(again, 'utf8')).toBe(text);
});

test('output that has aged out is not missed, by the outsider nor by `audit verify`; before its time it is', async () => {
  const [file, api] = [join(temporaryFolder(), 'brief.ndjson'), clientOf(server)];
  const { id } = await api.registerCompany({ name: 'Brief', logRetentionDays: 30 });
  const adapterConfig = { command: 'sh', args: ['-c', 'echo one; sleep 0.2; echo two'] };
  const agent = await api.registerAgent(id, { name: 'Ada', adapterType: 'process', adapterConfig });
  await api.untilSettled((await api.wake(agent.id)).wakeup.id);
  await reveille('audit', 'export', '--company', id, '--out', file);
  const all = linesOf(file);
  const output = all.filter(isOutput);
  expect(output.length).toBeGreaterThan(1);
  const verified = async (changed: readonly Line[]) => {
    const tampered = written(changed);
    const own = await reveille('audit', 'verify', '--file', tampered, '--key', key);
    return { outsider: await outsider(tampered), own };
  };

  const later = (exportedAt: string) =>
    all.map((line) => (line.kind === 'export' ? { ...line, exportedAt } : line));
  const without = (lines: readonly Line[], gone: readonly Line[]) =>
    lines.filter(({ kind, id: eventId }) => kind !== 'event' || !gone.some((one) => one.id === eventId));
  for (const gone of [output, output.slice(0, 1)]) {
    const aged = await verified(without(later('2090-01-01T00:00:00.000Z'), gone));
    expect(aged.outsider.stdout).toMatch(/^verified: .+; aged out: the output of 1 runs\n$/);
    expect(aged.own.stdout).toMatch(/^verified: .+\naged out: the output of 1 run \(\d+ events, \d+ B\)/);
    const early = await verified(without(all, gone));
    expect(early.outsider.stdout).toContain(`${output[0]!.stream}, revision`);
    expect([early.outsider.exitCode, early.own.exitCode]).toEqual([1, 1]);
  }
  const finalized = all.find(({ stream, data }) => stream === output[0]!.stream && data !== undefined)!;
  const changed = without(later('2090-01-01T00:00:00.000Z'), output).map((line) =>
    line.id === finalized.id ? { ...line, data: line.data!.replace('"logBytes":', '"logBytes":1') } : line,
  );
  const found = await verified(changed);
  expect([found.outsider.exitCode, found.own.exitCode]).toEqual([1, 1]);
  expect(found.outsider.stdout).toContain(finalized.id);
});
