import { recorded, recordings } from '../../../test/support/coding-agents/recorded';
import type { InvocationContext, LocalAdapter } from '../adapter';
import type { OutputFact, OutputReader } from '../output-reader';
import { claudeAdapter } from './claude/claude-adapter';
import { codexAdapter } from './codex/codex-adapter';
import { geminiAdapter } from './gemini-adapter';
import { opencodeAdapter } from './opencode-adapter';

const run: InvocationContext = { companyId: 'c', agentId: 'a', runId: 'r', sessionId: null, context: {} };
const startedAt = new Date('2026-01-01T00:00:00.000Z');

const programs: [string, LocalAdapter<Record<string, unknown>>][] = [
  ['claude', claudeAdapter],
  ['codex', codexAdapter],
  ['gemini', geminiAdapter],
  ['opencode', opencodeAdapter],
];

const STRANGE = [null, -1, 1.5, 1e300, 'x', '', true, [], {}, [null], { type: null }];

/** Reads a text as stdout, and as the journal where there is one. */
function factsOf(reader: OutputReader, text: string): OutputFact[] {
  const facts = text
    .split('\n')
    .flatMap((line) => [...reader.line(line), ...(reader.journal?.line(line) ?? [])]);
  reader.isSessionMissing?.(text);
  reader.result(text);
  return facts;
}

function expectSound(facts: readonly OutputFact[]): void {
  for (const fact of facts) {
    if (fact.type !== 'usage') continue;
    for (const count of [fact.inputTokens, fact.outputTokens, fact.cachedInputTokens]) {
      if (!Number.isSafeInteger(count) || count < 0) throw new Error(`${count} tokens`);
    }
  }
}

/** The value with each of its parts in turn replaced. */
function* broken(value: unknown, part: unknown): Generator<unknown> {
  yield part;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    for (const changed of broken(inner, part)) {
      yield Array.isArray(value)
        ? value.map((item: unknown, index) => (`${index}` === key ? changed : item))
        : { ...value, [key]: changed };
    }
  }
}

describe.each(programs)('what %s has written', (name, adapter) => {
  const newReader = () => adapter.reader!({}, run, { startedAt });
  const texts = recordings(name).map(recorded);

  test('may be cut anywhere', () => {
    for (const text of texts) {
      const whole = factsOf(newReader(), text);
      const bytes = Buffer.from(text);
      for (let end = 0; end < bytes.length; end += 1 + Math.floor(bytes.length / 700)) {
        const facts = factsOf(newReader(), bytes.subarray(0, end).toString());
        // What was said of a beginning is what is said of all of it.
        expect(facts).toEqual(whole.slice(0, facts.length));
      }
    }
  });

  test('may hold anything in any place', () => {
    for (const lines of texts.map((text) => text.trimEnd().split('\n'))) {
      for (const [index, line] of lines.entries()) {
        const [before, after] = [
          lines.slice(Math.max(0, index - 3), index),
          lines.slice(index + 1, index + 3),
        ];
        for (const part of STRANGE) {
          for (const changed of broken(JSON.parse(line), part)) {
            expectSound(factsOf(newReader(), [...before, JSON.stringify(changed), ...after].join('\n')));
          }
        }
      }
    }
  });

  test('is understood the same way each time', () => {
    for (const text of texts) expect(factsOf(newReader(), text)).toEqual(factsOf(newReader(), text));
  });
});
