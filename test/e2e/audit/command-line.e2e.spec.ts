import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ReveilleClient } from '../../../src/client';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startCommand,
  startReveille,
} from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

/** `reveille audit …` as people read it. */

let environment: Record<string, string>;
let agentId: string;
let runId: string;

beforeAll(async () => {
  await ensureBuilt();
  const server = await startReveille(['--auth', 'none']);
  environment = { REVEILLE_URL: server.url };
  const api = new ReveilleClient({ url: server.url });
  const { id } = await api.registerCompany({ name: 'Acme' });
  const agent = await api.registerAgent(id, {
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: 'true' },
  });
  agentId = agent.id;
  const { wakeup, run } = await api.wake(agentId, { reason: 'the \u001b[31mboard\nasked' });
  await api.untilSettled(wakeup.id);
  runId = run!.id;
}, BUILD_TIMEOUT_MS);
afterAll(killCommands);

const audit = (...args: string[]) => runCommand(['audit', ...args], environment);

test('verify', async () => {
  const { exitCode, stdout, stderr } = await audit('verify');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/^verified: \d+ events, 0 checkpoints, \d+ events behind the last one\n$/);
  expect((await audit('checkpoint')).stdout).toMatch(/^checkpoint 1: [0-9a-f]{64}\n$/);
  expect((await audit('verify')).stdout).toMatch(/^verified: .+\ncheckpoint 1: [0-9a-f]{64}\n$/);
  expect(JSON.parse((await audit('verify', '--json')).stdout)).toMatchObject({ ok: true, uncovered: 0 });
});

test('as-of', async () => {
  const at = new Date().toISOString();
  const { exitCode, stdout } = await audit('as-of', '--agent', agentId, '--at', at);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/^agent +.+\nas of +.+, position \d+\nname +Ada\nstatus +idle\n/),
  });
  expect((await audit('as-of', '--run', runId, '--at', at)).stdout).toMatch(/outcome +succeeded/);
  expect(await audit('as-of', '--run', runId)).toMatchObject({
    exitCode: 2,
    stderr: 'error: name one of --position and --at\n',
  });
});

test('why: a story from top to bottom, which nobody can colour', async () => {
  const { exitCode, stdout } = await audit('why', '--run', runId);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^run .+ of agent .+\n.+ request +.+ asked for a wakeup \(on_demand\): the .+board asked /,
  );
  expect(stdout).not.toContain('\u001b');
  expect(stdout).toMatch(/ run +run .+ succeeded, exit code 0, settled .+\n/);
});

test('bundle', async () => {
  const out = join(temporaryFolder(), 'bundle.ndjson');
  expect(await audit('bundle', runId, '--out', out)).toMatchObject({ exitCode: 0, stdout: `${out}\n` });
  const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1)!)).toEqual({ kind: 'end', lines: lines.length });
});

test('Ctrl-C stops a verification, tells what was found, and how to go on', async () => {
  const finding = {
    kind: 'changed',
    stream: 's',
    revision: 1,
    toRevision: 1,
    eventId: 'e',
    position: '7',
    checkpoint: null,
    expected: 'x',
    found: 'y',
    message: 'somebody was there',
  };
  const asked: string[] = [];
  const slow = createServer((request, response) => {
    asked.push(request.url!);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write(`${JSON.stringify({ kind: 'finding', finding })}\n`);
    const progress = { position: '42', head: '100', events: 40, findings: 1 };
    const telling = setInterval(
      () => response.write(`${JSON.stringify({ kind: 'progress', progress })}\n`),
      50,
    );
    response.once('close', () => clearInterval(telling));
  }).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  const command = startCommand(['audit', 'verify', '--after', '5'], { REVEILLE_URL: url });
  await once(slow, 'request');
  // Bytes of the body come after those of the head, and tell nobody that they were read: the command says where it was.
  await waitUntil(() => command.stderr().includes('42 %'), 'it has told how far it is');
  command.kill('SIGINT');
  const { exitCode, stdout, stderr } = await command.exit;
  slow.close();
  slow.closeAllConnections();
  expect(asked).toEqual(['/v1/audit/verify?after=5']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: 'changed           somebody was there\n' });
  expect(stderr).toContain('error: stopped; `reveille audit verify --after 42` goes on behind position 42\n');
});
