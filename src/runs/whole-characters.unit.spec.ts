import { cutAtCharacters } from './whole-characters';

const text = 'aé€😀';
const bytes = Buffer.from(text);

test('a cut falls between two characters, wherever it was asked for', () => {
  for (let length = 0; length <= bytes.length; length++) {
    const whole = cutAtCharacters(bytes.subarray(0, length), false);
    expect(text.startsWith(whole.toString())).toBe(true);
    expect(length - whole.length).toBeLessThan(4);
  }
  expect(cutAtCharacters(bytes, false)).toEqual(bytes);
});

test('pages that are cut one after the other give the whole text', () => {
  let read = '';
  for (let offset = 0; offset < bytes.length;) {
    const page = cutAtCharacters(bytes.subarray(offset, offset + 4), offset + 4 >= bytes.length);
    read += page.toString();
    offset += page.length;
  }
  expect(read).toBe(text);
});

test('at the end nothing is held back', () => {
  const broken = Buffer.from([0x61, 0xe2, 0x82]);
  expect(cutAtCharacters(broken, true)).toEqual(broken);
  expect(cutAtCharacters(broken, false)).toEqual(Buffer.from('a'));
});

test.each([
  ['only continuations', [0x80, 0x80, 0x80, 0x80, 0x80]],
  ['a lead that UTF-8 does not have', [0x61, 0xff]],
  ['a complete character and a stray continuation', [0xc3, 0xa9, 0x80]],
])('bytes that are no UTF-8 stay as they are: %s', (_name, invalid) => {
  const buffer = Buffer.from(invalid);
  expect(cutAtCharacters(buffer, false)).toEqual(buffer);
});
