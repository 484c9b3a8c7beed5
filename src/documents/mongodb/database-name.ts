/** Used where the connection string names none. */
const DEFAULT_DATABASE = 'reveille';

/** The path of a connection string. Not by `URL`, which knows one host only. */
export function databaseNameOf(url: string): string {
  const [, name] = /^[^:]+:\/\/[^/?]*\/([^/?]+)/.exec(url) ?? [];
  return name === undefined ? DEFAULT_DATABASE : decodeURIComponent(name);
}
