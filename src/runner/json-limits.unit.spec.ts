import fc from 'fast-check';
import { jsonProblem, shortened, tooLarge } from './json-limits';

const limits = { maxDepth: 3, maxBytes: 40 };

describe('the limits of a JSON value', () => {
  test('are kept by what is as deep and as large as allowed', () => {
    expect(tooLarge({ a: { b: { c: 1 } } }, limits)).toBeNull();
    expect(tooLarge('x'.repeat(38), limits)).toBeNull();
    expect(tooLarge(undefined, limits)).toBeNull();
  });

  test('are broken by one level or one byte more', () => {
    expect(tooLarge({ a: { b: { c: {} } } }, limits)).toBe('nested deeper than 3 levels');
    expect(tooLarge([[[[]]]], limits)).toBe('nested deeper than 3 levels');
    expect(tooLarge('x'.repeat(39), limits)).toBe('41 bytes as JSON, more than the 40 allowed');
    expect(tooLarge('ü'.repeat(20), limits)).toBe('42 bytes as JSON, more than the 40 allowed');
  });

  test('hold for what would exhaust the stack', () => {
    const deep: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000));
    expect(tooLarge(deep, limits)).toBe('nested deeper than 3 levels');
  });
});

test('a text that is too long keeps its beginning, in whole characters, and shows that it was cut', () => {
  expect(shortened('short', 8)).toBe('short');
  expect(shortened('exactly8', 8)).toBe('exactly8');
  expect(shortened('more than eight', 8)).toBe('more …');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 3, max: 30 }), (text, maxBytes) => {
      const cut = shortened(text, maxBytes);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(Math.max(maxBytes, 0));
      expect(cut === text || text.startsWith(cut.slice(0, -1))).toBe(true);
    }),
  );
});

test('what is wrong with a broken JSON text is said without any of it', () => {
  for (const text of ['hunter22', '{"a": hunter22}', '{"a": "hunter22', '["hunter22",]', '']) {
    let problem = '';
    try {
      JSON.parse(text);
    } catch (error) {
      problem = jsonProblem(error);
    }
    expect(problem).toMatch(/^not JSON( at position \d+)?$/);
  }
});
