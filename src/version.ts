import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of this package. */
export function ownVersion(): string {
  const description = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(description) as { version: string }).version;
}
