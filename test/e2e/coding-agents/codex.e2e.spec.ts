import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTreeOf } from '../../../src/runner/process-tree';
import { CodingAgentBench, PROVIDER_KEY } from '../../support/coding-agents/coding-agent-bench';
import { isInstalled, NOT_INSTALLED, programOf } from '../../support/coding-agents/programs';
import type { ProviderTurn } from '../../support/provider-double/provider-turn';
import { describeWhen } from '../../support/skips';

const MODEL = 'gpt-of-the-company';
const PRICES = { inputMicros: 2_000_000, outputMicros: 10_000_000, cachedInputMicros: 500_000 };
const usage = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 300 };
const USED = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 300 };
const COST_MICROS = 1_000 * 2 + 200 * 10 + 300 * 0.5;

const shell = (cmd: string): ProviderTurn => ({
  ...{ text: 'I do it.', tool: { name: 'exec_command', input: { cmd } } },
  usage,
});
const says = (text: string) => (): ProviderTurn => ({ text, usage });

describeWhen(isInstalled('codex'), NOT_INSTALLED)('codex_local with Codex', () => {
  let bench: CodingAgentBench;
  beforeAll(async () => {
    bench = await CodingAgentBench.open();
    mkdirSync(bench.home, { recursive: true });
    const price = { provider: 'openai', model: MODEL, validFrom: '2025-01-01', ...PRICES };
    await bench.put('prices', { prices: [price] });
  });
  afterAll(() => bench?.close());

  /** A thread can be resumed from any folder, but only with the home that it began with. */
  const agent = (more: { cwd?: string; codexHome?: string } = {}) => {
    const codexHome = more.codexHome ?? join(bench.home, 'codex');
    mkdirSync(codexHome, { recursive: true });
    const provider = {
      ...{ name: 'double', base_url: `${bench.provider.origin}/v1`, env_key: 'PROVIDER_API_KEY' },
      ...{ wire_api: 'responses', request_max_retries: 1, stream_max_retries: 1 },
    };
    const settings = Object.entries(provider).map(
      ([name, value]) => `model_providers.double.${name}=${value}`,
    );
    const extraArgs = ['model_provider=double', 'analytics.enabled=false', ...settings].flatMap((setting) => [
      '-c',
      setting,
    ]);
    return bench.agent('codex_local', {
      ...{ command: programOf('codex'), model: MODEL, sandbox: 'bypass' },
      ...(more.cwd !== undefined && { cwd: more.cwd }),
      extraArgs: [...extraArgs, '--disable', 'plugins'],
      env: { HOME: bench.home, CODEX_HOME: codexHome, PROVIDER_API_KEY: { secret: 'provider-key' } },
    });
  };

  test('works in a thread that goes on, and books what this run has used of it', async () => {
    const cwd = bench.home;
    const agentId = await agent({ cwd });
    const first = await bench.wake(agentId, 'Make a file, please.', (_request, nth) =>
      nth === 0 ? shell('echo made > made.txt') : says('It is made ✓')(),
    );
    expect(first).toMatchObject({
      ...{ status: 'succeeded', exitCode: 0, costMicros: 2 * COST_MICROS },
      usage: { inputTokens: 2_000, outputTokens: 400, cachedInputTokens: 600 },
      resultJson: { result: 'It is made ✓' },
    });
    expect(readFileSync(join(cwd, 'made.txt'), 'utf8')).toBe('made\n');
    const booked = (await bench.events(first.id)).filter(({ eventType }) => eventType === 'usage');
    expect(booked.map(({ payload }) => payload)).toMatchObject([
      { ...USED, costMicros: COST_MICROS, model: MODEL },
      { ...USED, costMicros: COST_MICROS, model: MODEL },
    ]);

    const second = await bench.wake(agentId, 'And now?', says('Nothing more.'));
    expect(second).toMatchObject({ status: 'succeeded', sessionIdBefore: first.sessionIdAfter });
    expect(second.sessionIdAfter).toBe(first.sessionIdAfter);
    expect(second).toMatchObject({ usage: USED, costMicros: COST_MICROS });
    expect(JSON.stringify(bench.provider.requests[0]!.body)).toContain('Make a file, please.');
  });

  test('does not show its key to its tools', async () => {
    const run = await bench.wake(await agent(), 'x', (_request, nth) =>
      nth === 0 ? shell('env; echo end of env') : says('Seen.')(),
    );
    expect(bench.provider.requests[0]!.headers['authorization']).toBe(`Bearer ${PROVIDER_KEY}`);
    expect(run.stdoutExcerpt).toContain('end of env');
    expect(run.stdoutExcerpt).not.toContain('PROVIDER_API_KEY=');
  });

  test('a session that is missing is replaced by a fresh one, once, and that is said', async () => {
    const agentId = await agent();
    const first = await bench.wake(agentId, 'one', says('one'));
    const elsewhere = join(bench.home, 'elsewhere');
    mkdirSync(elsewhere);
    const moved = { adapterConfig: { env: { CODEX_HOME: elsewhere } } };
    expect((await bench.server.api('PATCH', `/v1/agents/${agentId}`, moved)).status).toBe(200);
    const second = await bench.wake(agentId, 'two', says('two'));
    expect(second).toMatchObject({ status: 'succeeded', usage: USED, sessionIdBefore: first.sessionIdAfter });
    expect(second.sessionIdAfter).not.toBe(first.sessionIdAfter);
    const missing = (await bench.events(second.id)).filter(({ payload }) => payload?.['missingSessionId']);
    expect(missing).toHaveLength(1);
    const said = (await bench.events(second.id)).filter(({ message }) => /not there any more/.test(message));
    expect(said).toHaveLength(1);
  });

  test('what the provider refuses fails the run with its words', async () => {
    const agentId = await agent();
    const refused = await bench.wake(agentId, 'x', () => ({ status: 401, message: 'no such key' }));
    expect(refused).toMatchObject({ status: 'failed', error: expect.stringContaining('no such key') });
    const limited = await bench.wake(agentId, 'x', () => ({ status: 429, message: 'too much' }));
    expect(limited).toMatchObject({ status: 'failed', error: expect.stringContaining('429') });
  });

  test('cancelled in the middle of a stream: what it has used is booked, nothing lives, the thread goes on', async () => {
    const agentId = await agent();
    const runId = await bench.start(agentId, 'think', (_request, nth) =>
      nth === 0 ? shell('sleep 300 >/dev/null 2>&1 & echo started') : { ...says('thinking')(), stalls: true },
    );
    await bench.untilBooked(runId, 1);
    await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
    const run = await bench.ended(runId);
    expect(run).toMatchObject({
      status: 'cancelled',
      endCause: 'cancel',
      usage: USED,
      costMicros: COST_MICROS,
    });
    expect(await processTreeOf(runId, null).living()).toEqual([]);
    const next = await bench.wake(agentId, 'go on', says('on'));
    expect(next).toMatchObject({ status: 'succeeded', sessionIdBefore: run.sessionIdAfter, usage: USED });
    expect(next.sessionIdAfter).toBe(run.sessionIdAfter);
  });

  test('cancelled while a tool runs: the call before it is booked, and not missing from the next run', async () => {
    const agentId = await agent();
    const runId = await bench.start(agentId, 'wait', () => shell('sleep 300'));
    await bench.untilBooked(runId, 1);
    await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
    expect(await bench.ended(runId)).toMatchObject({ status: 'cancelled', usage: USED });
    expect(await processTreeOf(runId, null).living()).toEqual([]);
    const next = await bench.wake(agentId, 'go on', says('on'));
    expect(next).toMatchObject({ status: 'succeeded', usage: USED, costMicros: COST_MICROS });
  });
});
