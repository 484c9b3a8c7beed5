/** A JSON object of somebody else's making: every field may be missing, or anything. */
export type JsonObject = Readonly<Record<string, unknown>>;

const NOTHING: JsonObject = {};

/** The object on a line; null where it holds anything else. */
export function parseObject(line: string): JsonObject | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Empty where there is none. */
export function objectAt(value: JsonObject, ...path: string[]): JsonObject {
  const found = valueAt(value, ...path);
  return isObject(found) ? found : NOTHING;
}

export function valueAt(value: JsonObject, ...path: string[]): unknown {
  let current: unknown = value;
  for (const key of path) {
    if (!isObject(current) || !Object.hasOwn(current, key)) return undefined;
    current = current[key];
  }
  return current;
}

/** null where there is none, or an empty one. */
export function textAt(value: JsonObject, ...path: string[]): string | null {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : null;
}

/** null where it is no number that could be one of tokens. */
export function countAt(value: JsonObject, ...path: string[]): number | null {
  const found = valueAt(value, ...path);
  return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 ? found : null;
}

/** null where it is no number that could be one of dollars. */
export function amountAt(value: JsonObject, ...path: string[]): number | null {
  const found = valueAt(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : null;
}
