import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recorded } from '../../../../test/support/coding-agents/recorded';
import { temporaryFolder } from '../../../../test/support/temporary-folder';
import type { OutputFact } from '../../output-reader';
import { CodexReader } from './codex-reader';
import { CodexRollout } from './codex-rollout';

const THREAD = '01a20983-fbb8-71c0-855c-92e752d00e32';
const BEFORE_ALL = new Date('2026-11-23T17:46:14.000Z');
const BEFORE_SECOND = new Date('2026-11-23T17:46:15.700Z');

function reader(startedAt: Date, sessionId: string | null): CodexReader {
  return new CodexReader(null, {}, { sessionId }, { startedAt });
}

function read(of: { line(text: string): readonly OutputFact[] }, text: string): OutputFact[] {
  return text.split('\n').flatMap((line) => of.line(line));
}

/** Of the thread, without its second run. */
const firstHalf = () => recorded('codex/rollout').split('\n').slice(0, 8).join('\n');

test('each call is booked from the rollout, and comes to what the output says at its end', () => {
  const codex = reader(BEFORE_ALL, null);
  const call = { type: 'usage', provider: 'openai', model: 'gpt-5', cachedInputTokens: 300 };
  expect(read(codex, recorded('codex/tool'))).toContainEqual({ type: 'session', sessionId: THREAD });
  expect(read(codex.journal, firstHalf())).toEqual([
    { ...call, inputTokens: 1_000, outputTokens: 200 },
    { ...call, inputTokens: 1_001, outputTokens: 201 },
  ]);
  expect(codex.result('')).toEqual({
    ...{ provider: 'openai', model: 'gpt-5', sessionId: THREAD, resultJson: { result: 'done ✓ ünïcode' } },
    usage: { inputTokens: 2_001, outputTokens: 401, cachedInputTokens: 600 },
  });
});

test('of a thread that goes on, what earlier runs have used is left out', () => {
  const codex = reader(BEFORE_SECOND, THREAD);
  read(codex, recorded('codex/resumed'));
  const used = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 300 };
  expect(read(codex.journal, recorded('codex/rollout'))).toMatchObject([used]);
  expect(codex.result('').usage).toEqual(used);
});

test('a call that the thread has forgotten, since its run was broken off, is not subtracted', () => {
  const lines = recorded('codex/rollout').split('\n');
  // The second call of the first run had no token_count any more, and the second run counted from the first one on.
  const isForgotten = (line: string) =>
    line.startsWith('{"timestamp":"2026-11-23T17:46:14') &&
    line.includes('"token_count"') &&
    line.includes(':2601,');
  const later = (line: string) =>
    line.includes('T17:46:16')
      ? line.replaceAll(':3901,', ':2600,').replaceAll(':900,', ':600,').replaceAll(':601,', ':400,')
      : line;
  const codex = reader(BEFORE_SECOND, THREAD);
  read(
    codex,
    recorded('codex/resumed').replace(':3901,', ':2600,').replace(':900,', ':600,').replace(':601,', ':400,'),
  );
  const used = { inputTokens: 1_000, outputTokens: 200, cachedInputTokens: 300 };
  const text = lines
    .filter((line) => !isForgotten(line))
    .map(later)
    .join('\n');
  expect(text.length).toBeLessThan(recorded('codex/rollout').length - 100);
  expect(read(codex.journal, text)).toMatchObject([used]);
  expect(codex.result('').usage).toEqual(used);
});

test('without its rollout it is not known what a thread that goes on had used before', () => {
  const codex = reader(BEFORE_SECOND, THREAD);
  read(codex, recorded('codex/resumed'));
  expect(codex.result('').usage).toBeUndefined();
  const fresh = reader(BEFORE_ALL, null);
  read(fresh, recorded('codex/tool'));
  expect(fresh.result('').usage).toEqual({ inputTokens: 2_001, outputTokens: 401, cachedInputTokens: 600 });
});

test('a turn that failed has failed with its message, and what came before it is a warning', () => {
  const codex = reader(BEFORE_ALL, null);
  const facts = read(codex, recorded('codex/429'));
  expect(facts.filter(({ type }) => type === 'note').length).toBeGreaterThan(1);
  expect(codex.result('').errorMessage).toMatch(/429 Too Many Requests/);
});

test('a program that left without a last word has failed, with the last line of its stderr', () => {
  const codex = reader(BEFORE_ALL, null);
  read(codex, recorded('codex/tool').split('\n').slice(0, 3).join('\n'));
  expect(codex.result('a\nb\n').errorMessage).toBe('codex left without a result: b');
});

test('a missing session is told by stderr, and another thread than the wanted one is said', () => {
  const missing = 'Error: thread/resume failed: no rollout found for thread id x (code -32600)';
  expect(reader(BEFORE_ALL, THREAD).isSessionMissing(missing)).toBe(true);
  const other = reader(BEFORE_ALL, 'no-uuid');
  const [note, session] = read(other, recorded('codex/tool'));
  expect(note).toMatchObject({ type: 'note', level: 'warn', message: expect.stringContaining('no-uuid') });
  expect(session).toEqual({ type: 'session', sessionId: THREAD });
  expect(other.isSessionMissing(missing)).toBe(false);
});

test('an account without quota says until when', () => {
  const codex = reader(BEFORE_ALL, null);
  const rate_limits = {
    primary: { used_percent: 100, resets_at: 1_735_689_600 },
    secondary: { used_percent: 20, resets_at: 1_735_776_000 },
  };
  const payload = { type: 'token_count', info: null, rate_limits };
  codex.journal.line(JSON.stringify({ timestamp: '2026-11-23T17:46:15Z', type: 'event_msg', payload }));
  codex.line('{"type":"turn.failed","error":{"message":"no quota"}}');
  expect(codex.result('')).toMatchObject({ retryNotBefore: '2025-01-01T00:00:00.000Z' });
});

test('the rollout is found by the id of its thread, in the folder of its day', async () => {
  const home = temporaryFolder();
  const folder = join(home, 'sessions', '2026', '11', '24');
  mkdirSync(folder, { recursive: true });
  expect(await CodexRollout.find(THREAD, { CODEX_HOME: home })).toBeNull();
  const path = join(folder, `rollout-2026-11-24T01-46-14-${THREAD}.jsonl`);
  writeFileSync(path, '');
  expect(await CodexRollout.find(THREAD, { CODEX_HOME: home, HOME: '/nowhere' })).toBe(path);
  expect(await CodexRollout.find(THREAD, { HOME: home })).toBeNull();
  expect(await CodexRollout.find('../../etc', { CODEX_HOME: home })).toBeNull();
  expect(await CodexRollout.find(THREAD, {})).toBeNull();
});
