import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentForAgents } from '../../src/config';
import { errorCatalogue } from '../../src/kernel/errors';
import { httpLimits, liveLimits } from '../../src/http/limits';

const root = join(__dirname, '..', '..');

describe('docs/security.md', () => {
  const text = readFileSync(join(root, 'docs', 'security.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+)(?: (KiB|s))? \| [^|]+ \| (.*?) ?\|$/gm)];

  it('lists exactly the limits there are', () => {
    const units: Record<string, number> = { KiB: 1024, s: 1000 };
    const listed = rows.map(([, name, number, unit]) => [name, Number(number) * (unit ? units[unit]! : 1)]);
    expect(Object.fromEntries(listed)).toEqual({ ...httpLimits, ...liveLimits });
  });

  it('names codes that there are', () => {
    const codes = rows.flatMap(([, , , , beyond]) =>
      [...beyond!.matchAll(/`(\w+)`/g)].map(([, code]) => code),
    );
    expect(codes.length).toBeGreaterThan(8);
    expect(codes.filter((code) => !(code! in errorCatalogue))).toEqual([]);
  });

  it('names what agents get of the environment, and files that exist', () => {
    const [, list] = /it gets (.+?) of the server's/.exec(text) ?? [];
    const names = [...list!.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    const everything = Object.fromEntries(
      [...names, 'AWS_SECRET_ACCESS_KEY', 'MONGODB_URL'].map((name) => [name, 'x']),
    );
    expect(Object.keys(environmentForAgents(everything)).sort()).toEqual(names.sort());
    const files = [...text.matchAll(/`((?:src|test)\/[^`]+)`/g)].map(([, file]) => file!);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
