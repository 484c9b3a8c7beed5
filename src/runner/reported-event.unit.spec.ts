import { parseReportedEvent } from './reported-event';

const parse = (line: unknown) => parseReportedEvent(JSON.stringify(line));

test('usage is what was reported, its cost in micro-dollars', () => {
  const counts = { inputTokens: 1000, outputTokens: 20 };
  const usage = { ...counts, cachedInputTokens: 0 };
  const expected = {
    eventType: 'usage',
    payload: null,
    reported: { usage, costMicros: 1500, provider: 'p', model: null },
  };
  expect(parse({ type: 'usage', ...counts, costUsd: 0.0015, provider: 'p' })).toEqual(expected);
  expect(parse({ type: 'usage', usage: counts, costUsd: 0.0015, provider: 'p' })).toEqual(expected);
});

test('usage without a cost has none', () => {
  expect(parse({ type: 'usage', inputTokens: 1 })).toMatchObject({ reported: { costMicros: null } });
});

test('a note has a message, and may have a level and a payload', () => {
  expect(parse({ type: 'note', message: 'm' })).toEqual({
    eventType: 'note',
    message: 'm',
    level: 'info',
    payload: null,
  });
  expect(parse({ type: 'note', message: 'm', level: 'warn', payload: { a: 1 } })).toMatchObject({
    level: 'warn',
    payload: { a: 1 },
  });
});

test.each([
  [{ type: 'usage', inputTokens: '1' }, /inputTokens/],
  [{ type: 'usage', usage: { outputTokens: -1 } }, /usage\.outputTokens/],
  [{ type: 'note' }, /message/],
  [{ type: 'note', message: 'm', payload: [] }, /payload/],
  [{ type: 'party' }, /type/],
  [5, /./],
])('%j says what is wrong', (line, problem) => {
  expect(() => parse(line)).toThrow(problem);
});

test('what is no JSON says so', () => {
  expect(() => parseReportedEvent('{"type"')).toThrow(/not JSON/);
});
