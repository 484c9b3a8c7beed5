import type { Dice } from '../support/dice';

/** What clients should not send, and some do. */

/** Longer than any field takes, and short enough to be sent often. */
const LONG = 3_000;

const oddTexts: readonly string[] = [
  '',
  ' ',
  '\t\n',
  '0',
  '-1',
  'null',
  'undefined',
  'NaN',
  'true',
  '[object Object]',
  '__proto__',
  'constructor',
  'toString',
  '..',
  '../../etc/passwd',
  '..%2f..%2f',
  '%00',
  '%',
  '\0',
  'a\0b',
  '\u0001\u001f\u007f',
  '\u202eright to left',
  'שלום עולם',
  'e\u0301\u0301\u0301',
  '👩‍👩‍👧‍👦',
  '\ud83d',
  'a\udc00b',
  '\ufeff',
  '\uffff',
  '${context.x}',
  '{{context.x}}',
  '{{context.constructor.constructor}}',
  "'; DROP TABLE events; --",
  '" OR 1=1',
  '<script>alert(1)</script>',
  '$gt',
  '$where',
  'a.b.c',
  '$(false)',
  '`false`',
  '1e308',
  '9007199254740993',
  '18446744073709551616',
  '2025-02-30T00:00:00Z',
  '2024-02-29',
  '0000-00-00T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
  '+275760-09-13T00:00:00.000Z',
  '-271821-04-20T00:00:00.000Z',
  '1969-12-31T23:59:60Z',
  '2025-11-23T10:00:00+99:99',
  '01890000-0000-7000-8000-000000000000',
  '00000000-0000-0000-0000-000000000000',
  '01890000-0000-7000-8000-00000000000G',
];

const oddNumbers: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.1,
  1e-7,
  5e-324,
  1e21,
  1e308,
  -1e308,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  8_640_000_000_000_000,
  8_640_000_000_000_001,
];

export function oddText(dice: Dice): string {
  const text = dice.oneOf(oddTexts);
  return dice.upTo(20) === 0 ? (text || 'x').repeat(Math.ceil(LONG / (text.length || 1))) : text;
}

export function oddNumber(dice: Dice): number {
  return dice.oneOf(oddNumbers);
}

/** Any JSON value, likely not the one that is expected. */
export function oddValue(dice: Dice): unknown {
  return dice.oneOf<() => unknown>([
    () => null,
    () => true,
    () => false,
    () => oddNumber(dice),
    () => oddNumber(dice),
    () => oddText(dice),
    () => oddText(dice),
    () => [],
    () => ({}),
    () => [oddText(dice), null, [[]]],
    () => ({ [oddText(dice)]: oddNumber(dice) }),
    () => Object.fromEntries([['__proto__', { polluted: true }]]),
    () => nested(2 + dice.upTo(60), dice.upTo(2) === 0),
    () => Array.from({ length: 1 + dice.upTo(2_000) }, () => 0),
  ])();
}

/** Moderately deep: how deep is too deep is tried elsewhere. */
function nested(levels: number, asArrays: boolean): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < levels; level += 1) value = asArrays ? [value] : { a: value };
  return value;
}

/** As it can be percent-encoded: half a surrogate pair becomes a replacement character. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
