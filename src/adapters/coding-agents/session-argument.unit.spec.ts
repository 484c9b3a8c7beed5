import type { InvocationContext, LocalInvocation } from '../adapter';
import { claudeAdapter } from './claude/claude-adapter';
import { codexAdapter } from './codex/codex-adapter';
import { geminiAdapter } from './gemini-adapter';
import { opencodeAdapter } from './opencode-adapter';

const run = (sessionId: string): InvocationContext => ({
  ...{ companyId: 'c', agentId: 'a', runId: 'r', context: {} },
  sessionId,
});

describe.each([claudeAdapter, codexAdapter, geminiAdapter, opencodeAdapter])('$type', (adapter) => {
  const prepared = (sessionId: string) => adapter.prepare({}, run(sessionId)) as LocalInvocation;

  test('goes on with the session that the agent has named', () => {
    expect(prepared('session-1').args).toContain('session-1');
  });

  test.each(['--dangerously-bypass-approvals-and-sandbox', '-c', '-'])(
    'begins a new one for %s',
    (sessionId) => {
      const fresh = adapter.prepare({}, { ...run(''), sessionId: null }) as LocalInvocation;
      expect(prepared(sessionId).args).toEqual(fresh.args);
    },
  );
});
