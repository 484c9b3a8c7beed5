import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Run } from '../http/client';
import {
  expectStatus,
  Gate,
  get,
  runOnce,
  scriptedAgent,
  untilFinal,
  untilRunning,
  wake,
} from '../http/client';

interface State {
  sessionId: string | null;
  stateJson: unknown;
  lastRunId: string | null;
  lastRunStatus: string | null;
  lastError: string | null;
  totalInputTokens: number;
}

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** Writes down the result that its context names. */
const REPORTING = `printf '%s' '{{context.result}}' > "$REVEILLE_RESULT_FILE"`;

const stateOf = (agent: Agent, taskKey?: string) =>
  get<State>(server, `/v1/agents/${agent.id}/runtime-state${taskKey ? `?taskKey=${taskKey}` : ''}`);

const report = (agent: Agent, result: object, taskKey?: string): Promise<Run> =>
  runOnce(server, agent.id, { taskKey, contextSnapshot: { result: JSON.stringify(result) } });

test('each task has a session of its own, and so has the agent', async () => {
  const agent = await scriptedAgent(server, REPORTING);
  await report(agent, { sessionId: 'own', state: { at: 'own' } });
  await report(agent, { sessionId: 'a-1', state: { at: 'a' } }, 'a');
  await report(agent, { sessionId: 'b-1' }, 'b');
  const again = await report(agent, {}, 'a');
  expect(again).toMatchObject({ sessionIdBefore: 'a-1', sessionIdAfter: 'a-1' });
  expect(await report(agent, { sessionId: 'b-2' }, 'b')).toMatchObject({
    sessionIdBefore: 'b-1',
    sessionIdAfter: 'b-2',
  });
  expect(await report(agent, {})).toMatchObject({ sessionIdBefore: 'own' });
  expect(await stateOf(agent)).toMatchObject({ sessionId: 'own' });
  expect(await stateOf(agent, 'a')).toMatchObject({
    sessionId: 'a-1',
    stateJson: { at: 'a' },
    lastRunId: again.id,
    lastRunStatus: 'succeeded',
  });
  expect(await stateOf(agent, 'b')).toMatchObject({ sessionId: 'b-2', stateJson: null });
  expect(await stateOf(agent, 'never')).toMatchObject({
    sessionId: null,
    totalInputTokens: 0,
    lastRunId: null,
  });
});

test('a reset is of one task only', async () => {
  const agent = await scriptedAgent(server, REPORTING);
  await report(agent, { sessionId: 'own' });
  for (const task of ['a', 'b']) await report(agent, { sessionId: task, usage: { inputTokens: 5 } }, task);
  const path = `/v1/agents/${agent.id}/runtime-state/reset-session`;
  expect(expectStatus(await server.api<State>('POST', path, { taskKey: 'a' }), 200)).toMatchObject({
    sessionId: null,
    totalInputTokens: 5,
  });
  expect(await stateOf(agent, 'b')).toMatchObject({ sessionId: 'b' });
  expect(await stateOf(agent)).toMatchObject({ sessionId: 'own' });
  expect((await report(agent, {}, 'a')).sessionIdBefore).toBeNull();
  expect((await report(agent, {}, 'b')).sessionIdBefore).toBe('b');
  expectStatus(await server.api('POST', path), 200);
  expect(await stateOf(agent)).toMatchObject({ sessionId: null });
  expect(await stateOf(agent, 'b')).toMatchObject({ sessionId: 'b' });
});

test('a reset during a run wins over its result, in its own task only', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `${gate.wait}; ${REPORTING}`);
  const start = async (taskKey: string) => {
    const contextSnapshot = { result: JSON.stringify({ sessionId: `${taskKey}-new` }) };
    const { run } = await wake(server, agent.id, { taskKey, contextSnapshot });
    return untilRunning(server, run!.id);
  };
  const running = await start('a');
  const path = `/v1/agents/${agent.id}/runtime-state/reset-session`;
  expectStatus(await server.api('POST', path, { taskKey: 'b' }), 200);
  gate.open();
  await untilFinal(server, running.id);
  expect(await stateOf(agent, 'a')).toMatchObject({ sessionId: 'a-new' });

  const closed = new Gate();
  const patch = { adapterConfig: { command: '/bin/sh', args: ['-c', `${closed.wait}; ${REPORTING}`] } };
  expectStatus(await server.api('PATCH', `/v1/agents/${agent.id}`, patch), 200);
  const second = await start('a');
  expect(second.sessionIdBefore).toBe('a-new');
  expectStatus(await server.api('POST', path, { taskKey: 'a' }), 200);
  closed.open();
  expect((await untilFinal(server, second.id)).sessionIdAfter).toBeNull();
  expect(await stateOf(agent, 'a')).toMatchObject({ sessionId: null });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
