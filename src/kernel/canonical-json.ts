import { hash } from 'node:crypto';

/**
 * JSON with keys sorted by their UTF-16 code units and no space: two equal values give the same text, whoever wrote
 * them. What JSON has no word for is left out, or null in an array.
 */
export function canonicalJson(value: unknown): string {
  return textOf(value) ?? 'null';
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((inner) => textOf(inner) ?? 'null').join(',')}]`;
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const text = textOf((value as Record<string, unknown>)[key]);
    if (text !== undefined) members += `${members && ','}${JSON.stringify(key)}:${text}`;
  }
  return `{${members}}`;
}
