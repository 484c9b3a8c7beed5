import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../support/reveille-process';
import { waitUntil } from '../support/server';
import { temporaryFolder } from '../support/temporary-folder';

const DEMO_TIMEOUT_MS = 60_000;

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterEach(killCommands);

test(
  'goes as told, and says so with its exit code',
  async () => {
    const flags = ['serve', '--demo', '--once', '--port', '0', '--data-dir', temporaryFolder()];
    const { exitCode, stdout, stderr } = await runCommand(flags);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\n/);
    const inOrder = [
      / {2}queued: run /,
      / {2}deferred: /,
      / {2}coalesced: /,
      /proofreader \| DOUBLED "is is"/,
      /proofreader = succeeded .* cost \$0\.\d+ \(2 wakeups in one run\)/,
      /Four wakeups by hand and one by a timer, 4 runs, \$0\.\d+:/,
    ].map((line) => stdout.search(line));
    expect(inOrder).not.toContain(-1);
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
    expect(stdout).toMatch(/timekeeper {2}\| woken by timer at \d\d:\d\d:\d\d UTC/);
    expect(stdout).toMatch(/deployer {4}! the tests of 1\.4 are red/);
    expect(stdout).toMatch(/deployer {4}= failed after .*exit code 3/);
  },
  DEMO_TIMEOUT_MS,
);

test(
  'without --once the server stays, and the commands that it names work as they are',
  async () => {
    const server = await startReveille(['--demo']);
    await waitUntil(() => server.stdout().includes('Ctrl-C'), 'the demo is over', DEMO_TIMEOUT_MS);
    const commands = server.stdout().match(/^ {2}node .+$/gm);
    expect(commands).toHaveLength(3);
    expect(server.stdout()).toContain(`admin token  ${server.dataDir}/admin-token`);
    const outputs = [];
    for (const command of commands!) outputs.push(await promisify(execFile)('sh', ['-c', command.trim()]));
    const [runs, log, wake] = outputs.map(({ stdout }) => stdout);
    // A title, four runs, and whatever the timer has brought about meanwhile.
    expect(runs!.trimEnd().split('\n').length).toBeGreaterThanOrEqual(5);
    expect(log).toContain('deploying release 1.4');
    expect(wake).toContain('DOUBLED');
    server.kill('SIGINT');
    expect(await server.exit).toMatchObject({ exitCode: 0, stderr: '' });
  },
  DEMO_TIMEOUT_MS,
);

test(
  'a signal in the middle of it stops the server in order',
  async () => {
    const server = await startReveille(['--demo', '--once']);
    await waitUntil(() => server.stdout().includes('proofreader | '), 'an agent is at work');
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ exitCode: 1, signal: null, stderr: '' });
    // What it was doing goes on, and the next demo waits for it.
    const next = await runCommand(['serve', '--demo', '--once', '--port', '0', '--data-dir', server.dataDir]);
    expect(next).toMatchObject({ exitCode: 0, stderr: '' });
    expect(next.stdout).toContain('still at work from an earlier start');
  },
  DEMO_TIMEOUT_MS,
);
