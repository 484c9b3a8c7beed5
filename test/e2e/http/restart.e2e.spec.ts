import type { WhyAnswer } from '../../../src/client';
import { findMarkedProcesses, waitUntilGone } from '../../support/jest/marked-processes';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { Page, Run, RunEvent, Wakeup } from './client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  getRun,
  getWakeup,
  head,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  untilDecided,
  untilFinal,
  untilOutput,
  untilRunning,
  wake,
} from './client';

let dataDir: string;
let server: TestServer;

beforeEach(async () => {
  dataDir = temporaryFolder();
  server = await startTestServer({ dataDir, maxRuns: 3 });
});
afterEach(async () => {
  await head(server);
  expect(server.errors).toEqual([]);
  await server.close();
});

async function restart(): Promise<void> {
  expect(server.errors).toEqual([]);
  await server.close();
  server = await startTestServer({ dataDir, maxRuns: 3 });
}

test('everything that could be read is read as before', async () => {
  const company = await openCompany(server);
  const agent = await registerAgent(server, company.id);
  const { id: runId } = await runOnce(server, agent.id, { idempotencyKey: 'k', payload: { issueId: 'I' } });
  expectStatus(await server.api('PATCH', `/v1/agents/${agent.id}`, { name: 'Changed' }), 200);
  // A server that stops would write it: what is covered is left as it is.
  await server.api('POST', '/v1/audit/checkpoints');
  const position = await head(server);
  const paths = [
    `/v1/companies/${company.id}`,
    `/v1/companies/${company.id}/agents`,
    `/v1/companies/${company.id}/runs`,
    `/v1/agents/${agent.id}`,
    `/v1/agents/${agent.id}/wakeups`,
    `/v1/agents/${agent.id}/runtime-state`,
    `/v1/runs/${runId}`,
    `/v1/runs/${runId}/events`,
    `/v1/runs/${runId}/log`,
  ];
  const readAll = () => Promise.all(paths.map((path) => get(server, path)));
  const before = await readAll();
  const { token } = server;
  await restart();
  expect(await readAll()).toEqual(before);
  expect(await head(server)).toBe(position);
  expect(server.token).toBe(token);
  const again = await wake(server, agent.id, { idempotencyKey: 'k', payload: { issueId: 'I' } });
  expect(again.run!.id).toBe(runId);
});

test('a running run is taken up, loses no output, and ends with its true exit code', async () => {
  const [first, second] = [new Gate(), new Gate()];
  const script = `echo before; ${first.wait}; echo meanwhile; ${second.wait}; echo after; exit 42`;
  const agent = await scriptedAgent(server, script);
  const { wakeup, run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'before');
  const waiting = await wake(server, agent.id, { reason: 'waiting' });
  const merged = await wake(server, agent.id, { reason: 'merged' });
  expect([waiting.wakeup.status, merged.wakeup.status]).toEqual(['deferred', 'coalesced']);

  expect(server.errors).toEqual([]);
  await server.close();
  first.open();
  server = await startTestServer({ dataDir, maxRuns: 3 });

  expect(await getRun(server, run!.id)).toMatchObject({ status: 'running' });
  expect(await getAgent(server, agent.id)).toMatchObject({ status: 'running', activeRunIds: [run!.id] });
  expect(await getWakeup(server, waiting.wakeup.id)).toMatchObject({ status: 'deferred', runId: null });
  await untilOutput(server, run!.id, 'meanwhile');
  second.open();
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'failed',
    exitCode: 42,
    errorCode: 'adapter_failed',
    stdoutExcerpt: 'before\nmeanwhile\nafter\n',
  });
  expect(await getWakeup(server, wakeup.id)).toMatchObject({ status: 'failed' });
  const { items: events } = await get<Page<RunEvent>>(server, `/v1/runs/${run!.id}/events`);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  expect(events.filter(({ eventType }) => eventType === 'adapter.invoke')).toHaveLength(1);
  expect(events.filter(({ message }) => message === 'run started')).toHaveLength(1);

  const released = await untilDecided(server, waiting.wakeup.id);
  expect(released).toMatchObject({ status: 'failed', runStatus: 'failed' });
  expect(await getRun(server, released.runId!)).toMatchObject({
    exitCode: 42,
    wakeupIds: [waiting.wakeup.id, merged.wakeup.id],
  });
  expect(await getWakeup(server, merged.wakeup.id)).toMatchObject({
    status: 'coalesced',
    runId: released.runId,
  });
});

test('a run that ended while nobody watched has its outcome, output and result', async () => {
  const gate = new Gate();
  const script = `echo before; ${gate.wait}; echo after; echo '{"costUsd":1,"sessionId":"s"}' > "$REVEILLE_RESULT_FILE"; exec true`;
  const agent = await scriptedAgent(server, script);
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'before');
  await server.close();
  gate.open();
  await waitUntilGone(run!.id, 10_000);
  expect(findMarkedProcesses(run!.id)).toEqual([]);
  server = await startTestServer({ dataDir, maxRuns: 3 });
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'succeeded',
    exitCode: 0,
    costMicros: 1_000_000,
    sessionIdAfter: 's',
    stdoutExcerpt: 'before\nafter\n',
  });
});

test('what was queued is started after the restart, once each', async () => {
  const gate = new Gate();
  const blockers = [];
  for (let i = 0; i < 3; i++) {
    const { run } = await wake(server, (await scriptedAgent(server, gate.wait)).id);
    blockers.push(await untilRunning(server, run!.id));
  }
  const agent = await scriptedAgent(server, 'echo "$REVEILLE_RUN_ID"', {
    heartbeat: { whenBusy: 'enqueue' },
  });
  const queued = [];
  for (let i = 0; i < 5; i++) queued.push((await wake(server, agent.id)).run!.id);
  await restart();
  for (const id of queued) expect((await getRun(server, id)).status).toBe('queued');
  gate.open();
  for (const { id } of blockers) expect((await untilFinal(server, id)).status).toBe('succeeded');
  for (const id of queued) {
    expect(await untilFinal(server, id)).toMatchObject({ status: 'succeeded', stdoutExcerpt: `${id}\n` });
    // It still belongs to the request for it.
    const { steps } = await get<WhyAnswer>(server, `/v1/audit/why?runId=${id}`);
    const idOf = (wanted: string) => steps.find(({ type }) => type === wanted)!.correlationId;
    expect(idOf('RunStarted')).toBe(idOf('WakeupRequested'));
  }
  const { items } = await get<Page<Run>>(server, `/v1/companies/${agent.companyId}/runs`);
  expect(items.map(({ id }) => id).sort()).toEqual([...queued].sort());
});

test('an ending that was asked for before the restart is carried out after it', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `trap '' TERM; echo ready; ${gate.wait}`, {
    heartbeat: { graceSec: 2 },
  });
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
  await restart();
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'cancelled',
    endCause: 'cancel',
    error: 'Cancelled by control plane',
  });
});

test('a restart, and another, and another', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(
    server,
    `i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i+1)); sleep 0.005; done; ${gate.wait}`,
  );
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'line 3');
  for (let i = 0; i < 4; i++) await restart();
  await untilOutput(server, run!.id, 'line 399');
  gate.open();
  const final = await untilFinal(server, run!.id);
  expect(final.stdoutExcerpt).toBe(Array.from({ length: 400 }, (_, index) => `line ${index}\n`).join(''));
  expect(final).toMatchObject({ status: 'succeeded', exitCode: 0 });
});

test('a second server on the same folder is refused, and disturbs nobody', async () => {
  await expect(startTestServer({ dataDir })).rejects.toThrow(/data folder/);
  const agent = await scriptedAgent(server, 'true');
  expect((await runOnce(server, agent.id)).status).toBe('succeeded');
});

test('wakeups that come while the server stops are answered, or lost with their connection, never halfway', async () => {
  const agent = await scriptedAgent(server, 'true', { heartbeat: { whenBusy: 'enqueue' } });
  const answers: Wakeup[] = [];
  const senders = Array.from({ length: 20 }, async () => {
    for (;;) {
      const body = await server
        .api<{ wakeup: Wakeup }>('POST', `/v1/agents/${agent.id}/wakeups`)
        .then(({ status, body }) => (status === 202 ? body : null))
        .catch(() => null);
      if (body === null) return;
      answers.push(body.wakeup);
    }
  });
  while (answers.length < 30) await new Promise((resolve) => setImmediate(resolve));
  const { close } = server;
  await close();
  await Promise.all(senders);
  server = await startTestServer({ dataDir, maxRuns: 3 });
  for (const { id } of answers) expect(await untilDecided(server, id)).toMatchObject({ status: 'completed' });
});
