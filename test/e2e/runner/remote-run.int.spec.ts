import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { LogUnavailable } from '../../../src/event-log/event-log';
import { runStream } from '../../../src/kernel/streams';
import type { ClaimedRun } from '../../../src/runner/run-authority';
import { HttpAgent } from '../../support/http-agent';
import { claimedRun, LEASES, RecordingAuthority, RunnerBench } from '../../support/local-runner';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

let bench: RunnerBench;
let agent: HttpAgent;

beforeAll(async () => {
  bench = await RunnerBench.open(temporaryFolder());
  agent = await HttpAgent.start();
});
afterAll(async () => {
  await agent.close();
  await bench.close();
});

const httpRun = (url: string, more: Partial<ClaimedRun> = {}) =>
  claimedRun({ url }, { adapterType: 'http', ...more });

const folderOf = ({ runId }: ClaimedRun) => join(bench.folder, 'runs', runId);

/** Says a little, and then nothing any more. */
function neverending(path: string): string {
  return agent.on(path, async (response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"type":"log","text":"so far\\n"}\n{"type":"usage","costUsd":0.5}\n');
    await once(response, 'close');
  });
}

describe('an answer that says when to try again', () => {
  test.each([
    ['in seconds', '/429', 429, () => '120'],
    ['as a date', '/503', 503, () => new Date(Date.now() + 120_000).toUTCString()],
  ])('%s is reported', async (_how, path, status, retryAfter) => {
    const url = agent.on(path, (response) =>
      response.writeHead(status, { 'retry-after': retryAfter() }).end(),
    );
    const outcome = await bench.execute(httpRun(url));
    expect(outcome).toMatchObject({ errorCode: 'adapter_failed', exitCode: null });
    const waitSec = (Date.parse(outcome.report!.retryNotBefore!) - Date.now()) / 1000;
    expect(waitSec).toBeGreaterThan(100);
    expect(waitSec).toBeLessThanOrEqual(120);
  });

  test.each([
    ['a status that means something else', 500, '120'],
    ['nonsense', 503, 'soon'],
    ['a time that nobody waits for', 503, '99999999999'],
  ])('is not believed where it is %s', async (_what, status, retryAfter) => {
    const url = agent.on('/no', (response) =>
      response.writeHead(status, { 'retry-after': retryAfter }).end(),
    );
    expect(await bench.execute(httpRun(url))).toMatchObject({ errorCode: 'adapter_failed', report: null });
  });
});

describe('a runner that takes up a remote run', () => {
  async function interrupted(path: string): Promise<ClaimedRun> {
    const run = httpRun(neverending(path));
    await bench.start(run);
    await bench.untilOutput(run, 'so far');
    await bench.restart();
    expect(bench.authority.outcomes.has(run.runId)).toBe(false);
    return run;
  }

  test('finds it lost, keeps what came, and asks nobody a second time', async () => {
    const run = await interrupted('/lost');
    const outcome = await bench.adopt(run);
    expect(outcome).toMatchObject({
      errorCode: 'process_lost',
      error: 'Process lost -- server may have restarted',
      exitedAt: null,
      log: { logBytes: 7 },
    });
    expect((await bench.output(run)).stdout.toString()).toBe('so far\n');
    expect(agent.requestsTo('/lost')).toHaveLength(1);
    const events = await bench.events(run);
    expect(events.filter(({ eventType }) => eventType === 'usage')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({
      eventType: 'error',
      payload: {
        code: 'process_lost',
        signal: null,
        lease: LEASES.former,
        lastOutput: { stdout: 'so far\n', stderr: '' },
      },
    });
  });

  test('finds it lost also where its folder is gone', async () => {
    const run = await interrupted('/no-folder');
    rmSync(folderOf(run), { recursive: true });
    expect(await bench.adopt(run)).toMatchObject({ errorCode: 'process_lost' });
    expect(agent.requestsTo('/no-folder')).toHaveLength(1);
  });

  test('finishes it where the answer was complete', async () => {
    const url = agent.on('/complete', (response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.end('{"type":"log","text":"so far\\n"}\n{"type":"result","resultJson":"whole"}\n');
    });
    const run = httpRun(url);
    let attempts = 0;
    bench.authority.finish = async () => {
      attempts++;
      throw new LogUnavailable('down');
    };
    await bench.start(run);
    await waitUntil(() => attempts > 0, 'the end of the run is to be recorded');
    await bench.restart();
    bench.authority.finish = RecordingAuthority.prototype.finish;

    const outcome = await bench.adopt(run);
    expect(outcome).toMatchObject({
      errorCode: null,
      exitedAt: expect.any(String),
      report: { resultJson: 'whole' },
      log: { logBytes: 7 },
    });
    expect(agent.requestsTo('/complete')).toHaveLength(1);
  });

  test('does not call it lost where it was to be ended', async () => {
    const run = await interrupted('/ended');
    const outcome = await bench.adopt({ ...run, endCause: 'cancel' });
    expect(outcome).toMatchObject({ errorCode: null, log: { logBytes: 7 } });
  });

  test('starts it where nothing was sent yet', async () => {
    const url = agent.on('/fresh', (response) => response.writeHead(204).end());
    const run = httpRun(url);
    expect(await bench.adopt(run)).toMatchObject({ errorCode: null });
    expect(agent.requestsTo('/fresh')).toHaveLength(1);
    const stored = await bench.untilEvent(runStream(run.companyId, run.runId), (event) => event);
    expect(stored.type).toBe('RunLifecycleRecorded');
  });
});

test('closing the runner hangs up', async () => {
  let isOpen = true;
  const url = agent.on('/hang-up', async (response) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).write('hello');
    await once(response, 'close');
    isOpen = false;
  });
  const run = httpRun(url);
  await bench.start(run);
  await bench.untilOutput(run, 'hello');
  await bench.restart();
  await waitUntil(() => !isOpen, 'the connection is closed');
});

test('an answer with more headers than anybody needs fails the run', async () => {
  const url = agent.on('/headers', (response) => {
    response.writeHead(200, { 'x-much': 'x'.repeat(64 * 1024) }).end();
  });
  const { error } = await bench.execute(httpRun(url));
  expect(error).toMatch(/^POST .* failed: .*Header/);
});

test('an agent with which no connection comes about fails the run in time', async () => {
  // It takes the connection, and never says anything of TLS.
  const mute = createServer();
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { port } = mute.address() as AddressInfo;
  const sockets: Socket[] = [];
  mute.on('connection', (socket) => sockets.push(socket.on('error', () => undefined)));
  const { error } = await bench.execute(httpRun(`https://127.0.0.1:${port}/`));
  expect(error).toBe(`127.0.0.1:${port} could not be reached within 10 s`);
  sockets.forEach((socket) => socket.destroy());
  mute.close();
}, 20_000);

test('a configuration that the adapter does not understand any more fails the run', async () => {
  expect(await bench.execute(httpRun('not a URL'))).toMatchObject({ errorCode: 'adapter_failed' });
});
