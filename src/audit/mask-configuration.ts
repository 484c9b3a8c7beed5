const MASK = '***';

/**
 * An agent's configuration for the eyes of others: what may be a secret in it is replaced. Names stay, and so do
 * references to secrets, which tell nothing.
 */
export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === 'env' || key === 'headers') return [key, withoutTexts(inner)];
      if (key === 'url' && typeof inner === 'string') return [key, inner.replace(/\?.*$/, `?${MASK}`)];
      return [key, masked(inner)];
    }),
  );
}

function withoutTexts(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return MASK;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, typeof inner === 'string' ? MASK : inner]),
  );
}
