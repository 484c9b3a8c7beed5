import { join } from 'node:path';
import { z } from 'zod';
import type { LocalAdapter } from '../../../src/adapters/adapter';
import { processAdapter } from '../../../src/adapters/process/process-adapter';
import { findMarkedProcesses } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Agent, LogPage, Page, Run, RunEvent } from '../http/client';
import {
  expectStatus,
  get,
  getAgent,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';

const throwing: LocalAdapter = {
  type: 'throwing',
  kind: 'local',
  configSchema: z.object({}),
  prepare() {
    throw new Error('the adapter is out of order');
  },
};
const rejecting: LocalAdapter = {
  ...throwing,
  type: 'rejecting',
  prepare: () => Promise.reject(new Error('no luck')),
};
const hanging: LocalAdapter = { ...throwing, type: 'hanging', prepare: () => new Promise(() => undefined) };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ adapters: [processAdapter, throwing, rejecting, hanging] });
});
afterEach(async () => {
  // Whatever an agent does, the next one is served.
  expect((await runOnce(server, (await scriptedAgent(server, 'echo fine')).id)).stdoutExcerpt).toBe('fine\n');
  expect(server.errors).toEqual([]);
});
afterAll(() => server.close());

async function agentOf(adapterType: string, heartbeat: object = {}): Promise<Agent> {
  const { id } = await openCompany(server);
  const body = { name: 'Odd', adapterType, adapterConfig: {}, runtimeConfig: { heartbeat } };
  return expectStatus(await server.api<Agent>('POST', `/v1/companies/${id}/agents`, body), 201);
}

const eventsOf = async (runId: string) =>
  (await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events`)).items;
const errorsOf = async (runId: string) =>
  (await eventsOf(runId)).filter(({ eventType }) => eventType === 'error').map(({ message }) => message);

describe('an adapter in the process of the server', () => {
  test.each([
    ['throwing', 'the adapter is out of order'],
    ['rejecting', 'no luck'],
  ])('that is %s fails its run', async (type, error) => {
    const agent = await agentOf(type);
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed', error, exitCode: null });
    expect(await errorsOf(run.id)).toEqual([error]);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error' });
  });

  test('that hangs is timed out', async () => {
    const agent = await agentOf('hanging', { timeoutSec: 1 });
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({ status: 'timed_out', errorCode: 'timeout', endCause: 'timeout' });
    expect(await errorsOf(run.id)).toEqual(['The adapter hanging did not say what to execute']);
  });

  test('that hangs is cancelled, and holds up no server that stops', async () => {
    const agent = await agentOf('hanging');
    const { run } = await wake(server, agent.id);
    await untilRunning(server, run!.id);
    expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
    expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'cancelled', endCause: 'cancel' });

    const { dataDir } = server;
    const again = await wake(server, agent.id);
    await untilRunning(server, again.run!.id);
    await server.close();
    server = await startTestServer({ dataDir, adapters: [processAdapter] });
    expect(await untilFinal(server, again.run!.id)).toMatchObject({ errorCode: 'adapter_unknown' });
  });
});

describe('a command that cannot be executed', () => {
  const here = __filename;
  test.each([
    ['does not exist', { command: '/no/such/program' }, /no such file/],
    ['is not in the path', { command: 'no-such-program' }, /not found in PATH/],
    ['is not executable', { command: here }, /not executable/],
    ['is a folder', { command: '/tmp' }, /folder|not executable|not a file/],
    ['has no working folder', { command: 'true', cwd: '/no/such/folder' }, /does not exist/],
    ['has an argument that is too long', { command: 'true', args: ['x'.repeat(150_000)] }, /E2BIG/],
    ['has a variable that is too long', { command: 'true', env: { LONG: 'x'.repeat(150_000) } }, /E2BIG/],
    ['has too many arguments', { command: 'true', args: Array(5_000).fill('x'.repeat(80)) }, /^$/],
  ])('because it %s', async (_what, adapterConfig, error) => {
    const company = await openCompany(server);
    const agent = await registerAgent(server, company.id, { adapterConfig });
    const run = await runOnce(server, agent.id);
    // Many small ones are no trouble.
    if (error.source === '^$') return expect(run).toMatchObject({ status: 'succeeded' });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'spawn_failed', exitCode: null, logBytes: 0 });
    expect(run.error).toMatch(error);
    expect(await errorsOf(run.id)).toEqual([run.error]);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error' });
  });
});

describe('an agent that', () => {
  test('floods has the beginning and the end of its output kept, and is not stopped', async () => {
    const agent = await scriptedAgent(server, 'head -c 30000000 /dev/zero | tr "\\0" x; echo; echo the end', {
      heartbeat: { logQuotaBytes: 65_536 },
    });
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({
      status: 'succeeded',
      logBytes: 30_000_009,
      logs: { stdout: { bytes: 30_000_009 } },
    });
    expect(run.stdoutExcerpt.endsWith('x\nthe end\n')).toBe(true);
    const { content, nextOffset } = await get<LogPage>(
      server,
      `/v1/runs/${run.id}/log?stream=stdout&limitBytes=100000`,
    );
    expect([content.length, nextOffset]).toEqual([65_536, 65_536]);
  });

  test('closes its output and lives on is waited for', async () => {
    const script = 'echo before; exec >&- 2>&-; sleep 1; [ -e "$REVEILLE_CONTEXT_FILE" ] && exit 7';
    const run = await runOnce(server, (await scriptedAgent(server, script)).id);
    expect(run).toMatchObject({ status: 'failed', exitCode: 7, stdoutExcerpt: 'before\n' });
    const { startedAt, finishedAt } = run;
    expect(Date.parse(finishedAt!) - Date.parse(startedAt!)).toBeGreaterThanOrEqual(1_000);
  });

  test('closes everything and leaves has its outcome', async () => {
    const script = 'exec 0>&- 1>&- 2>&- 3>&- 4>&- 5>&-; exit 0';
    expect(await runOnce(server, (await scriptedAgent(server, script)).id)).toMatchObject({
      status: 'succeeded',
      logBytes: 0,
    });
  });

  test('starts two hundred children and leaves is cleaned up after', async () => {
    const script = 'i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; exit 0';
    const run = await runOnce(server, (await scriptedAgent(server, script)).id);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
    expect(findMarkedProcesses(run.id)).toEqual([]);
  });

  const outside = join(temporaryFolder(), 'nowhere');
  test.each([
    ['a large file', 'truncate -s 100M "$REVEILLE_RESULT_FILE"', /more than the \d+ allowed/],
    ['a pipe', 'mkfifo "$REVEILLE_RESULT_FILE"', /not a regular file/],
    ['a folder', 'mkdir "$REVEILLE_RESULT_FILE"', /not a regular file/],
    ['a link to a device', 'ln -s /dev/zero "$REVEILLE_RESULT_FILE"', /symbolic link|not a regular file/],
    ['a link to itself', 'ln -s "$REVEILLE_RESULT_FILE" "$REVEILLE_RESULT_FILE"', /symbolic link/],
    ['a link to nothing', `ln -s ${outside} "$REVEILLE_RESULT_FILE"`, null],
    [
      'a file that nobody may read',
      `echo '{' > "$REVEILLE_RESULT_FILE"; chmod 0 "$REVEILLE_RESULT_FILE"`,
      /result file/,
    ],
    ['no JSON', 'head -c 5000 /dev/urandom > "$REVEILLE_RESULT_FILE"', /result file/],
  ])('leaves %s as its result has an error event at most', async (_what, script, error) => {
    const run = await runOnce(server, (await scriptedAgent(server, script)).id);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, resultJson: null });
    const errors = await errorsOf(run.id);
    expect(errors).toHaveLength(error === null ? 0 : 1);
    if (error) expect(errors[0]).toMatch(error);
  });

  test.each([
    ['noise', 'head -c 200000 /dev/urandom > "$REVEILLE_EVENTS_FILE"'],
    ['a pipe', 'mkfifo "$REVEILLE_EVENTS_FILE"'],
    ['a folder', 'mkdir "$REVEILLE_EVENTS_FILE"'],
    ['a device', 'ln -s /dev/zero "$REVEILLE_EVENTS_FILE"'],
  ])('makes %s of its events file has error events, and no more', async (_what, script) => {
    const run: Run = await runOnce(server, (await scriptedAgent(server, `${script}; sleep 0.2`)).id);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
    const errors = await errorsOf(run.id);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(6);
    const events = await eventsOf(run.id);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  });
});
