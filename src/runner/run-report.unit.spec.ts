import { parseRunReport, toMicros } from './run-report';

const empty = {
  usage: null,
  costMicros: null,
  provider: null,
  model: null,
  sessionId: null,
  clearSession: false,
  errorMessage: null,
  resultJson: null,
  state: undefined,
  retryNotBefore: null,
};

test('everything may be left out, or be null', () => {
  expect(parseRunReport('{}')).toEqual({ report: empty, problems: [] });
  const nulls = {
    usage: null,
    costUsd: null,
    model: null,
    sessionId: null,
    clearSession: null,
    resultJson: null,
  };
  expect(parseRunReport(JSON.stringify(nulls))).toEqual({ report: empty, problems: [] });
});

test('every field is taken over, and unknown ones are left out', () => {
  const { report, problems } = parseRunReport(
    JSON.stringify({
      usage: { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3, reasoningTokens: 4 },
      costUsd: 1.5,
      provider: 'p',
      model: 'm',
      sessionId: 's',
      clearSession: true,
      errorMessage: 'e',
      resultJson: [1],
      state: { a: null },
      retryNotBefore: '2026-03-01T10:00:00+02:00',
      other: true,
    }),
  );
  expect(problems).toEqual([]);
  expect(report).toEqual({
    usage: { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3 },
    costMicros: 1_500_000,
    provider: 'p',
    model: 'm',
    sessionId: 's',
    clearSession: true,
    errorMessage: 'e',
    resultJson: [1],
    state: { a: null },
    retryNotBefore: '2026-03-01T08:00:00.000Z',
  });
});

test('a state of null is there, unlike none', () => {
  expect(parseRunReport('{"state": null}').report).toHaveProperty('state', null);
});

test.each([
  ['{"usage": {"inputTokens": "1"}}', 'usage.inputTokens'],
  ['{"usage": {"inputTokens": 1.5}}', 'usage.inputTokens'],
  ['{"usage": {"outputTokens": -1}}', 'usage.outputTokens'],
  ['{"usage": 5}', 'usage'],
  ['{"costUsd": "1"}', 'costUsd'],
  ['{"costUsd": 1e300}', 'costUsd'],
  ['{"model": 5}', 'model'],
  ['{"sessionId": ""}', 'sessionId'],
  ['{"clearSession": "yes"}', 'clearSession'],
  ['{"errorMessage": {}}', 'errorMessage'],
  ['{"retryNotBefore": "tomorrow"}', 'retryNotBefore'],
])('%s names %s, and the rest counts', (json, field) => {
  const { report, problems } = parseRunReport(json.replace('{', '{"provider": "p", '));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${field}: `));
  expect(report).toEqual({ ...empty, provider: 'p' });
});

test.each(['', '{', '[]', 'null', '"text"'])('%j is no report', (json) => {
  const { report, problems } = parseRunReport(json);
  expect(report).toBeNull();
  expect(problems).toHaveLength(1);
});

test.each([
  [0, 0],
  [0.01, 10_000],
  [0.0000004, 0],
  [0.0000005, 1],
  [0.0000015, 2],
  [1.0000005, 1_000_001],
  [4.35, 4_350_000],
  [1e-9, 0],
  [-3, 0],
  [NaN, 0],
])('%d dollars are %d micro-dollars', (usd, micros) => {
  expect(toMicros(usd)).toBe(micros);
});
