const MAX_FIELDS = 20;

/** Paths of the values in which two JSON values differ, as in `logs.stdout.bytes` or `wakeupIds.3`: the first 20. */
export function differingFields(a: unknown, b: unknown): string[] {
  const found: string[] = [];
  collect(a, b, [], found);
  return found;
}

function collect(a: unknown, b: unknown, path: readonly string[], found: string[]): void {
  if (found.length >= MAX_FIELDS || Object.is(a, b)) return;
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) !== Array.isArray(b)) {
    found.push(path.join('.'));
    return;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    // What is absent differs from what is null.
    const [inA, inB] = [Object.hasOwn(a, key), Object.hasOwn(b, key)];
    if (inA && inB) collect(a[key], b[key], [...path, key], found);
    else if (found.length < MAX_FIELDS) found.push([...path, key].join('.'));
  }
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
