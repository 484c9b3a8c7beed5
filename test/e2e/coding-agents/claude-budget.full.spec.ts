import { mkdirSync } from 'node:fs';
import { processTreeOf } from '../../../src/runner/process-tree';
import { CodingAgentBench } from '../../support/coding-agents/coding-agent-bench';
import { isInstalled, NOT_INSTALLED, programOf } from '../../support/coding-agents/programs';
import { describeWhen } from '../../support/skips';

/** On its own, because how far it gets is a race between the server and a provider that answers at once. */
describeWhen(isInstalled('claude-code'), NOT_INSTALLED)('claude_local with Claude Code', () => {
  test('a budget of $0.50 ends it in mid-stream, not more than one call over', async () => {
    const bench = await CodingAgentBench.open();
    try {
      mkdirSync(bench.home, { recursive: true });
      const env = {
        ...{ HOME: bench.home, ANTHROPIC_BASE_URL: bench.provider.origin },
        ANTHROPIC_API_KEY: { secret: 'provider-key' },
      };
      const command = programOf('claude-code');
      const agentId = await bench.agent('claude_local', {
        command,
        model: 'claude-sonnet-4-5',
        permissionMode: 'bypassPermissions',
        env,
      });
      await bench.server.api('PUT', `/v1/agents/${agentId}/budget`, { monthlyMicros: 500_000 });
      const usage = { inputTokens: 50_000, outputTokens: 4_000, cachedInputTokens: 0, cacheWriteTokens: 0 };
      const tool = { name: 'Bash', input: { command: 'echo on', description: 'goes on' } };
      const callMicros = 50_000 * 3 + 4_000 * 15;
      // It would go on like this for ever.
      const runId = await bench.start(agentId, 'on and on', () => ({ text: 'On.', tool, usage }));
      const run = await bench.ended(runId);
      expect(run).toMatchObject({ status: 'cancelled', endCause: 'budget' });
      expect(run.costMicros).toBeGreaterThanOrEqual(500_000);
      expect(run.costMicros).toBeLessThanOrEqual(500_000 + callMicros);
      expect(await processTreeOf(runId, null).living()).toEqual([]);
      const { body } = await bench.server.api('GET', `/v1/agents/${agentId}/budget`);
      expect(body).toMatchObject({ state: 'exceeded' });
      const woken = await bench.server.api('POST', `/v1/agents/${agentId}/wakeups`, {});
      expect(woken.body).toMatchObject({ run: null, wakeup: { skipReason: 'budget.exceeded' } });
    } finally {
      await bench.close();
    }
  });
});
