import { createHmac } from 'node:crypto';
import { claimsOf, signedToken } from './hs256';

const secret = Buffer.from('a secret that is long enough for this');

test('what was signed is read again', () => {
  const claims = { sub: 'ä', exp: 1 };
  expect(claimsOf(signedToken(claims, secret), secret)).toEqual(claims);
  expect(signedToken(claims, secret)).toBe(signedToken(claims, secret));
});

test('is signed as RFC 7515 says', () => {
  const [header, payload, signature] = signedToken({ a: 1 }, secret).split('.');
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url');
  expect(signature).toBe(expected);
  expect(JSON.parse(Buffer.from(header!, 'base64url').toString())).toEqual({ alg: 'HS256', typ: 'JWT' });
});

test('every other token is none', () => {
  const token = signedToken({ a: 1 }, secret);
  expect(claimsOf(token, Buffer.from('another secret'))).toBeNull();
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A';
    const changed = token.slice(0, at) + other + token.slice(at + 1);
    // The last letter holds bits that say nothing: changed it must be refused all the same.
    expect({ at, claims: claimsOf(changed, secret) }).toEqual({ at, claims: null });
  }
  for (const text of ['', '.', '..', 'a.b', 'a.b.c.d', `${token}.`, `.${token}`, token.replaceAll('.', '')]) {
    expect(claimsOf(text, secret)).toBeNull();
  }
});
