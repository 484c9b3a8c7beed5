import { createHmac, timingSafeEqual } from 'node:crypto';

/** A JSON Web Token with HMAC-SHA-256 (RFC 7519, RFC 7515), and with nothing else: the header is not asked what it is. */
const HEADER = base64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));

/** The same claims and secret give the same token. */
export function signedToken(claims: object, secret: Buffer): string {
  const content = `${HEADER}.${base64url(JSON.stringify(claims))}`;
  return `${content}.${signature(content, secret)}`;
}

/** The claims of a token that was signed with the secret; null: it was not, or is none of ours. Time is not looked at. */
export function claimsOf(token: string, secret: Buffer): unknown {
  const [header, payload, signed, ...rest] = token.split('.');
  if (header !== HEADER || payload === undefined || signed === undefined || rest.length > 0) return null;
  const expected = Buffer.from(signature(`${header}.${payload}`, secret));
  const given = Buffer.from(signed);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as unknown;
}

function signature(content: string, secret: Buffer): string {
  return createHmac('sha256', secret).update(content).digest('base64url');
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
