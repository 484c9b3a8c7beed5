import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Page, RunEvent } from './client';
import {
  expectStatus,
  Gate,
  get,
  getAgent,
  head,
  ISO_TIME,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

interface RuntimeState {
  sessionId: string | null;
}
const stateOf = (agent: Agent) => get<RuntimeState>(server, `/v1/agents/${agent.id}/runtime-state`);
const eventsOf = async (runId: string) =>
  (await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events?limit=1000`)).items;

/** An agent whose result is the `reason` of its wakeup's context, byte for byte. */
const newReporter = (then = '') =>
  scriptedAgent(server, `cat > "$REVEILLE_RESULT_FILE"; printf %s "\${REVEILLE_SESSION_ID:-none}"; ${then}`, {
    config: { stdin: '{{context.result}}' },
  });
const report = (agent: Agent, result: object | string) =>
  runOnce(server, agent.id, {
    contextSnapshot: { result: typeof result === 'string' ? result : JSON.stringify(result) },
  });

test('an agent that never ran has zeros', async () => {
  const { id: companyId } = await openCompany(server);
  const agent = await registerAgent(server, companyId);
  expect(await stateOf(agent)).toEqual({
    agentId: agent.id,
    companyId,
    taskKey: null,
    sessionId: null,
    sessionDisplayId: null,
    stateJson: null,
    lastRunId: null,
    lastRunStatus: null,
    lastError: null,
    totalInputTokens: 0,
    totalOutputTokens: 0,
    totalCachedInputTokens: 0,
    totalCostMicros: 0,
    updatedAt: null,
  });
});

test('usage, cost and result are kept, and summed up for the agent', async () => {
  const agent = await newReporter();
  const usage = { inputTokens: 100, outputTokens: 20, cachedInputTokens: 3 };
  const resultJson = { summary: 'done', list: [1, null, { a: 'b' }] };
  const first = await report(agent, { usage, costUsd: 0.0123456, provider: 'p', model: 'm', resultJson });
  expect(first).toMatchObject({ status: 'succeeded', usage, costMicros: 12_346, resultJson });
  await report(agent, { usage: { inputTokens: 1 }, costUsd: 0.5 });
  expect(await stateOf(agent)).toMatchObject({
    totalInputTokens: 101,
    totalOutputTokens: 20,
    totalCachedInputTokens: 3,
    totalCostMicros: 512_346,
    lastRunStatus: 'succeeded',
    lastError: null,
    updatedAt: expect.stringMatching(ISO_TIME),
  });
  expect(await getAgent(server, agent.id)).toMatchObject({ spentMonthMicros: 512_346 });
});

test.each<[number | string, number]>([
  [0, 0],
  [1, 1_000_000],
  [0.0000005, 1],
  [0.0000004, 0],
  [1.0000005, 1_000_001],
  [0.0000015, 2],
  [2.5e-7, 0],
  [-3, 0],
  [0.1, 100_000],
  [1234.567891, 1_234_567_891],
])('%s USD are %s micro-dollars', async (costUsd, costMicros) => {
  expect(await report(await newReporter(), { costUsd })).toMatchObject({ costMicros });
});

test('no result is no usage and no cost', async () => {
  expect(await runOnce(server, (await scriptedAgent(server, 'true')).id)).toMatchObject({
    usage: null,
    costMicros: null,
    resultJson: null,
    sessionIdBefore: null,
    sessionIdAfter: null,
  });
});

test('an error message fails the run, whatever its exit code', async () => {
  const run = await report(await newReporter(), { errorMessage: 'the model said no' });
  expect(run).toMatchObject({
    status: 'failed',
    exitCode: 0,
    errorCode: 'adapter_failed',
    error: 'the model said no',
  });
});

test('a failed run books what it reported', async () => {
  const agent = await newReporter('exit 4');
  const run = await report(agent, { costUsd: 0.25, usage: { outputTokens: 7 }, sessionId: 's-failed' });
  expect(run).toMatchObject({
    status: 'failed',
    exitCode: 4,
    costMicros: 250_000,
    sessionIdAfter: 's-failed',
  });
  expect(await stateOf(agent)).toMatchObject({
    totalCostMicros: 250_000,
    totalOutputTokens: 7,
    sessionId: 's-failed',
    lastError: 'Adapter failed',
  });
});

test('a cancelled run books what it reported, and keeps its session', async () => {
  const gate = new Gate();
  const agent = await newReporter(`echo ready; ${gate.wait}`);
  const { run } = await wake(server, agent.id, {
    contextSnapshot: { result: JSON.stringify({ costUsd: 1, sessionId: 's-cancelled' }) },
  });
  await untilOutput(server, run!.id, 'ready');
  expectStatus(await server.api('POST', `/v1/runs/${run!.id}/cancel`), 202);
  expect(await untilFinal(server, run!.id)).toMatchObject({
    status: 'cancelled',
    costMicros: 1_000_000,
    sessionIdAfter: 's-cancelled',
  });
  expect(await stateOf(agent)).toMatchObject({ totalCostMicros: 1_000_000, sessionId: 's-cancelled' });
});

describe('the session', () => {
  test('is carried from run to run', async () => {
    const agent = await newReporter();
    const first = await report(agent, { sessionId: 's-1' });
    expect(first).toMatchObject({ sessionIdBefore: null, sessionIdAfter: 's-1', stdoutExcerpt: 'none' });
    const second = await report(agent, {});
    expect(second).toMatchObject({ sessionIdBefore: 's-1', sessionIdAfter: 's-1', stdoutExcerpt: 's-1' });
    const third = await report(agent, { sessionId: 's-3' });
    expect(third).toMatchObject({ sessionIdBefore: 's-1', sessionIdAfter: 's-3', stdoutExcerpt: 's-1' });
    expect(await stateOf(agent)).toMatchObject({ sessionId: 's-3', sessionDisplayId: 's-3' });
    const fourth = await report(agent, { clearSession: true });
    expect(fourth).toMatchObject({ sessionIdBefore: 's-3', sessionIdAfter: null, stdoutExcerpt: 's-3' });
    expect(await stateOf(agent)).toMatchObject({ sessionId: null });
    expect(await report(agent, {})).toMatchObject({ sessionIdBefore: null, stdoutExcerpt: 'none' });
  });

  test('that is cleared and given at once is cleared', async () => {
    const agent = await newReporter();
    expect(await report(agent, { clearSession: true, sessionId: 's-1' })).toMatchObject({
      sessionIdAfter: null,
    });
  });

  test('is reset, with state and error, and the totals stay', async () => {
    const agent = await newReporter('exit 1');
    await report(agent, { sessionId: 's-1', state: { step: 3 }, costUsd: 1 });
    expect(await stateOf(agent)).toMatchObject({ sessionId: 's-1', stateJson: { step: 3 } });
    const answer = await server.api('POST', `/v1/agents/${agent.id}/runtime-state/reset-session`);
    expect(expectStatus(answer, 200)).toMatchObject({
      sessionId: null,
      sessionDisplayId: null,
      stateJson: null,
      lastError: null,
      totalCostMicros: 1_000_000,
      lastRunStatus: 'failed',
    });
    expect(answer.headers['reveille-position']).toMatch(/^\d+$/);
    expect(await stateOf(agent)).toEqual(answer.body);
    expect(await report(agent, {})).toMatchObject({ sessionIdBefore: null, stdoutExcerpt: 'none' });
  });

  test('that is reset during a run is not brought back by it', async () => {
    const gate = new Gate();
    const agent = await newReporter(`echo ready; ${gate.wait}`);
    const { run } = await wake(server, agent.id, {
      contextSnapshot: { result: JSON.stringify({ sessionId: 's-old', state: { old: true }, costUsd: 1 }) },
    });
    await untilOutput(server, run!.id, 'ready');
    expectStatus(await server.api('POST', `/v1/agents/${agent.id}/runtime-state/reset-session`), 200);
    gate.open();
    expect(await untilFinal(server, run!.id)).toMatchObject({ status: 'succeeded', sessionIdAfter: null });
    expect(await stateOf(agent)).toMatchObject({
      sessionId: null,
      stateJson: null,
      totalCostMicros: 1_000_000,
    });
  });
});

describe('the state', () => {
  test.each<[string, unknown]>([
    ['an object', { a: [1, { b: null }] }],
    ['a list', [1, 2]],
    ['a text', 'state'],
    ['a number', 0],
    ['false', false],
  ])('may be %s, and stays until the next', async (_what, state) => {
    const agent = await newReporter();
    await report(agent, { state });
    expect(await stateOf(agent)).toMatchObject({ stateJson: state });
    await report(agent, {});
    expect(await stateOf(agent)).toMatchObject({ stateJson: state });
  });
});

describe('a malformed result is an error event, and the run ends as it would have', () => {
  const deep = `{"sessionId":"s","resultJson":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const deepState = `{"state":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;

  test.each([
    ['no JSON', 'oops'],
    ['half of one', '{"sessionId":'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '7'],
  ])('%s', async (_what, result) => {
    const run = await report(await newReporter(), result);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, usage: null, costMicros: null });
    const errors = (await eventsOf(run.id)).filter(({ eventType }) => eventType === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ level: 'error', message: expect.stringMatching(/result/i) });
  });

  test.each<[string, object, object]>([
    ['usage in words', { usage: 'a lot', sessionId: 's-ok' }, { usage: null, sessionIdAfter: 's-ok' }],
    ['negative tokens', { usage: { inputTokens: -1 }, costUsd: 1 }, { usage: null, costMicros: 1_000_000 }],
    ['cost in words', { costUsd: 'cheap', sessionId: 's-ok' }, { costMicros: null, sessionIdAfter: 's-ok' }],
    ['a number for a session', { sessionId: 5, costUsd: 1 }, { sessionIdAfter: null, costMicros: 1_000_000 }],
    ['half a token', { usage: { inputTokens: 0.5 } }, { usage: null }],
    ['more money than there is', { costUsd: 1e300 }, { costMicros: null }],
  ])('only %s', async (_what, result, expected) => {
    const run = await report(await newReporter(), result);
    expect(run).toMatchObject({ status: 'succeeded', ...expected });
    expect((await eventsOf(run.id)).filter(({ eventType }) => eventType === 'error')).toHaveLength(1);
  });

  test.each([
    ['a result', deep],
    ['a state', deepState],
  ])('%s nested beyond measure', async (_what, text) => {
    const agent = await scriptedAgent(server, `cat > "$REVEILLE_RESULT_FILE"`, { config: { stdin: text } });
    const run = await runOnce(server, agent.id);
    expect(run.status).toBe('succeeded');
    expect((await eventsOf(run.id)).filter(({ eventType }) => eventType === 'error')).toHaveLength(1);
  });

  test.each([
    ['a folder', 'mkdir "$REVEILLE_RESULT_FILE"'],
    ['a pipe that nobody writes to', 'mkfifo "$REVEILLE_RESULT_FILE"'],
    ['a link to nowhere', 'ln -s /no/such/file "$REVEILLE_RESULT_FILE"'],
    ['endless', 'head -c 3000000 /dev/zero > "$REVEILLE_RESULT_FILE"'],
  ])('a file that is %s', async (_what, script) => {
    const run = await runOnce(server, (await scriptedAgent(server, `${script}; exit 0`)).id);
    expect(run).toMatchObject({ status: 'succeeded', usage: null });
  });

  test('a note nested beyond measure', async () => {
    const depth = 30_000;
    const line = `{"type":"note","message":"m","payload":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    const agent = await scriptedAgent(server, `cat >> "$REVEILLE_EVENTS_FILE"`, { config: { stdin: line } });
    const run = await runOnce(server, agent.id);
    expect(run.status).toBe('succeeded');
    expect((await eventsOf(run.id)).filter(({ eventType }) => eventType === 'error')).toHaveLength(1);
  });

  test('what nobody asked for is left out', async () => {
    const run = await report(await newReporter(), { colour: 'red', sessionId: 's-1' });
    expect(run).toMatchObject({ status: 'succeeded', sessionIdAfter: 's-1' });
  });

  test('an empty one is none', async () => {
    const run = await report(await newReporter(), '');
    expect((await eventsOf(run.id)).filter(({ eventType }) => eventType === 'error')).toEqual([]);
  });
});

test('what an agent reports while it runs is told at once', async () => {
  const gate = new Gate();
  const lines = [
    '{"type":"note","message":"half way"}',
    '{"type":"usage","inputTokens":5,"outputTokens":1}',
    'not a line of JSON',
  ];
  const agent = await scriptedAgent(
    server,
    `for line in "$@"; do echo "$line" >> "$REVEILLE_EVENTS_FILE"; done; echo ready; ${gate.wait}`,
    { args: lines },
  );
  const { run } = await wake(server, agent.id);
  await untilOutput(server, run!.id, 'ready');
  let types: string[];
  do types = (await eventsOf(run!.id)).map(({ eventType }) => eventType);
  while (!['note', 'usage', 'error'].every((type) => types.includes(type)));
  gate.open();
  expect((await untilFinal(server, run!.id)).status).toBe('succeeded');
  const events = await eventsOf(run!.id);
  expect(events.filter(({ eventType }) => eventType === 'note')).toEqual([
    expect.objectContaining({ message: 'half way' }),
  ]);
  expect(events.filter(({ eventType }) => eventType === 'usage')).toHaveLength(1);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});
