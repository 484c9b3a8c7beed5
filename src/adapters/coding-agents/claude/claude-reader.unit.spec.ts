import { recorded } from '../../../../test/support/coding-agents/recorded';
import type { OutputFact, UsageFact } from '../../output-reader';
import { ClaudeReader } from './claude-reader';

function read(text: string): { reader: ClaudeReader; facts: OutputFact[] } {
  const reader = new ClaudeReader();
  return { reader, facts: text.split('\n').flatMap((line) => reader.line(line)) };
}

const usageIn = (facts: readonly OutputFact[]) =>
  facts.filter((fact): fact is UsageFact => fact.type === 'usage');

const lines = (...values: object[]) => values.map((value) => JSON.stringify(value)).join('\n');

const streamed = (event: object, parent: string | null = null) => ({
  ...{ type: 'stream_event', event, parent_tool_use_id: parent },
});
const start = (id: string, usage: object, parent: string | null = null) =>
  streamed({ type: 'message_start', message: { id, model: 'm', usage } }, parent);
const delta = (usage: object, parent: string | null = null) =>
  streamed({ type: 'message_delta', usage }, parent);

test('a run with a tool call: what is booked on the way comes to what the result says', () => {
  const { reader, facts } = read(recorded('claude/tool'));
  const sessionId = '422b1467-8c0b-43ba-ae9c-cd68996fd818';
  expect(facts[0]).toEqual({ type: 'session', sessionId });
  const model = { type: 'usage', provider: 'anthropic', model: 'claude-sonnet-4-5' };
  expect(usageIn(facts)).toMatchObject([
    { ...model, inputTokens: 1_050, cachedInputTokens: 300, outputTokens: 1, surchargeTokens: 12.5 },
    { ...model, inputTokens: 0, cachedInputTokens: 0, outputTokens: 199, surchargeTokens: 0 },
    { ...model, inputTokens: 1_051, cachedInputTokens: 300, outputTokens: 1, surchargeTokens: 12.5 },
    { ...model, inputTokens: 0, cachedInputTokens: 0, outputTokens: 200, surchargeTokens: 0 },
  ]);
  expect(reader.result('')).toEqual({
    ...{ provider: 'anthropic', model: 'claude-sonnet-4-5', sessionId, costUsd: expect.any(Number) },
    usage: { inputTokens: 2_101, outputTokens: 401, cachedInputTokens: 600 },
    resultJson: expect.objectContaining({ subtype: 'success', result: 'done ✓ ünïcode', num_turns: 2 }),
  });
});

test('a stream that was broken off: what it read is booked, and there is no total', () => {
  const { reader, facts } = read(recorded('claude/stall'));
  expect(usageIn(facts)).toMatchObject([{ inputTokens: 1_050, cachedInputTokens: 300, outputTokens: 1 }]);
  const { usage, costUsd, sessionId, errorMessage } = reader.result('first\nkilled by somebody\n');
  expect([usage, costUsd]).toEqual([undefined, undefined]);
  expect(sessionId).toMatch(/^[0-9a-f-]{36}$/);
  expect(errorMessage).toBe('claude left without a result: killed by somebody');
});

test('an answer of the API that is an error is one, though its subtype is success', () => {
  const { reader, facts } = read(recorded('claude/429'));
  expect(facts).toContainEqual(expect.objectContaining({ type: 'note', level: 'warn' }));
  expect(reader.result('')).toMatchObject({
    ...{ errorMessage: 'API Error: Request rejected (429) · slow down', costUsd: 0 },
    usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 },
  });
});

test('a session that is missing is told from others, and is not taken for the one that is worked in', () => {
  const { reader, facts } = read(recorded('claude/missing'));
  expect(facts).toEqual([]);
  expect(reader.isSessionMissing('')).toBe(true);
  expect(reader.result('').sessionId).toBeUndefined();
  const again = read(`${recorded('claude/missing')}${recorded('claude/tool')}`);
  expect(again.reader.isSessionMissing('No conversation found with session ID: x')).toBe(false);
  expect(again.reader.result('').errorMessage).toBeUndefined();
});

test('a program that says it only on stderr', () => {
  expect(read('').reader.isSessionMissing('No conversation found with session ID: x')).toBe(true);
  expect(read('').reader.isSessionMissing('')).toBe(false);
});

test('calls of sub-agents stream beside each other', () => {
  const { facts } = read(
    lines(
      start('a', { input_tokens: 10, output_tokens: 1 }),
      start('b', { input_tokens: 20, output_tokens: 1 }, 'tool'),
      delta({ output_tokens: 7 }, 'tool'),
      delta({ output_tokens: 5 }),
    ),
  );
  const tokens = usageIn(facts).map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens]);
  expect(tokens).toEqual([
    [10, 1],
    [20, 1],
    [0, 6],
    [0, 4],
  ]);
});

test('a call that was not streamed is booked once, however many lines it has', () => {
  const message = { id: 'x', model: 'm', usage: { input_tokens: 10, output_tokens: 5 } };
  const assistant = { type: 'assistant', message };
  const { facts } = read(lines(assistant, assistant));
  expect(usageIn(facts)).toMatchObject([{ inputTokens: 10, outputTokens: 5 }]);
  const streamedFirst = read(lines(start('x', { input_tokens: 10 }), assistant));
  expect(usageIn(streamedFirst.facts)).toMatchObject([{ inputTokens: 10, outputTokens: 0 }]);
});

test('a cache that is kept for an hour costs twice as much as input, one for five minutes a quarter more', () => {
  const cache_creation = { ephemeral_1h_input_tokens: 100, ephemeral_5m_input_tokens: 300 };
  const { facts } = read(lines(start('a', { cache_creation_input_tokens: 400, cache_creation })));
  expect(usageIn(facts)).toMatchObject([{ inputTokens: 400, surchargeTokens: 100 + 75 }]);
});

test('a quota that is used up says until when', () => {
  const rejected = {
    type: 'rate_limit_event',
    rate_limit_info: { status: 'rejected', resetsAt: 1_735_689_600 },
  };
  const allowed = {
    type: 'rate_limit_event',
    rate_limit_info: { status: 'allowed', resetsAt: 1_735_689_600 },
  };
  const failed = { type: 'result', subtype: 'success', is_error: true, result: 'usage limit reached' };
  const until = '2025-01-01T00:00:00.000Z';
  expect(read(lines(rejected, failed)).reader.result('').retryNotBefore).toBe(until);
  expect(read(lines(allowed, failed)).reader.result('').retryNotBefore).toBeUndefined();
  expect(
    read(lines(rejected, { ...failed, is_error: false })).reader.result('').retryNotBefore,
  ).toBeUndefined();
  const older = { ...failed, result: 'Claude AI usage limit reached|1735689600' };
  expect(read(lines(older)).reader.result('').retryNotBefore).toBe(until);
});

test('a turn limit is an error with a name', () => {
  const { reader } = read(lines({ type: 'result', subtype: 'error_max_turns', is_error: false }));
  expect(reader.result('').errorMessage).toBe('error_max_turns');
});
