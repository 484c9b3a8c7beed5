const PLACEHOLDER = /\{\{\s*context((?:\.[A-Za-z0-9_-]+)*)\s*\}\}/g;

/**
 * Puts values of a run's context in the place of `{{context.a.b}}`: a string as it is, any other JSON value as JSON
 * text, nothing where there is no such value. What was put in is not looked at again.
 */
export function fillFromContext(template: string, context: Readonly<Record<string, unknown>>): string {
  return template.replace(PLACEHOLDER, (_placeholder, path: string) =>
    asText(valueAt(context, path.split('.').slice(1))),
  );
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string, unknown>)[key];
  }
  return current;
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}
