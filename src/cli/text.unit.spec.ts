import { ago, byteCount, dollars, printable, took } from './text';

const now = Date.parse('2026-03-01T12:00:00.000Z');
const before = (ms: number) => new Date(now - ms).toISOString();

test.each([
  [null, '-'],
  [before(-5_000), '0s ago'],
  [before(59_999), '59s ago'],
  [before(60_000), '1m ago'],
  [before(3_599_999), '59m ago'],
  [before(3_600_000), '1h ago'],
  [before(86_400_000), '1d ago'],
])('%s is %s', (at, text) => {
  expect(ago(at, now)).toBe(text);
});

test.each([
  [849, '0.8s'],
  [9_949, '9.9s'],
  [9_950, '10s'],
  [59_499, '59s'],
  [59_500, '1m00s'],
  [187_000, '3m07s'],
  [7_500_000, '2h05m'],
])('%d ms took %s', (ms, text) => {
  expect(took(before(ms), before(0), now)).toBe(text);
  expect(took(before(ms), null, now)).toBe(text);
});

test('what has not begun took nothing', () => {
  expect(took(null, null, now)).toBe('-');
});

test.each([
  [null, '-'],
  [0, '$0.0000'],
  [1, '$0.000001'],
  [7_000, '$0.0070'],
  [100, '$0.0001'],
  [5_110_000, '$5.1100'],
])('%d micro-dollars are %s', (micros, text) => {
  expect(dollars(micros)).toBe(text);
});

test.each([
  [null, '-'],
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_024, '1.0 KiB'],
  [1_572_864, '1.5 MiB'],
  [5 * 1_024 ** 5, '5120.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteCount(bytes)).toBe(text);
});

test('what others have written stays on its line and leaves the screen alone', () => {
  expect(printable('a\r\nb\u001b[31mc\u0007 ✓')).toBe('a b [31mc  ✓');
});

test('marks that reorder text, and other ends of lines, are blanks as well', () => {
  expect(printable('a\u202eb\u2066c\u2028d\u200fe')).toBe('a b c d e');
});
