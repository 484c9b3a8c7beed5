import { ReveilleClient } from '../../../src/client';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../../support/reveille-process';
import { temporaryFolder } from '../../support/temporary-folder';

/** What others have written, where it is read by people. */

const NASTY = 'Ada\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egnp.exe\r\nroot';

let environment: Record<string, string>;
let agentId: string;
let runId: string;
let companyId: string;

beforeAll(async () => {
  await ensureBuilt();
  const server = await startReveille(['--auth', 'none']);
  environment = { REVEILLE_URL: server.url };
  const api = new ReveilleClient({ url: server.url });
  companyId = (await api.registerCompany({ name: NASTY })).id;
  const script = `printf '%s\\n' "$1" >&2; printf '{"errorMessage": %s}' "$2" > "$REVEILLE_RESULT_FILE"; exit 1`;
  const agent = await api.registerAgent(companyId, {
    name: NASTY,
    adapterType: 'process',
    adapterConfig: { command: 'sh', args: ['-c', script, 'sh', NASTY, JSON.stringify(NASTY)] },
  });
  agentId = agent.id;
  const { wakeup, run } = await api.wake(agentId, { reason: NASTY, payload: { [NASTY]: NASTY } });
  await api.untilSettled(wakeup.id);
  runId = run!.id;
}, BUILD_TIMEOUT_MS);
afterAll(killCommands);

test.each([
  ['agents', () => ['agents', '--company', companyId]],
  ['agent show', () => ['agent', 'show', agentId]],
  ['runs', () => ['runs', '--company', companyId]],
  ['run show', () => ['run', 'show', runId]],
  ['run events', () => ['run', 'events', runId]],
  ['events', () => ['events', '--company', companyId]],
  ['wakeups', () => ['wakeups', agentId]],
  ['company show', () => ['company', 'show', companyId]],
  ['audit why', () => ['audit', 'why', '--run', runId]],
  ['an error', () => ['run', 'show', `x${NASTY}`]],
])('%s shows nothing that a terminal obeys', async (_what, args) => {
  const { stdout, stderr } = await runCommand(args(), environment);
  expect(stdout + stderr).not.toBe('');
  expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  expect(stdout).not.toMatch(/^root/m);
});

test('into a pipe, output goes byte for byte', async () => {
  const { stdoutBytes } = await runCommand(['run', 'log', runId, '--stream', 'stderr'], environment);
  expect(stdoutBytes.toString()).toBe(`${NASTY}\n`);
});

test('a password on the command line of a server is warned of, and not repeated', async () => {
  const url = 'mongodb://root:a-planted-password@127.0.0.1:9/x';
  const args = ['serve', '--port', '0', '--data-dir', temporaryFolder(), '--documents', 'mongodb'];
  const { exitCode, stderr } = await runCommand([...args, '--mongodb-url', url, '--store-wait-sec', '0']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^warning: .*command line.*MONGODB_URL/m);
  expect(stderr).not.toContain('a-planted-password');
});
