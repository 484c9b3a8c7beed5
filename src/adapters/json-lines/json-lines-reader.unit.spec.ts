import { recorded } from '../../../test/support/coding-agents/recorded';
import type { InvocationContext } from '../adapter';
import { geminiAdapter } from '../coding-agents/gemini-adapter';
import { opencodeAdapter } from '../coding-agents/opencode-adapter';
import type { OutputFact } from '../output-reader';
import { jsonLinesAdapter } from './json-lines-adapter';

const run: InvocationContext = {
  ...{ companyId: 'c', agentId: 'a', runId: 'r', sessionId: null },
  context: { prompt: 'do it' },
};
const context = { startedAt: new Date(0) };

function read(reader: { line(text: string): readonly OutputFact[] }, text: string): OutputFact[] {
  return text.split('\n').flatMap((line) => reader.line(line));
}

describe('gemini_local', () => {
  const gemini = () => geminiAdapter.reader!({}, run, context);

  test('says at its end what it has used, and its last answer', () => {
    const reader = gemini();
    const used = { inputTokens: 2_001, outputTokens: 401, cachedInputTokens: 600 };
    expect(read(reader, recorded('gemini/tool'))).toEqual([
      { type: 'session', sessionId: expect.any(String) },
      { type: 'usage', ...used, provider: 'google', model: 'gemini-2.5-flash' },
    ]);
    expect(reader.result('')).toMatchObject({ usage: used, resultJson: { result: 'done ✓ ünïcode' } });
    expect(reader.result('')).not.toHaveProperty('errorMessage');
  });

  test('an error of the API, and a program that was broken off', () => {
    const refused = gemini();
    read(refused, recorded('gemini/401'));
    expect(refused.result('').errorMessage).toContain('bad key');
    const stalled = gemini();
    read(stalled, recorded('gemini/stall'));
    expect(stalled.result('').errorMessage).toBe('gemini left without a result');
    expect(stalled.isSessionMissing!('Error resuming session: x')).toBe(false);
    expect(gemini().isSessionMissing!('Error resuming session: x')).toBe(true);
  });
});

describe('opencode_local', () => {
  const opencode = () => opencodeAdapter.reader!({ model: 'double/m' }, run, context);

  test('says with each step what that has used, and what it cost', () => {
    const reader = opencode();
    const usage = read(reader, recorded('opencode/tool')).filter(({ type }) => type === 'usage');
    const step = { type: 'usage', provider: 'double', model: 'm', cachedInputTokens: 300 };
    expect(usage).toEqual([
      { ...step, inputTokens: 1_000, outputTokens: 200, costUsd: 0.00415 },
      { ...step, inputTokens: 1_001, outputTokens: 201, costUsd: 0.004162 },
    ]);
    expect(reader.result('')).toMatchObject({
      usage: { inputTokens: 2_001, outputTokens: 401, cachedInputTokens: 600 },
      resultJson: { result: 'done ✓ ünïcode' },
    });
  });

  test('a cost of 0 for tokens is no cost that was said', () => {
    const reader = opencode();
    const [usage] = read(reader, recorded('opencode/tool').replace('"cost":0.00415', '"cost":0')).filter(
      ({ type }) => type === 'usage',
    );
    expect(usage).not.toHaveProperty('costUsd');
  });

  test('an error fails the run', () => {
    const reader = opencode();
    read(reader, recorded('opencode/401'));
    expect(reader.result('').errorMessage).toBe('bad key');
  });
});

describe('json_lines_local', () => {
  const config = jsonLinesAdapter.configSchema.parse({
    ...{
      command: 'pebble',
      args: ['--about', '{{context.topic}}'],
      resumeArgs: ['--session', '{{session}}'],
    },
    output: {
      provider: 'pebble-works',
      lines: {
        hello: { session: 'id', model: 'brain.name' },
        bill: { usage: { of: 'run', input: ['in'], output: ['out'] } },
        bye: { isEnd: true, answer: { text: 'said' }, error: 'trouble' },
      },
    },
  });

  test('is started as its configuration says', () => {
    const more = { ...run, sessionId: 's', context: { topic: 'stones', prompt: 'go' } };
    expect(jsonLinesAdapter.prepare(config, more)).toMatchObject({
      ...{ command: 'pebble', args: ['--about', 'stones', '--session', 's'], stdin: 'go', cwd: null },
    });
    expect(jsonLinesAdapter.prepare(config, run)).toMatchObject({ args: ['--about', ''] });
  });

  test('is understood as its configuration says: totals are booked as they grow', () => {
    const reader = jsonLinesAdapter.reader!(config, run, context);
    const bill = (used: number) => JSON.stringify({ type: 'bill', in: used, out: 1 });
    const facts = read(
      reader,
      ['{"type":"hello","id":"s1","brain":{"name":"p1"}}', bill(10), bill(10), 'noise', bill(25)].join('\n'),
    );
    const who = { type: 'usage', provider: 'pebble-works', model: 'p1', cachedInputTokens: 0 };
    expect(facts).toEqual([
      { type: 'session', sessionId: 's1' },
      { ...who, inputTokens: 10, outputTokens: 1 },
      { ...who, inputTokens: 15, outputTokens: 0 },
    ]);
    expect(reader.result('').errorMessage).toBe('pebble left without a result');
    read(reader, '{"type":"bye","said":"done"}');
    expect(reader.result('')).toMatchObject({ sessionId: 's1', model: 'p1', resultJson: { result: 'done' } });
  });

  test.each([
    [{ lines: { a: { session: '.x' } } }, 'output.lines.a.session'],
    [{ lines: { a: { usage: { of: 'day', input: [], output: [] } } } }, 'output.lines.a.usage.of'],
    [{}, 'output.lines'],
  ])('%j is refused', (output, path) => {
    const { error } = jsonLinesAdapter.configSchema.safeParse({ command: 'x', output });
    expect(error!.issues[0]!.path.join('.')).toBe(path);
  });
});
