import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTreeOf } from '../../../src/runner/process-tree';
import { CodingAgentBench } from '../../support/coding-agents/coding-agent-bench';
import { recorded } from '../../support/coding-agents/recorded';
import { temporaryFolder } from '../../support/temporary-folder';
import { Gate } from '../http/client';

/** What `claude/tool` comes to, at the price of its model; the CLI says the same. */
const TOTAL = {
  usage: { inputTokens: 2_101, outputTokens: 401, cachedInputTokens: 600 },
  costMicros: 12_573,
};
const PRICED_TOOL = recorded('claude/tool').trimEnd().split('\n');
const SESSION = (JSON.parse(PRICED_TOOL[0]!) as { session_id: string }).session_id;
/** The first call is over by then. */
const FIRST_CALL = 16;
/** 1,000 + 50 × 1.25 at $3, 300 at $0.30, 200 at $15 a million tokens. */
const FIRST_CALL_COST = {
  usage: { inputTokens: 1_050, outputTokens: 200, cachedInputTokens: 300 },
  costMicros: 6_278,
};

let bench: CodingAgentBench;
beforeEach(async () => {
  bench = await CodingAgentBench.open();
});
afterEach(() => bench.close());

/** A program that writes what a real one has written: so many lines, then waits, then the rest. */
function player(lines: readonly string[], pauseAfter: number, gate: Gate, more = ''): string {
  const folder = temporaryFolder();
  const file = (name: string, part: readonly string[]) => {
    const path = join(folder, name);
    writeFileSync(path, part.map((line) => `${line}\n`).join(''));
    return path;
  };
  const first = file('first', lines.slice(0, pauseAfter));
  const rest = file('rest', lines.slice(pauseAfter));
  const program = join(folder, 'claude');
  const script = ['#!/bin/sh', more, `cat '${first}'`, gate.wait, `cat '${rest}'`, ''].join('\n');
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

const modelIsSilent = () => ({ status: 500, message: 'nobody asks' });

test.each([2, 4, FIRST_CALL, 22, PRICED_TOOL.length - 1])(
  'a server that comes back after line %i books each token once, and goes on',
  async (lines) => {
    const gate = new Gate();
    const agentId = await bench.agent('claude_local', { command: player(PRICED_TOOL, lines, gate) });
    const runId = await bench.start(agentId, 'go', modelIsSilent);
    const started = PRICED_TOOL.slice(0, lines).filter((line) => line.includes('"message_start"')).length;
    if (started > 0) await bench.untilBooked(runId, started);
    await bench.restartServer();
    gate.open();
    expect(await bench.ended(runId)).toMatchObject({ status: 'succeeded', ...TOTAL });
    const events = await bench.events(runId);
    expect(events.filter(({ eventType }) => eventType === 'usage')).toHaveLength(4);
    expect(events.filter(({ payload }) => payload?.['sessionId'])).toHaveLength(1);
  },
);

test('a run that is cancelled keeps its session and what it had booked', async () => {
  const agentId = await bench.agent('claude_local', {
    command: player(PRICED_TOOL, FIRST_CALL, new Gate()),
  });
  const runId = await bench.start(agentId, 'go', modelIsSilent);
  await bench.untilBooked(runId, 2);
  await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
  expect(await bench.ended(runId)).toMatchObject({
    ...{ status: 'cancelled', sessionIdAfter: SESSION, ...FIRST_CALL_COST },
  });
});

test('a run that is lost keeps its session and what it had booked', async () => {
  const agentId = await bench.agent('claude_local', {
    command: player(PRICED_TOOL, FIRST_CALL + 1, new Gate()),
  });
  const runId = await bench.start(agentId, 'go', modelIsSilent);
  await bench.untilBooked(runId, 2);
  await processTreeOf(runId, null).signal('SIGKILL');
  expect(await bench.ended(runId)).toMatchObject({
    ...{ status: 'failed', sessionIdAfter: SESSION, ...FIRST_CALL_COST },
  });
});

test('a run whose node is lost keeps its session and what it had booked', async () => {
  const agentId = await bench.agent('claude_local', {
    command: player(PRICED_TOOL, FIRST_CALL, new Gate()),
  });
  const runId = await bench.start(agentId, 'go', modelIsSilent);
  await bench.untilBooked(runId, 2);
  await bench.restartServer(true);
  await bench.server.api('POST', '/v1/admin/reap', { staleThresholdMs: 0 });
  expect(await bench.ended(runId)).toMatchObject({
    ...{ status: 'failed', errorCode: 'process_lost', sessionIdAfter: SESSION, ...FIRST_CALL_COST },
  });
});

test('a session that is missing is replaced once, also where the server goes down meanwhile', async () => {
  const agentId = await bench.agent('claude_local', { command: player(PRICED_TOOL, 26, opened()) });
  const first = await bench.wake(agentId, 'one', modelIsSilent);
  const gate = new Gate();
  const count = join(temporaryFolder(), 'starts');
  const missing = recorded('claude/missing').trimEnd();
  const refuse = `echo x >>'${count}'; case "$*" in *--resume*) echo '${missing}'; exit 1;; esac`;
  const command = player(PRICED_TOOL, FIRST_CALL, gate, refuse);
  await bench.server.api('PATCH', `/v1/agents/${agentId}`, { adapterConfig: { command } });
  const runId = await bench.start(agentId, 'two', modelIsSilent);
  await bench.untilBooked(runId, 2);
  await bench.restartServer();
  gate.open();
  expect(await bench.ended(runId)).toMatchObject({
    ...{ status: 'succeeded', sessionIdBefore: first.sessionIdAfter, ...TOTAL },
  });
  const events = await bench.events(runId);
  expect(events.filter(({ payload }) => payload?.['missingSessionId'])).toHaveLength(1);
  expect(events.filter(({ eventType }) => eventType === 'adapter.invoke')).toHaveLength(2);
});

test('a session that is missing over and over fails the run, and is forgotten', async () => {
  const agentId = await bench.agent('claude_local', { command: player(PRICED_TOOL, 26, opened()) });
  await bench.wake(agentId, 'one', modelIsSilent);
  const refuse = `echo '${recorded('claude/missing').trimEnd()}'; exit 1`;
  const command = player([], 0, opened(), refuse);
  await bench.server.api('PATCH', `/v1/agents/${agentId}`, { adapterConfig: { command } });
  const run = await bench.wake(agentId, 'two', modelIsSilent);
  expect(run).toMatchObject({ status: 'failed', sessionIdAfter: null });
  const invoked = (await bench.events(run.id)).filter(({ eventType }) => eventType === 'adapter.invoke');
  expect(invoked.map(({ payload }) => (payload!['args'] as string[]).includes('--resume'))).toEqual([
    true,
    false,
  ]);
});

test('an agent works in a folder of its own, which stays', async () => {
  const more = 'echo x >>traces; wc -l <traces >&2';
  const agentId = await bench.agent('claude_local', { command: player(PRICED_TOOL, 26, opened(), more) });
  expect((await bench.wake(agentId, 'one', modelIsSilent)).stderrExcerpt.trim()).toBe('1');
  expect((await bench.wake(agentId, 'two', modelIsSilent)).stderrExcerpt.trim()).toBe('2');
});

test.each([
  [{ promptTemplate: 'Look at {{context.taskId}}.' }, {}, 'Look at T-1.'],
  [{}, { contextSnapshot: { prompt: 'Just this.' } }, 'Just this.'],
  [{}, { payload: { prompt: 'Just that.', issueId: 'T-1' } }, 'Just that.'],
  [{}, { reason: 'assigned' }, 'Reason: assigned'],
  [{}, {}, 'Task: T-1'],
])('configured as %j and woken with %j, it is told %j', async (config, request, told) => {
  const command = player(PRICED_TOOL, 26, opened(), 'cat >&2');
  const agentId = await bench.agent('claude_local', { command, ...config });
  const body = { payload: { issueId: 'T-1' }, ...request };
  const woken = await bench.server.api<{ run: { id: string } }>(
    'POST',
    `/v1/agents/${agentId}/wakeups`,
    body,
  );
  const run = await bench.ended(woken.body.run.id);
  expect(run.stderrExcerpt).toContain(told);
});

function opened(): Gate {
  const gate = new Gate();
  gate.open();
  return gate;
}
