import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

describe('docs/walkthrough.md', () => {
  const text = readFileSync(join(root, 'docs', 'walkthrough.md'), 'utf8');
  const files = [...text.matchAll(/^\| \d+ \| `([^`]+)`/gm)].map(([, file]) => file!);

  it('names the files of each step, and they exist', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
