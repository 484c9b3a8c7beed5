import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { statusOfCode } from '../../src/http/problem';
import type { ErrorCode } from '../../src/kernel/errors';
import { errorCatalogue } from '../../src/kernel/errors';

describe('docs/errors.md', () => {
  it('lists exactly the errors of the catalogue, with their status', () => {
    const text = readFileSync(join(__dirname, '..', '..', 'docs', 'errors.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \|$/gm)];
    const listed = rows.map(([, code, status, title]) => [code, Number(status), title]);
    const codes = Object.keys(errorCatalogue) as ErrorCode[];
    expect(listed).toEqual(codes.map((code) => [code, statusOfCode[code], errorCatalogue[code]]));
  });
});
