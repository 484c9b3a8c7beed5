import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTreeOf } from '../../../src/runner/process-tree';
import { CodingAgentBench } from '../../support/coding-agents/coding-agent-bench';
import { isInstalled, NOT_INSTALLED, programOf } from '../../support/coding-agents/programs';
import type { ProviderTurn } from '../../support/provider-double/provider-turn';
import { describeWhen } from '../../support/skips';

const usage = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 300 };
const says = (text: string) => (): ProviderTurn => ({ text, usage });

let bench: CodingAgentBench;
beforeAll(async () => {
  bench = await CodingAgentBench.open();
});
afterAll(() => bench.close());

/** What both programs are to do, each with a tool of its own that runs a command. */
function storyOf(tool: string, register: (config: { cwd?: string }) => Promise<string>, midRun: boolean) {
  const runs = (command: string): ProviderTurn => ({
    ...{ text: 'I do it.', tool: { name: tool, input: { command, description: 'does it' } } },
    usage,
  });

  test('works in a session that goes on, and books what it has used', async () => {
    const cwd = join(bench.home, tool);
    mkdirSync(cwd, { recursive: true });
    const agentId = await register({ cwd });
    const first = await bench.wake(agentId, 'Make a file, please.', (_request, nth) =>
      nth === 0 ? runs('echo made > made.txt') : says('It is made ✓')(),
    );
    expect(first).toMatchObject({
      ...{ status: 'succeeded', exitCode: 0, resultJson: { result: 'It is made ✓' } },
      usage: { inputTokens: 2_000, outputTokens: 400, cachedInputTokens: 600 },
    });
    expect(readFileSync(join(cwd, 'made.txt'), 'utf8')).toBe('made\n');
    const second = await bench.wake(agentId, 'And now?', says('Nothing more.'));
    expect(second).toMatchObject({ status: 'succeeded', usage, sessionIdBefore: first.sessionIdAfter });
    expect(second.sessionIdAfter).toBe(first.sessionIdAfter);
    expect(second.costMicros! * 2).toBe(first.costMicros);
    expect(JSON.stringify(bench.provider.requests[0]!.body)).toContain('Make a file, please.');

    // Sessions belong to a home: in another one they are not there.
    const moved = {
      adapterConfig: { env: { XDG_DATA_HOME: join(bench.home, 'elsewhere') }, cwd: bench.home },
    };
    expect((await bench.server.api('PATCH', `/v1/agents/${agentId}`, moved)).status).toBe(200);
    const third = await bench.wake(agentId, 'Again?', says('Again.'));
    expect(third).toMatchObject({ status: 'succeeded', usage });
    expect(third.sessionIdAfter).not.toBe(first.sessionIdAfter);
    const missing = (await bench.events(third.id)).filter(({ payload }) => payload?.['missingSessionId']);
    expect(missing).toHaveLength(1);
  }, 120_000);

  test('what the provider refuses fails the run with its words', async () => {
    const refused = await bench.wake(await register({}), 'x', () => ({
      status: 401,
      message: 'no such key',
    }));
    expect(refused).toMatchObject({ status: 'failed', error: expect.stringContaining('no such key') });
  }, 60_000);

  test('cancelled in the middle of a stream: nothing lives, the session goes on', async () => {
    const agentId = await register({});
    const runId = await bench.start(agentId, 'think', (_request, nth) =>
      nth === 0 ? runs('sleep 300 >/dev/null 2>&1 & echo started') : { ...says('thinking')(), stalls: true },
    );
    await bench.untilAsked(2);
    if (midRun) await bench.untilBooked(runId, 1);
    await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
    const run = await bench.ended(runId);
    expect(run).toMatchObject({ status: 'cancelled', endCause: 'cancel' });
    if (midRun) expect(run.usage).toEqual(usage);
    expect(await processTreeOf(runId, null).living()).toEqual([]);
    const next = await bench.wake(agentId, 'go on', says('on'));
    expect(next).toMatchObject({ status: 'succeeded', usage, sessionIdBefore: run.sessionIdAfter });
    expect(next.sessionIdAfter).toBe(run.sessionIdAfter);
  }, 90_000);
}

describeWhen(isInstalled('gemini-cli'), NOT_INSTALLED)('gemini_local with Gemini CLI', () => {
  storyOf(
    'run_shell_command',
    async (config) => {
      const home = join(bench.home, 'gemini');
      mkdirSync(join(home, '.gemini'), { recursive: true });
      const settings = {
        security: { auth: { selectedType: 'gemini-api-key' } },
        general: { maxAttempts: 1 },
      };
      writeFileSync(join(home, '.gemini', 'settings.json'), JSON.stringify(settings));
      return bench.agent('gemini_local', {
        ...{ ...config, command: programOf('gemini-cli'), model: 'gemini-2.5-flash' },
        env: {
          ...{ HOME: home, GOOGLE_GEMINI_BASE_URL: bench.provider.origin },
          GEMINI_API_KEY: { secret: 'provider-key' },
        },
      });
    },
    false,
  );
});

describeWhen(isInstalled('opencode'), NOT_INSTALLED)('opencode_local with OpenCode', () => {
  storyOf(
    'bash',
    async (config) => {
      const home = join(bench.home, 'opencode');
      mkdirSync(join(home, 'config', 'opencode'), { recursive: true });
      const model = {
        ...{ name: 'm', limit: { context: 200_000, output: 10_000 } },
        cost: { input: 2, output: 10, cache_read: 0.5 },
      };
      const options = { baseURL: `${bench.provider.origin}/v1`, apiKey: '{env:PROVIDER_API_KEY}' };
      const double = { npm: '@ai-sdk/openai-compatible', options, models: { m: model } };
      const settings = JSON.stringify({ provider: { double } });
      writeFileSync(join(home, 'config', 'opencode', 'opencode.json'), settings);
      return bench.agent('opencode_local', {
        ...{ ...config, command: programOf('opencode'), model: 'double/m' },
        env: {
          ...{ HOME: home, XDG_CONFIG_HOME: join(home, 'config'), XDG_DATA_HOME: join(home, 'data') },
          ...{ XDG_STATE_HOME: join(home, 'state'), XDG_CACHE_HOME: join(home, 'cache') },
          ...{ OPENCODE_DISABLE_MODELS_FETCH: '1', PROVIDER_API_KEY: { secret: 'provider-key' } },
        },
      });
    },
    true,
  );
});
