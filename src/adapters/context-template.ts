const PLACEHOLDER = /\{\{\s*context((?:\.[A-Za-z0-9_-]+)*)\s*\}\}/g;

/**
 * Puts values of a run's context in the place of `{{context.a.b}}`: a string as it is, any other JSON value as JSON
 * text, nothing where there is no such value. What was put in is not looked at again.
 *
 * @param encode what becomes of each of these texts on its way in
 */
export function fillFromContext(
  template: string,
  context: Readonly<Record<string, unknown>>,
  encode = (text: string) => text,
): string {
  return template.replace(PLACEHOLDER, (_placeholder, path: string) =>
    encode(asText(valueAt(context, path.split('.').slice(1)))),
  );
}

/**
 * The same for the arguments of a program. A value stays inside its argument, whatever is in it: no shell sees it. Nor does
 * it make an option of what was configured as a value: whoever wakes an agent decides about its context, and not about
 * what is executed. After `--` programs take everything for values.
 *
 * @throws Error that names the argument
 */
export function fillArguments(
  templates: readonly string[],
  context: Readonly<Record<string, unknown>>,
): string[] {
  const endOfOptions = templates.indexOf('--');
  return templates.map((template, index) => {
    const filled = fillFromContext(template, context);
    const problem = argumentProblem(template, filled, endOfOptions >= 0 && index > endOfOptions);
    if (problem !== null) throw new Error(`argument ${index + 1} ${problem}`);
    return filled;
  });
}

function argumentProblem(template: string, filled: string, isAfterOptions: boolean): string | null {
  if (filled.includes('\0')) return 'contains a NUL character, which no program can be given';
  if (isAfterOptions || !filled.startsWith('-') || template.startsWith('-')) return null;
  return 'begins with "-" by what the context says, and would be an option: configure "--" before it, or --name={{context.x}}';
}

/** The same in all texts of a JSON value; the names of its fields stay as they are. */
export function fillJsonFromContext(value: unknown, context: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === 'string') return fillFromContext(value, context);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fillJsonFromContext(item, context));
  const entries = Object.entries(value).map(([name, item]) => [name, fillJsonFromContext(item, context)]);
  return Object.fromEntries(entries) as unknown;
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
