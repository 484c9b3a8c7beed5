import { createHash } from 'node:crypto';

/** JSON with sorted keys and no space: two equal values give the same text, whoever wrote them. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
