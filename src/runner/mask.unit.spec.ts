import fc from 'fast-check';
import { Mask, MIN_MASKED_BYTES } from './mask';

/** Few different letters, so that secrets occur, overlap themselves and each other, and almost occur. */
const letters = fc.constantFrom('a', 'b', 'c');
const secret = fc.string({ unit: letters, minLength: MIN_MASKED_BYTES, maxLength: 7 });
const secrets = fc.array(secret, { minLength: 1, maxLength: 3 });
const pieces = fc.array(fc.string({ unit: letters, maxLength: 9 }), { maxLength: 20 });

/** Every byte of every occurrence, looked at one by one. */
function maskedOneByOne(text: string, values: readonly string[]): string {
  const shown = [...text];
  for (let at = 0; at < text.length; at++) {
    for (const value of values) {
      if (text.startsWith(value, at)) shown.fill('*', at, at + value.length);
    }
  }
  return shown.join('');
}

describe('a mask', () => {
  test('hides every occurrence, however the bytes come in pieces, and moves nothing', () => {
    fc.assert(
      fc.property(secrets, pieces, (values, parts) => {
        const masker = Mask.of(values).stream();
        const given = parts.map((part) => masker.push(Buffer.from(part)).toString());
        expect([...given, masker.flush().toString()].join('')).toBe(maskedOneByOne(parts.join(''), values));
      }),
      { numRuns: 2_000 },
    );
  });

  test('holds back only what may be the beginning of a secret', () => {
    fc.assert(
      fc.property(secrets, pieces, (values, parts) => {
        const masker = Mask.of(values).stream();
        let taken = '';
        let givenBytes = 0;
        for (const part of parts) {
          taken += part;
          givenBytes += masker.push(Buffer.from(part)).length;
          const held = taken.slice(givenBytes);
          expect(
            held === '' || values.some((value) => value.length > held.length && value.startsWith(held)),
          ).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('gives out what no secret begins with at once', () => {
    const masker = Mask.of(['hunter22']).stream();
    expect(masker.push(Buffer.from('all hu')).toString()).toBe('all ');
    expect(masker.push(Buffer.from('mans ')).toString()).toBe('humans ');
    expect(masker.push(Buffer.from('hunter2')).toString()).toBe('');
    expect(masker.push(Buffer.from('2!')).toString()).toBe('********!');
  });

  test('masks as many bytes as a character has', () => {
    expect(Mask.of(['pässwörd']).text('my pässwörd.')).toBe('my **********.');
  });

  test('knows a value also without the white space around it', () => {
    expect(Mask.of(['hunter22\n']).text('hunter22 hunter22\n')).toBe('******** *********');
  });

  test('leaves values alone that are too short, and the empty one', () => {
    expect(Mask.of(['', 'abc', ' a ']).text('abc a  b')).toBe('abc a  b');
  });

  test('keeps bytes that are no text', () => {
    const bytes = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
    const around = Buffer.concat([bytes, Buffer.from('hunter22'), bytes]);
    expect(Mask.of(['hunter22']).bytes(around)).toEqual(
      Buffer.concat([bytes, Buffer.from('********'), bytes]),
    );
  });

  test('reaches every text, name and number of a JSON value that is not ours', () => {
    const value = { hunter22: [{ deep: 'is hunter22' }], pin: 90210777, other: 9021, yes: true, no: null };
    expect(Mask.of(['hunter22', '90210777']).json(value)).toEqual({
      '********': [{ deep: 'is ********' }],
      pin: '********',
      other: 9021,
      yes: true,
      no: null,
    });
  });

  test('leaves names and numbers of our own values as they are', () => {
    const value = { hunter22: 'hunter22', pin: 90210777 };
    expect(Mask.of(['hunter22', '90210777']).texts(value)).toEqual({ hunter22: '********', pin: 90210777 });
  });
});
