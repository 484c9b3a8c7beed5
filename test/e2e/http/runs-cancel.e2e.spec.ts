import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Page, Run, RunEvent } from './client';
import {
  expectProblem,
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  head,
  ISO_TIME,
  runOnce,
  scriptedAgent,
  UNKNOWN_ID,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const cancel = (runId: string) => server.api<Run>('POST', `/v1/runs/${runId}/cancel`);
const messagesOf = async (runId: string) =>
  (await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events`)).items.map(({ message }) => message);

test('a running run is asked to end, and is cancelled when nothing of it is left', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `trap 'echo bye; exit 7' TERM; echo ready; ${gate.wait}`);
  const { wakeup, run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  const answer = await cancel(run!.id);
  const asked = expectStatus(answer, 202);
  expect(asked).toMatchObject({
    id: run!.id,
    status: 'running',
    endCause: 'cancel',
    endRequestedAt: expect.stringMatching(ISO_TIME),
    finishedAt: null,
    error: null,
  });
  expect(BigInt(answer.headers['reveille-position'] as string)).toBeGreaterThan(0n);
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'cancelled',
    endCause: 'cancel',
    endRequestedAt: asked.endRequestedAt,
    errorCode: 'cancelled',
    error: 'Cancelled by control plane',
    exitCode: 7,
    stdoutExcerpt: 'ready\nbye\n',
  });
  expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'cancelled', runStatus: 'cancelled' });
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'idle', activeRunIds: [] });
  expect((await messagesOf(run!.id)).at(-1)).toBe('run cancelled');
});

test('what does not listen is killed after the grace period, with all that it started', async () => {
  const gate = new Gate();
  const pidFile = join(temporaryFolder(), 'pid');
  const stubborn = `trap '' TERM; (trap '' TERM; echo $$ > '${pidFile}'; ${gate.wait}) & echo ready; ${gate.wait}`;
  const agent = await scriptedAgent(server, stubborn, { heartbeat: { graceSec: 1 } });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  const { endRequestedAt } = expectStatus(await cancel(run!.id), 202);
  const cancelled = await untilFinal(server, run!.id);
  expect(cancelled).toMatchObject({
    status: 'cancelled',
    exitCode: 137,
    signal: 'SIGKILL',
    error: 'Cancelled by control plane',
  });
  const tookMs = Date.parse(cancelled.finishedAt!) - Date.parse(endRequestedAt!);
  expect(tookMs).toBeGreaterThanOrEqual(1_000);
  expect(tookMs).toBeLessThan(8_000);
  expect(isAlive(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
});

test('asked again while it is ending, it is as it was', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `trap '' TERM; echo ready; ${gate.wait}`, {
    heartbeat: { graceSec: 2 },
  });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  const first = expectStatus(await cancel(run!.id), 202);
  const second = expectStatus(await cancel(run!.id), 202);
  expect(second).toEqual(first);
  expectStatus(await server.api('POST', `/v1/agents/${agent.id}/pause`), 200);
  expect(await getRun(server, run!.id)).toMatchObject({
    endCause: 'cancel',
    endRequestedAt: first.endRequestedAt,
  });
  gate.open();
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'cancelled',
    endCause: 'cancel',
    error: 'Cancelled by control plane',
  });
});

test('a queued run ends at once', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat: { whenBusy: 'enqueue' } });
  const first = await wake(server, agent.id);
  const queued = await wake(server, agent.id);
  const cancelled = expectStatus(await cancel(queued.run!.id), 200);
  expect(cancelled).toMatchObject({
    status: 'cancelled',
    endCause: 'cancel',
    error: 'Cancelled by control plane',
    errorCode: 'cancelled',
    startedAt: null,
    finishedAt: expect.stringMatching(ISO_TIME),
    exitCode: null,
    nodeId: null,
  });
  expect(await getWakeup(server, queued.wakeup.id)).toMatchObject({ status: 'cancelled', claimedAt: null });
  expect(await messagesOf(queued.run!.id)).toEqual(['run queued', 'run cancelled']);
  gate.open();
  await untilFinal(server, first.run!.id);
  expect(await getRun(server, queued.run!.id)).toMatchObject({ status: 'cancelled', startedAt: null });
  expect(await get(server, `/v1/agents/${agent.id}/runtime-state`)).toMatchObject({
    lastRunId: first.run!.id,
  });
});

test.each([
  ['succeeded', 'true'],
  ['failed', 'exit 3'],
])('a run that has %s stays as it is', async (status, script) => {
  const agent = await scriptedAgent(server, script);
  const run = await runOnce(server, agent.id);
  const before = await head(server);
  const { stdoutExcerpt: _stdout, stderrExcerpt: _stderr, ...listed } = run;
  const answer = expectStatus(await cancel(run.id), 200);
  expect(answer).toMatchObject(listed);
  expect(answer).toMatchObject({ status, endCause: null, endRequestedAt: null });
  expect(await head(server)).toBe(before);
});

test('a cancelled run stays as it is', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  expectStatus(await cancel(run!.id), 202);
  const cancelled = await untilFinal(server, run!.id);
  const before = await head(server);
  expect(expectStatus(await cancel(run!.id), 200)).toMatchObject({ finishedAt: cancelled.finishedAt });
  expect(await getRun(server, run!.id)).toEqual(cancelled);
  expect(await head(server)).toBe(before);
});

test('a run of nobody cannot be cancelled', async () => {
  const before = await head(server);
  expectProblem(await cancel(UNKNOWN_ID), 404, 'run_not_found');
  expect(await head(server)).toBe(before);
});

test('twenty cancellations at once are one', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  const answers = await Promise.all(Array.from({ length: 20 }, () => cancel(run!.id)));
  expect(answers.filter(({ status }) => status !== 202 && status !== 200)).toEqual([]);
  expect(new Set(answers.map(({ body }) => body.endRequestedAt)).size).toBe(1);
  expect((await untilFinal(server, run!.id)).status).toBe('cancelled');
});

test('a cancellation right after the wakeup is heard, whatever stage the start is in', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat: { graceSec: 1 } });
  for (let i = 0; i < 15; i++) {
    const { wakeup, run } = await wake(server, agent.id);
    if (i % 3 === 1) await waitUntil(async () => (await getRun(server, run!.id)).startedAt, 'it is claimed');
    expect([200, 202]).toContain((await cancel(run!.id)).status);
    const cancelled = await untilFinal(server, run!.id);
    expect(cancelled).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
    expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'cancelled' });
    const messages = await messagesOf(run!.id);
    expect([messages[0], messages.at(-1)]).toEqual(['run queued', 'run cancelled']);
  }
});

test('a run ends once, whether it exits or is cancelled first', async () => {
  for (let i = 0; i < 15; i++) {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
    const { run } = await wake(server, agent.id);
    await untilOutput(server, run!.id, 'ready');
    gate.open();
    const [answer] = await Promise.all([cancel(run!.id), getRun(server, run!.id)]);
    const final = await untilFinal(server, run!.id);
    // It may even be over before that can be answered.
    const isCancelled = answer.status === 202 || answer.body.endCause === 'cancel';
    if (isCancelled) expect(final).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
    else expect(final).toMatchObject({ status: 'succeeded', endCause: null });
    const closing = (await messagesOf(run!.id)).filter((message) =>
      /^run (succeeded|cancelled|failed)/.test(message),
    );
    expect(closing).toEqual([`run ${final.status}`]);
  }
});

test('silence is an end of its own', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat: { silenceTimeoutSec: 1, graceSec: 1 } });
  expect(await runOnce(server, agent.id)).toMatchObject({
    status: 'timed_out',
    endCause: 'silence',
    errorCode: 'silence_timeout',
    error: expect.stringMatching(/./),
  });
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'error' });
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
