import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Agent, Page, Run, RunEvent } from './client';
import {
  expectBadField,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  head,
  listAll,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  shell,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const eventsOf = async (run: Pick<Run, 'id'>, query = '?limit=1000') =>
  (await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events${query}`)).items;

function expectNumbered(events: RunEvent[], from = 1): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => from + index));
}

/** A file without the right to execute it. */
function readableFile(): string {
  const file = join(temporaryFolder(), 'text');
  writeFileSync(file, 'true\n', { mode: 0o644 });
  return file;
}

async function newAgent(more: Parameters<typeof registerAgent>[2]): Promise<Agent> {
  return registerAgent(server, (await openCompany(server)).id, more);
}

describe('the events of a run', () => {
  test('tell its life in order, without gap', async () => {
    const agent = await scriptedAgent(server, 'echo hello', { config: { env: { LEVEL: 'very-loud' } } });
    const run = await runOnce(server, agent.id);
    const events = await eventsOf(run);
    expectNumbered(events);
    expect(events.map(({ eventType, message }) => [eventType, message])).toEqual([
      ['lifecycle', 'run queued'],
      ['lifecycle', 'run started'],
      ['adapter.invoke', expect.any(String)],
      ['process', expect.any(String)],
      ['lifecycle', 'run succeeded'],
    ]);
    for (const event of events) {
      expect(event).toMatchObject({
        stream: 'system',
        level: 'info',
        color: null,
        payload: expect.any(Object),
      });
    }
  });

  test('name what was executed, and of the environment the names alone', async () => {
    const config = { env: { LEVEL: 'very-loud', COLOUR: 'dark-green' }, stdin: 'twelve bytes' };
    const agent = await scriptedAgent(server, 'cat', { args: ['one', 'two'], config });
    const run = await runOnce(server, agent.id);
    const events = await eventsOf(run);
    const { payload } = events.find(({ eventType }) => eventType === 'adapter.invoke')!;
    expect(payload).toMatchObject({
      adapterType: 'process',
      command: '/bin/sh',
      args: ['-c', 'cat', 'sh', 'one', 'two'],
      cwd: expect.stringMatching(/^\//),
      envNames: expect.arrayContaining([
        'LEVEL',
        'COLOUR',
        'REVEILLE_RUN_ID',
        'REVEILLE_RESULT_FILE',
        'PATH',
      ]),
      stdinBytes: 12,
    });
    expect(JSON.stringify(events)).not.toMatch(/very-loud|dark-green/);
  });

  test('come in pieces', async () => {
    const run = await runOnce(server, (await scriptedAgent(server, 'true')).id);
    const all = await eventsOf(run);
    expect(await eventsOf(run, '')).toEqual(all);
    expect(await eventsOf(run, '?afterSeq=0')).toEqual(all);
    expect(await eventsOf(run, '?afterSeq=2')).toEqual(all.slice(2));
    expect(await eventsOf(run, '?afterSeq=2&limit=2')).toEqual(all.slice(2, 4));
    expect(await eventsOf(run, `?afterSeq=${all.length}`)).toEqual([]);
    expect(await eventsOf(run, '?afterSeq=9007199254740991')).toEqual([]);
    expect(await eventsOf(run, '?limit=0')).toEqual(all.slice(0, 1));
    expect(await eventsOf(run, '?limit=-5')).toEqual(all.slice(0, 1));
    expect(await eventsOf(run, '?limit=99999999')).toEqual(all);
    for (const query of ['afterSeq=-1', 'afterSeq=x', 'afterSeq=1.5', 'limit=x', 'limit=', 'from=1']) {
      const [field] = query.split('=') as [string];
      expectBadField(await server.api('GET', `/v1/runs/${run.id}/events?${query}`), field);
    }
  });

  test('are at most 200 without a limit and 1,000 with one', async () => {
    const notes = `i=0; while [ $i -lt 1100 ]; do echo '{"type":"note","message":"n"}'; i=$((i+1)); done`;
    const agent = await scriptedAgent(server, `{ ${notes}; } >> "$REVEILLE_EVENTS_FILE"`);
    const run = await runOnce(server, agent.id);
    const first = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
    expect(first.items).toHaveLength(200);
    expect(first.nextCursor).not.toBeNull();
    const most = await eventsOf(run, '?limit=5000');
    expect(most).toHaveLength(1_000);
    expectNumbered(most);
    const rest = await eventsOf(run, '?limit=5000&afterSeq=1000');
    expectNumbered(rest, 1_001);
    const all = [...most, ...rest];
    expect(all.filter(({ eventType }) => eventType === 'note')).toHaveLength(1_100);
    expect(all.at(-1)).toMatchObject({ message: 'run succeeded' });
  });

  test('can be followed while they come, and close with the end', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    const live = await eventsOf(run!);
    expect(live.map(({ eventType }) => eventType)).toEqual([
      'lifecycle',
      'lifecycle',
      'adapter.invoke',
      'process',
    ]);
    gate.open();
    const final = await untilFinal(server, run!.id);
    // Whoever has seen that a run is over also finds the line that says so.
    const rest = await eventsOf(final, `?afterSeq=${live.length}`);
    expectNumbered(rest, live.length + 1);
    expect(rest.at(-1)).toMatchObject({ eventType: 'lifecycle', message: 'run succeeded' });
  });

  test('of a run that waits are one line', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait, { heartbeat: { whenBusy: 'enqueue' } });
    const first = await wake(server, agent.id);
    const second = await wake(server, agent.id, { priority: 3, source: 'assignment' });
    const events = await eventsOf(second.run!, `?waitFor=${second.position}`);
    expect(events.map(({ message }) => message)).toEqual(['run queued']);
    gate.open();
    await untilFinal(server, first.run!.id);
    await untilFinal(server, second.run!.id);
  });
});

describe('a run that fails', () => {
  test('by its exit code', async () => {
    const agent = await scriptedAgent(server, 'echo out; echo err >&2; exit 7');
    const { wakeup, run } = await wake(server, agent.id);
    const failed = await untilFinal(server, run!.id);
    expect(failed).toMatchObject({
      status: 'failed',
      exitCode: 7,
      signal: null,
      errorCode: 'adapter_failed',
      error: 'Adapter failed',
      endCause: null,
      stdoutExcerpt: 'out\n',
      stderrExcerpt: 'err\n',
    });
    expect(await getWakeup(server, wakeup.id)).toMatchObject({
      status: 'failed',
      runStatus: 'failed',
      error: 'Adapter failed',
    });
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error', activeRunIds: [] });
    const state = await get(server, `/v1/agents/${agent.id}/runtime-state`);
    expect(state).toMatchObject({ lastRunId: run!.id, lastRunStatus: 'failed', lastError: 'Adapter failed' });
    expect((await eventsOf(run!)).at(-1)).toMatchObject({ message: 'run failed', level: 'error' });
  });

  test('by a signal of its own', async () => {
    const agent = await scriptedAgent(server, 'kill -9 $$');
    expect(await runOnce(server, agent.id)).toMatchObject({
      status: 'failed',
      exitCode: 137,
      signal: 'SIGKILL',
      errorCode: 'adapter_failed',
      endCause: null,
    });
  });

  test.each<[string, object]>([
    ['there is no such program', { command: 'no-such-program-anywhere' }],
    ['there is no such file', { command: '/no/such/file' }],
    ['it is a folder', { command: '/' }],
    ['it may not be executed', { command: readableFile() }],
    ['there is no such folder', { command: 'true', cwd: '/no/such/folder' }],
  ])('because it cannot be started: %s', async (_what, adapterConfig) => {
    const agent = await newAgent({ adapterConfig });
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({
      status: 'failed',
      errorCode: 'spawn_failed',
      error: expect.stringMatching(/./),
      exitCode: null,
      startedAt: expect.any(String),
    });
    const events = await eventsOf(run);
    expectNumbered(events);
    expect(events.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['run queued', 'run started', 'run failed']),
    );
    expect(events.find(({ eventType }) => eventType === 'error')).toMatchObject({
      level: 'error',
      message: run.error,
    });
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error' });
  });

  test('because the context makes an argument that no program can be given', async () => {
    const agent = await newAgent({ adapterConfig: { command: 'echo', args: ['{{context.text}}'] } });
    const run = await runOnce(server, agent.id, { contextSnapshot: { text: 'a\u0000b' } });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    const events = await eventsOf(run);
    expect(events.find(({ eventType }) => eventType === 'error')).toBeDefined();
  });

  test('and the agent goes on: the next run that succeeds forgets the error', async () => {
    const mark = join(temporaryFolder(), 'mark');
    const agent = await newAgent({ adapterConfig: shell('[ -e "$1" ] || { : > "$1"; exit 1; }', mark) });
    expect((await runOnce(server, agent.id)).status).toBe('failed');
    expect(existsSync(mark)).toBe(true);
    expect((await runOnce(server, agent.id)).status).toBe('succeeded');
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'idle' });
    expect(await get(server, `/v1/agents/${agent.id}/runtime-state`)).toMatchObject({
      lastRunStatus: 'succeeded',
      lastError: null,
    });
  });
});

test('what an agent leaves behind is ended, and does not change its outcome', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `(${gate.wait}) & exit 0`);
  const run = await runOnce(server, agent.id);
  expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
  expect((await getRun(server, run.id)).finishedAt).toBe(run.finishedAt);
  gate.open();
});

test('the runs of an agent are listed newest first, by status and page by page', async () => {
  const { id: companyId } = await openCompany(server);
  const good = await registerAgent(server, companyId);
  const bad = await registerAgent(server, companyId, { adapterConfig: { command: 'false' } });
  const ids: string[] = [];
  for (const agent of [good, bad, good, bad, good, good, bad])
    ids.unshift((await runOnce(server, agent.id)).id);
  const path = `/v1/companies/${companyId}/runs`;
  const listed = async (query: string, limit = 2) =>
    (await listAll<Run>(server, `${path}${query}`, limit)).map(({ id }) => id);
  for (const limit of [1, 3, 7, 100]) expect(await listed('', limit)).toEqual(ids);
  const [b3, g4, g3, b2, g2, b1, g1] = ids;
  expect(await listed(`?agentId=${good.id}`)).toEqual([g4, g3, g2, g1]);
  expect(await listed(`?agentId=${bad.id}&status=failed`)).toEqual([b3, b2, b1]);
  expect(await listed('?status=succeeded')).toEqual([g4, g3, g2, g1]);
  expect(await listed('?status=cancelled')).toEqual([]);

  const first = await get<Page<Run>>(server, `${path}?limit=3`);
  await runOnce(server, good.id);
  const second = await get<Page<Run>>(server, `${path}?limit=4&cursor=${first.nextCursor}`);
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
  expect(second.nextCursor).toBeNull();
  expect(first.items[0]).not.toHaveProperty('stdoutExcerpt');

  const stranger = await newAgent({});
  expect(await server.api('GET', `${path}?agentId=${stranger.id}`)).toMatchObject({
    status: 404,
    body: { code: 'agent_not_found' },
  });
  expect(await server.api('GET', `${path}?agentId=x`)).toMatchObject({ status: 404 });
});

test('the active run is the one that is running, or null', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait);
  const path = `/v1/agents/${agent.id}/active-run`;
  const none = await server.api('GET', path);
  expect(none).toMatchObject({ status: 200, body: null });
  expect(none.bytes.toString()).toBe('null');
  const { run } = await wake(server, agent.id);
  await untilRunningHere(run!.id);
  expect(await get(server, path)).toMatchObject({ id: run!.id, status: 'running', agentId: agent.id });
  gate.open();
  await untilFinal(server, run!.id);
  expect(await get(server, path)).toBeNull();

  async function untilRunningHere(runId: string): Promise<void> {
    while ((await getRun(server, runId)).status === 'queued');
  }
});

test('two agents run side by side', async () => {
  const gate = new Gate();
  const [one, two] = [
    await scriptedAgent(server, `echo ready; ${gate.wait}`),
    await scriptedAgent(server, `echo ready; ${gate.wait}`),
  ];
  const runs = [(await wake(server, one.id)).run!, (await wake(server, two.id)).run!];
  for (const { id } of runs) await untilOutput(server, id, 'ready');
  for (const { id } of runs) expect((await getRun(server, id)).status).toBe('running');
  gate.open();
  for (const { id } of runs) expect((await untilFinal(server, id)).status).toBe('succeeded');
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});
