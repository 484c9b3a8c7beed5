import fc from 'fast-check';
import { TerminalText } from './terminal-text';

function shown(...pieces: (string | Buffer)[]): string {
  const text = new TerminalText();
  return Buffer.concat([...pieces.map((piece) => text.push(Buffer.from(piece))), text.flush()]).toString();
}

test.each([
  ['plain text, ümläute, 👩‍👩‍👧 and\ttabs\r\n', 'plain text, ümläute, 👩‍👩‍👧 and\ttabs\r\n'],
  ['\u001b[1;31mred\u001b[0m', '\u001b[1;31mred\u001b[0m'],
  ['\u001b[38:2::255:0:0mred\u001b[m', '\u001b[38:2::255:0:0mred\u001b[m'],
  ['\u001b[2J\u001b[H', '␛[2J␛[H'],
  ['\u001b]52;c;ZXZpbA==\u0007', '␛]52;c;ZXZpbA==␇'],
  ['\u001b]0;title\u001b\\', '␛]0;title␛\\'],
  ['\u001b[6n\u001bP$q\u001b\\', '␛[6n␛P$q␛\\'],
  ['a\u0008b\u007f\u0000', 'a␈b␡␀'],
  ['\u009b2J', '\uFFFD2J'],
  ['ends in \u001b', 'ends in ␛'],
  ['ends in \u001b[1', 'ends in ␛[1'],
  [`\u001b[${'1;'.repeat(40)}m`, `␛[${'1;'.repeat(40)}m`],
])('%j is shown as %j', (text, expected) => {
  expect(shown(text)).toBe(expected);
});

test('it is the same in whatever pieces it comes, and nothing that a terminal obeys is left', () => {
  const parts = fc.constantFrom(
    '\u001b',
    '[',
    '31',
    ';',
    'm',
    'J',
    '\u009b',
    'é',
    '\u0007',
    '\n',
    'x',
    '\u007f',
    ']',
  );
  const texts = fc.array(parts, { maxLength: 30 }).map((all) => Buffer.from(all.join('')));
  fc.assert(
    fc.property(texts, fc.array(fc.nat(60), { maxLength: 5 }), (bytes, cuts) => {
      const places = [
        0,
        ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
        bytes.length,
      ];
      const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      const whole = shown(bytes);
      expect(shown(...pieces)).toBe(whole);
      // eslint-disable-next-line no-control-regex -- these are what it is about
      expect(whole.replace(/\x1b\[[\d;:]*m/g, '')).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/);
    }),
  );
});
