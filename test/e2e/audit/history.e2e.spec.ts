import type { AsOfAnswer, RuntimeStateView, WakeAnswer, WhyAnswer } from '../../../src/client';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Page, Run } from '../http/client';
import {
  expectBadField,
  expectProblem,
  get,
  getAgent,
  getRun,
  getWakeup,
  Gate,
  head,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  UNKNOWN_ID,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';

/** What was known then, why it happened, and all about one run: answered from the log. */

let server: TestServer;
let companyId: string;
let agent: Agent;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
  const report =
    '{"usage": {"inputTokens": 5, "outputTokens": 7}, "costUsd": 0.01, "model": "m", "provider": "p", "sessionId": "s"}';
  agent = await registerAgent(server, companyId, {
    adapterConfig: {
      ...shell(
        `echo out; echo '{"type": "usage", "usage": {"inputTokens": 2}}' >> "$REVEILLE_EVENTS_FILE"; echo '${report}' > "$REVEILLE_RESULT_FILE"`,
      ),
      env: { MODE: 'very-private-mode' },
    },
  });
});
afterAll(() => server.close());

function asOf(query: string): Promise<AsOfAnswer> {
  return get(server, `/v1/audit/as-of?${query}`);
}

function why(query: string): Promise<WhyAnswer> {
  return get(server, `/v1/audit/why?${query}`);
}

/** The events in which a run tells what it does, down to its end. */
const DONE_BY_RUN = new Set(['AdapterInvoked', 'ProcessRecorded', 'LogFinalized', 'RunFinished']);

/** What `GET` answers of everything, and where the log is then. */
async function now(runId: string | null) {
  const position = await head(server);
  const answers = {
    agent: await getAgent(server, agent.id),
    runtimeState: await get<RuntimeStateView>(server, `/v1/agents/${agent.id}/runtime-state`),
    run: runId === null ? null : await getRun(server, runId),
    spend: await get<object>(server, `/v1/companies/${companyId}/costs?groupBy=month`),
    at: new Date().toISOString(),
  };
  // What happens in the same millisecond is in it, too.
  await waitUntil(() => Date.now() > Date.parse(answers.at), 'the next millisecond');
  return { position, ...answers };
}

function withoutExcerpts(run: Run): Partial<Run> {
  const { stdoutExcerpt: _out, stderrExcerpt: _err, ...rest } = run;
  return rest;
}

test('as of a position, and of a time, all is what was answered then', async () => {
  const moments = [await now(null)];
  for (let run = 0; run < 3; run += 1) {
    const { id } = await runOnce(server, agent.id, { contextSnapshot: { run } });
    moments.push(await now(id));
  }
  await server.api('POST', `/v1/agents/${agent.id}/pause`);
  moments.push(await now(moments.at(-1)!.run!.id));
  await server.api('POST', `/v1/agents/${agent.id}/resume`);
  expect(new Set(moments.map(({ position }) => position)).size).toBe(5);
  for (const { position, at, run, agent: then, runtimeState, spend } of moments) {
    for (const moment of [`position=${position}`, `at=${at}`]) {
      const known = await asOf(`agentId=${agent.id}&${moment}`);
      expect(known).toEqual({
        position: expect.any(String),
        at: expect.any(String),
        agent: then,
        runtimeState,
        run: null,
        spend: null,
      });
      expect(BigInt(known.position)).toBeLessThanOrEqual(BigInt(position));
      expect((await asOf(`companyId=${companyId}&${moment}`)).spend).toEqual(spend);
      if (run) expect((await asOf(`runId=${run.id}&${moment}`)).run).toEqual(withoutExcerpts(run));
    }
  }
  const [, first, second] = moments;
  expectProblem(
    await server.api('GET', `/v1/audit/as-of?runId=${second!.run!.id}&position=${first!.position}`),
    404,
    'run_not_found',
  );
  expect(first!.spend).not.toEqual(second!.spend);
});

test('as of the middle of a run it is running', async () => {
  const gate = new Gate();
  const patient = await registerAgent(server, companyId, { adapterConfig: shell(gate.wait) });
  const { run } = await wake(server, patient.id);
  await untilRunning(server, run!.id);
  const { position } = await asOf(`runId=${run!.id}&at=${new Date().toISOString()}`);
  gate.open();
  await untilFinal(server, run!.id);
  expect((await asOf(`runId=${run!.id}&position=${position}`)).run).toMatchObject({
    status: 'running',
    finishedAt: null,
  });
  expect((await asOf(`agentId=${patient.id}&position=${position}`)).agent).toMatchObject({
    status: 'running',
    activeRunIds: [run!.id],
  });
});

test('why: from the wakeup to the cost, in the order of the log', async () => {
  const { wakeup, run } = await wake(server, agent.id, { reason: 'the board asked' });
  await untilFinal(server, run!.id);
  await head(server);
  const { steps } = await why(`runId=${run!.id}`);
  const positions = steps.map(({ position }) => BigInt(position));
  expect(positions).toEqual([...positions].sort((a, b) => (a < b ? -1 : 1)));
  expect(new Set(steps.map(({ eventId }) => eventId)).size).toBe(steps.length);
  const story = steps.map(({ role, type }) => `${role} ${type}`);
  expect(story.filter((line, index) => story.indexOf(line) === index)).toEqual([
    ...['request WakeupRequested', 'decision RunQueued', 'run RunLifecycleRecorded', 'run RunStarted'],
    ...[
      'process AdapterInvoked',
      'process ProcessRecorded',
      'usage UsageBooked',
      'output LogFinalized',
      'run RunFinished',
    ],
  ]);
  const textOf = (type: string) => steps.find((step) => step.type === type)!.text;
  expect(textOf('WakeupRequested')).toMatch(/^user .+ asked for a wakeup \(on_demand\): the board asked$/);
  expect(textOf('RunFinished')).toMatch(/succeeded, exit code 0, settled p\/m: .+ tokens, \$0\.01/);
  expect((await why(`wakeupId=${wakeup.id}`)).steps).toEqual(steps);
});

test('why: what led to it, and what came of it', async () => {
  const retry = { maxAttempts: 2, backoffSec: 0 };
  const failing = await registerAgent(server, companyId, {
    adapterConfig: shell('exit 3'),
    heartbeat: { retry },
  });
  const { run: first } = await wake(server, failing.id);
  await untilFinal(server, first!.id);
  const retried = await waitUntil(async () => {
    const { items } = await get<Page<Run>>(server, `/v1/companies/${companyId}/runs?agentId=${failing.id}`);
    return items.find(({ retryOfRunId }) => retryOfRunId === first!.id);
  }, 'it is tried again');
  await untilFinal(server, retried.id);
  expect((await why(`runId=${first!.id}`)).steps).toContainEqual(
    expect.objectContaining({ role: 'consequence', type: 'RunQueued', runId: retried.id }),
  );
  expect((await why(`runId=${retried.id}`)).steps).toContainEqual(
    expect.objectContaining({ role: 'cause', type: 'RunFinished', runId: first!.id }),
  );
  const gate = new Gate();
  const busy = await registerAgent(server, companyId, { adapterConfig: shell(gate.wait) });
  const { run: before } = await wake(server, busy.id);
  await untilRunning(server, before!.id);
  const { wakeup } = await wake(server, busy.id, { reason: 'it has to wait' });
  gate.open();
  await untilFinal(server, before!.id);
  const runId = await waitUntil(async () => (await getWakeup(server, wakeup.id)).runId, 'it has its run');
  await untilFinal(server, runId);
  const { steps } = await why(`wakeupId=${wakeup.id}`);
  expect(steps.map(({ role, type }) => `${role} ${type}`)).toEqual(
    expect.arrayContaining([
      'request WakeupRequested',
      'decision WakeupDeferred',
      'cause RunFinished',
      'decision RunQueued',
    ]),
  );
  const { steps: forward } = await why(`runId=${before!.id}`);
  expect(forward.filter(({ role }) => role === 'consequence')).toContainEqual(
    expect.objectContaining({ type: 'RunQueued', runId }),
  );
});

test('what a run does belongs to the request for it: tried again, and where it had to wait for another one', async () => {
  const flaky = await registerAgent(server, companyId, {
    adapterConfig: shell('exit 3'),
    heartbeat: { retry: { maxAttempts: 2, backoffSec: 0 }, whenBusy: 'followUp' },
  });
  const gate = new Gate();
  const busy = await registerAgent(server, companyId, { adapterConfig: shell(gate.wait) });
  const ask = async ({ id }: Agent, as: string): Promise<WakeAnswer> =>
    (await server.api<WakeAnswer>('POST', `/v1/agents/${id}/wakeups`, {}, { 'X-Request-Id': as })).body;

  const tried = await ask(flaky, 'to-be-tried');
  const first = await ask(busy, 'first');
  await untilRunning(server, first.run!.id);
  const waiting = await ask(busy, 'has-to-wait');
  gate.open();
  const over = ({ wakeup }: WakeAnswer) =>
    waitUntil(async () => {
      const { steps } = await why(`wakeupId=${wakeup.id}`);
      const last = steps
        .filter(({ type, wakeupId }) => type === 'RunFinished' && wakeupId === wakeup.id)
        .at(-1);
      return last && !last.text.includes('to be tried again') && steps;
    }, 'its last run is over');
  for (const [woken, as] of [
    [tried, 'to-be-tried'],
    [first, 'first'],
    [waiting, 'has-to-wait'],
  ] as const) {
    const steps = await over(woken);
    const { runId } = await getWakeup(server, woken.wakeup.id);
    const own = steps.filter((step) => step.runId === runId && DONE_BY_RUN.has(step.type));
    expect(new Set(own.map(({ type }) => type))).toEqual(DONE_BY_RUN);
    expect(new Set(own.map(({ correlationId }) => correlationId))).toEqual(new Set([as]));
  }
});

test('a bundle has all of a run, what proves it, and nothing that is secret', async () => {
  const run = await runOnce(server, agent.id);
  await head(server);
  const answer = await server.api<string>('GET', `/v1/audit/runs/${run.id}/bundle`);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  expect(answer.body).not.toContain('very-private-mode');
  const lines = answer.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { kind: string });
  const of = (kind: string) => lines.filter((line) => line.kind === kind);
  expect(of('bundle')).toEqual([expect.objectContaining({ runId: run.id, agentId: agent.id, companyId })]);
  expect(of('run')[0]!['run']).toEqual(withoutExcerpts(await getRun(server, run.id)));
  expect(of('wakeup')).toHaveLength(1);
  expect(of('output')).toEqual([expect.objectContaining({ stream: 'stdout', offset: 0, text: 'out\n' })]);
  expect(of('usage').length).toBeGreaterThan(0);
  expect(of('why').map(({ type }) => type)).toContain('RunFinished');
  const [configuration] = of('event').filter(({ type }) => type === 'AgentRegistered');
  expect(configuration).toMatchObject({ masked: true, data: expect.stringContaining('"MODE":"***"') });
  expect(of('chain').map(({ stream }) => stream)).toHaveLength(3);
  for (const { result } of of('verification')) expect(result).toMatchObject({ ok: true });
  expect(lines.at(-1)).toEqual({ kind: 'end', lines: lines.length });
});

test('a verification is told step by step, and goes on where one was stopped', async () => {
  const stream = async (query = '') => {
    const { body, headers } = await server.api<string>('GET', `/v1/audit/verify${query}`, undefined, {
      accept: 'application/x-ndjson',
    });
    expect(headers['content-type']).toBe('application/x-ndjson');
    return body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; result?: { ok: boolean; events: number } });
  };
  const whole = (await stream()).at(-1)!;
  expect(whole).toMatchObject({ kind: 'result', result: { ok: true } });
  const { body } = await server.api<{ number: number }>('POST', '/v1/audit/checkpoints');
  expect(body.number).toBeGreaterThan(0);
  const { position } = await asOf(`agentId=${agent.id}&at=${new Date().toISOString()}`);
  const rest = (await stream(`?after=${position}`)).at(-1)!;
  expect(rest).toMatchObject({ kind: 'result', result: { ok: true } });
  expect(rest.result!.events).toBeLessThan(whole.result!.events);
});

test('what is refused', async () => {
  const refused = (path: string) => server.api('GET', `/v1/audit/${path}`);
  expectBadField(await refused('as-of?position=1'), 'agentId');
  expectBadField(await refused(`as-of?agentId=${agent.id}&runId=${agent.id}&position=1`), 'agentId');
  expectBadField(await refused(`as-of?agentId=${agent.id}`), 'position');
  expectBadField(await refused('why'), 'runId');
  expectBadField(await refused('verify?after=x'), 'after');
  expectBadField(await refused('verify?stream=null'), 'stream');
  expectBadField(await refused('export'), 'companyId');
  expectProblem(await refused(`as-of?agentId=${UNKNOWN_ID}&position=1`), 404, 'agent_not_found');
  expectProblem(await refused(`as-of?agentId=${agent.id}&position=99999999`), 400, 'position_past_head');
  expectProblem(await refused(`why?runId=${UNKNOWN_ID}`), 404, 'run_not_found');
  expectProblem(await refused(`why?wakeupId=${UNKNOWN_ID}`), 404, 'wakeup_not_found');
  expectProblem(await refused(`runs/${UNKNOWN_ID}/bundle`), 404, 'run_not_found');
  expectProblem(await refused(`export?companyId=${UNKNOWN_ID}`), 404, 'company_not_found');
  expectProblem(await refused(`verify?companyId=${UNKNOWN_ID}`), 404, 'company_not_found');
  expectProblem(await refused('verify?after=99999999'), 400, 'position_past_head');
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
