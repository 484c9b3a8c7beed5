import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTreeOf } from '../../../src/runner/process-tree';
import { CodingAgentBench, PROVIDER_KEY } from '../../support/coding-agents/coding-agent-bench';
import { isInstalled, NOT_INSTALLED, programOf } from '../../support/coding-agents/programs';
import type { ProviderTurn } from '../../support/provider-double/provider-turn';
import { describeWhen } from '../../support/skips';

const MODEL = 'claude-sonnet-4-5';
const MISSING = '11111111-1111-4111-8111-111111111111';
const usage = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 4_000, cacheWriteTokens: 400 };
/** Of a call that uses as much: 3 + 3.75 for what is read and written to the cache, 0.3 from it, 15 per million. */
const COST_MICROS = 1_000 * 3 + 400 * 3.75 + 4_000 * 0.3 + 200 * 15;

const bash = (command: string): ProviderTurn => ({
  ...{ text: 'I do it.', tool: { name: 'Bash', input: { command, description: 'does it' } } },
  usage,
});

describeWhen(isInstalled('claude-code'), NOT_INSTALLED)('claude_local with Claude Code', () => {
  let bench: CodingAgentBench;
  beforeAll(async () => {
    bench = await CodingAgentBench.open();
  });
  afterAll(() => bench?.close());

  const agent = (config: object = {}, heartbeat: object = {}) => {
    mkdirSync(bench.home, { recursive: true });
    return bench.agent(
      'claude_local',
      {
        ...{ command: programOf('claude-code'), model: MODEL, permissionMode: 'bypassPermissions' },
        ...config,
        env: {
          ...{ HOME: bench.home, ANTHROPIC_BASE_URL: bench.provider.origin, CLAUDE_CODE_MAX_RETRIES: '1' },
          ANTHROPIC_API_KEY: { secret: 'provider-key' },
        },
      },
      heartbeat,
    );
  };

  test('works in a session that goes on, and books every token and micro-dollar', async () => {
    const cwd = bench.home;
    const agentId = await agent({ cwd });
    const first = await bench.wake(agentId, 'Make a file, please.', (_request, nth) =>
      nth === 0 ? bash('echo made > made.txt; env') : { text: 'It is made ✓', usage },
    );
    expect(first).toMatchObject({
      ...{ status: 'succeeded', exitCode: 0, costMicros: 2 * COST_MICROS },
      usage: { inputTokens: 2_800, outputTokens: 400, cachedInputTokens: 8_000 },
      resultJson: { subtype: 'success', result: 'It is made ✓', num_turns: 2 },
    });
    expect(readFileSync(join(cwd, 'made.txt'), 'utf8')).toBe('made\n');
    expect(JSON.stringify(bench.provider.requests[0]!.body)).toContain('Make a file, please.');
    expect(bench.provider.requests[0]!.headers['x-api-key']).toBe(PROVIDER_KEY);

    const second = await bench.wake(agentId, 'And now?', () => ({ text: 'Nothing more.', usage }));
    expect(second).toMatchObject({ status: 'succeeded', sessionIdBefore: first.sessionIdAfter });
    expect(second.sessionIdAfter).toBe(first.sessionIdAfter);
    expect(second.costMicros).toBe(COST_MICROS);
    expect(JSON.stringify(bench.provider.requests[0]!.body)).toContain('Make a file, please.');
  });

  test('does not show its key to its tools, nor anything of it to people', async () => {
    const agentId = await agent();
    const run = await bench.wake(agentId, 'secret business', (_request, nth) =>
      nth === 0 ? bash('env; echo end of env') : { text: 'Seen.', usage },
    );
    expect(run.stdoutExcerpt).toContain('end of env');
    expect(run.stdoutExcerpt).not.toMatch(/ANTHROPIC_API_KEY=/);
    expect(JSON.stringify(bench.provider.requests[1]!.body)).not.toContain(PROVIDER_KEY);
    const invoked = (await bench.events(run.id)).find(({ eventType }) => eventType === 'adapter.invoke')!;
    expect(invoked.payload).toMatchObject({
      stdinBytes: 'secret business'.length,
      secretNames: ['provider-key'],
    });
    expect(JSON.stringify(invoked)).not.toMatch(/secret business|sk-of/);
  });

  test('a session that is missing is replaced by a fresh one, once, and that is said', async () => {
    const agentId = await agent({ extraArgs: ['--resume', MISSING] });
    const lost = await bench.wake(agentId, 'go on', () => ({ text: 'on', usage }));
    // Without a session of its own there is nothing to be replaced.
    expect(lost).toMatchObject({ status: 'failed', error: expect.stringContaining('No conversation found') });

    const other = await agent();
    const first = await bench.wake(other, 'one', () => ({ text: 'one', usage }));
    // Sessions belong to a folder: in another one they are not there.
    const moved = { adapterConfig: { cwd: bench.home } };
    expect((await bench.server.api('PATCH', `/v1/agents/${other}`, moved)).status).toBe(200);
    const second = await bench.wake(other, 'two', () => ({ text: 'two', usage }));
    expect(second).toMatchObject({ status: 'succeeded', sessionIdBefore: first.sessionIdAfter });
    expect(second.sessionIdAfter).not.toBe(first.sessionIdAfter);
    expect(second.costMicros).toBe(COST_MICROS);
    const replaced = (await bench.events(second.id)).filter(
      ({ payload }) => payload?.['missingSessionId'] === first.sessionIdAfter,
    );
    expect(replaced).toHaveLength(1);
    const third = await bench.wake(other, 'three', () => ({ text: 'three', usage }));
    expect(third.sessionIdAfter).toBe(second.sessionIdAfter);
  });

  test('what the provider refuses fails the run with its words', async () => {
    const agentId = await agent();
    const refused = await bench.wake(agentId, 'x', () => ({ status: 401, message: 'no such key' }));
    expect(refused).toMatchObject({ status: 'failed', error: expect.stringContaining('no such key') });
    const limited = await bench.wake(agentId, 'x', () => ({ status: 429, message: 'too much' }));
    expect(limited).toMatchObject({ status: 'failed', costMicros: 0, error: expect.stringContaining('429') });
    const notes = (await bench.events(limited.id)).map(({ message }) => message);
    expect(notes).toContainEqual(expect.stringMatching(/asked again \(1\/1\): 429/));
  });

  test('cancelled in the middle of a stream: what it read is booked, nothing lives, the session goes on', async () => {
    const agentId = await agent();
    const runId = await bench.start(agentId, 'think', (_request, nth) =>
      nth === 0
        ? bash('sleep 300 >/dev/null 2>&1 & echo started')
        : { text: 'thinking', usage, stalls: true },
    );
    await bench.untilBooked(runId, 3);
    await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
    const run = await bench.ended(runId);
    expect(run).toMatchObject({
      ...{ status: 'cancelled', endCause: 'cancel' },
      usage: { inputTokens: 2_800, outputTokens: 201, cachedInputTokens: 8_000 },
      costMicros: 2 * COST_MICROS - 199 * 15,
    });
    expect(await processTreeOf(runId, null).living()).toEqual([]);
    const next = await bench.wake(agentId, 'go on', () => ({ text: 'on', usage }));
    expect(next).toMatchObject({ status: 'succeeded', sessionIdBefore: run.sessionIdAfter });
    expect(next.sessionIdAfter).toBe(run.sessionIdAfter);
  });
});

test('a program that is not there is a start that failed', async () => {
  const bench = await CodingAgentBench.open();
  try {
    const agentId = await bench.agent('claude_local', { command: 'no-such-claude' });
    const run = await bench.wake(agentId, 'x', () => ({ status: 500, message: '' }));
    expect(run).toMatchObject({ status: 'failed', errorCode: 'spawn_failed', costMicros: null });
    expect(run.error).toContain('no-such-claude');
  } finally {
    await bench.close();
  }
});
