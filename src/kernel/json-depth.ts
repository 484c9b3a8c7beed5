/**
 * Whether a JSON value has more than so many levels of objects and lists. It looks no further down than that: whoever
 * walks through values that others have made (`JSON.stringify` among them) asks first, since the stack is finite.
 */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner));
}
