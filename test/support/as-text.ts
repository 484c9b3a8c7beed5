/** Everything that a value holds, maps and their order included, as text that can be compared. */
export function asText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner instanceof Map) return { map: [...(inner as Map<unknown, unknown>)] };
    return typeof inner === 'bigint' ? `${inner}n` : inner;
  });
}
