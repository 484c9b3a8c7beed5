import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMarkedProcesses, waitUntilGone } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Agent, Page, Run, RunEvent } from '../http/client';
import { Gate, get, ISO_TIME, runOnce, scriptedAgent, untilFinal, untilOutput, wake } from '../http/client';

let dataDir: string;
let server: TestServer;

beforeEach(async () => {
  dataDir = temporaryFolder();
  server = await startTestServer({ dataDir });
});
afterEach(() => server.close());

interface Fault {
  name: string;
  /** Does it. */
  to: (runFolder: string) => void;
  /** What the run's error says where its server lives, and where a server finds it at its start. */
  live: RegExp;
  down: RegExp;
}

const spool = (runFolder: string) => join(runFolder, 'stdout');
const replaced = (by: (path: string) => void) => (runFolder: string) => {
  rmSync(spool(runFolder));
  by(spool(runFolder));
};

const faults: Fault[] = [
  { name: 'a deleted spool', to: (folder) => rmSync(spool(folder)), live: /deleted/, down: /deleted/ },
  {
    name: 'a folder in place of a spool',
    to: replaced(mkdirSync),
    live: /deleted/,
    down: /not a regular file/,
  },
  {
    name: 'a symbolic link in place of a spool',
    to: replaced((path) => symlinkSync('/etc/passwd', path)),
    live: /deleted/,
    down: /a symbolic link/,
  },
  {
    name: 'a named pipe in place of a spool',
    to: replaced((path) => void execFileSync('mkfifo', [path])),
    live: /deleted/,
    down: /not a regular file/,
  },
  {
    name: 'another file in place of a spool',
    to: replaced((path) => writeFileSync(path, 'something else that is longer')),
    live: /deleted/,
    down: /does not hold what was recorded/,
  },
  {
    name: 'a deleted run folder',
    to: (folder) => rmSync(folder, { recursive: true }),
    live: /deleted/,
    down: /deleted/,
  },
  {
    name: 'a file in place of the run folder',
    to: (folder) => {
      rmSync(folder, { recursive: true });
      writeFileSync(folder, '');
    },
    live: /deleted/,
    down: /deleted/,
  },
];

describe('while the server lives', () => {
  test.each(faults)('$name ends its run, and nothing else', async ({ to, live }) => {
    const { agent, run, gate } = await runningRun();
    const other = await runningRun();
    to(folderOf(run));
    await expectSpoolFailed(run, live);
    await expectOthersGoOn(agent, gate, other);
  });

  test('an exit file that cannot be written', async () => {
    const { agent, run, gate } = await runningRun();
    mkdirSync(join(folderOf(run), 'exit'));
    gate.open();
    expect(await untilFinal(server, run.id)).toMatchObject({ status: 'failed', errorCode: 'spool_failed' });
    await expectNothingLeft(run);
    expect(await runOnce(server, agent.id)).toMatchObject({ status: 'failed', exitCode: 3 });
  });

  test('a half-written exit file changes nothing: the server has waited for the process itself', async () => {
    const { run, gate } = await runningRun();
    writeFileSync(join(folderOf(run), 'exit'), '1');
    gate.open();
    expect(await untilFinal(server, run.id)).toMatchObject({ exitCode: 3, errorCode: 'adapter_failed' });
  });
});

describe('while the server is down', () => {
  test.each(faults)('$name ends its run, and nothing else', async ({ to, down }) => {
    const { agent, run, gate } = await runningRun();
    const other = await runningRun();
    await server.close();
    to(folderOf(run));
    server = await startTestServer({ dataDir });
    await expectSpoolFailed(run, down);
    await expectOthersGoOn(agent, gate, other);
  });

  test('a spool that was emptied ends its run', async () => {
    const { run } = await runningRun();
    await server.close();
    truncateSync(spool(folderOf(run)));
    server = await startTestServer({ dataDir });
    await expectSpoolFailed(run, /ends at 0, but 7 bytes are recorded/);
  });

  test.each([
    ['half-written', '3'],
    ['empty', ''],
    ['garbled', 'three\n'],
    ['missing', null],
  ])('an exit file that is %s does not count', async (_name, content) => {
    const { run, gate } = await runningRun();
    await endWhileDown(run, gate);
    const file = join(folderOf(run), 'exit');
    if (content === null) rmSync(file);
    else writeFileSync(file, content);
    server = await startTestServer({ dataDir });
    expect(await untilFinal(server, run.id)).toMatchObject({
      status: 'failed',
      exitCode: null,
      errorCode: 'process_lost',
      stdoutExcerpt: 'before\nafter\n',
    });
    const [error] = await errorsOf(run);
    expect(error!.payload).toMatchObject({
      code: 'process_lost',
      claimId: expect.any(String) as string,
      signal: null,
      lease: { renewedAt: expect.stringMatching(ISO_TIME), backBy: expect.stringMatching(ISO_TIME) },
      ...(content !== null && { brokenExit: content }),
    });
    await expectNothingLeft(run);
  });

  test.each([
    ['a folder', (path: string) => void mkdirSync(path)],
    ['a named pipe', (path: string) => void execFileSync('mkfifo', [path])],
    ['a link to an endless file', (path: string) => symlinkSync('/dev/zero', path)],
  ])('%s in place of an exit file ends its run with all its output', async (_name, put) => {
    const { run, gate } = await runningRun();
    await endWhileDown(run, gate);
    rmSync(join(folderOf(run), 'exit'));
    put(join(folderOf(run), 'exit'));
    server = await startTestServer({ dataDir });
    expect(await untilFinal(server, run.id)).toMatchObject({
      status: 'failed',
      errorCode: 'spool_failed',
      stdoutExcerpt: 'before\nafter\n',
    });
    await expectNothingLeft(run);
  });
});

/** A run that has said `before`, and ends with `after` and exit code 3 once its gate is open. */
async function runningRun(): Promise<{ agent: Agent; run: Run; gate: Gate }> {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `echo before; ${gate.wait}; echo after; exit 3`);
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'before');
  return { agent, run: run!, gate };
}

async function endWhileDown(run: Run, gate: Gate): Promise<void> {
  await server.close();
  gate.open();
  await waitUntilGone(run.id, 10_000);
}

async function expectSpoolFailed(run: Run, error: RegExp): Promise<void> {
  const final = await untilFinal(server, run.id);
  expect(final).toMatchObject({ status: 'failed', errorCode: 'spool_failed', stdoutExcerpt: 'before\n' });
  expect(final.error).toMatch(error);
  expect((await errorsOf(run)).map(({ message }) => message)).toEqual([final.error]);
  await expectNothingLeft(run);
}

/** Another run was not disturbed, and the agent runs again. */
async function expectOthersGoOn(agent: Agent, gate: Gate, other: { run: Run; gate: Gate }): Promise<void> {
  gate.open();
  const wanted = { exitCode: 3, errorCode: 'adapter_failed', stdoutExcerpt: 'before\nafter\n' };
  expect(await runOnce(server, agent.id)).toMatchObject(wanted);
  other.gate.open();
  expect(await untilFinal(server, other.run.id)).toMatchObject(wanted);
  expect(await get(server, '/health/ready')).toMatchObject({ status: 'ok' });
}

async function expectNothingLeft(run: Run): Promise<void> {
  await waitUntil(() => !existsSync(folderOf(run)), "the run's folder is gone");
  expect(findMarkedProcesses(run.id)).toEqual([]);
}

async function errorsOf(run: Run): Promise<RunEvent[]> {
  const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${run.id}/events`);
  return items.filter(({ eventType }) => eventType === 'error');
}

function folderOf(run: Run): string {
  return join(dataDir, 'runs', run.id);
}
