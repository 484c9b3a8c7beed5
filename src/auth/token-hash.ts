import { randomBytes } from 'node:crypto';
import { sha256Hex } from '../kernel/canonical-json';

/** So that a token is recognised where it has no place: by people, and by scanners for secrets. */
const PREFIX = 'rvl_';
const TOKEN_BYTES = 32;

/** 256 bits of chance: nobody guesses one, and its plain hash says nothing about it. */
export function newToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
}

/** SHA-256, hex. */
export function tokenHash(token: string): string {
  return sha256Hex(token);
}
