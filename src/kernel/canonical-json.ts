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
  if (typeof value === 'string') return textOfString(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((inner) => textOf(inner) ?? 'null').join(',')}]`;
  let members = '';
  for (const key of inOrder(Object.keys(value))) {
    const text = textOf((value as Record<string, unknown>)[key]);
    if (text !== undefined) members += `${members && ','}${textOfString(key)}:${text}`;
  }
  return `{${members}}`;
}

/** Printable ASCII without a quote and a backslash: nothing in it is written in another way. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Ids, times and keys are nearly all that there is, and a call of `JSON.stringify` costs more than to look at them. */
function textOfString(text: string): string {
  return text.length < 100 && PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Mostly they are. */
function inOrder(keys: string[]): string[] {
  for (let index = 1; index < keys.length; index++) if (keys[index - 1]! > keys[index]!) return keys.sort();
  return keys;
}
