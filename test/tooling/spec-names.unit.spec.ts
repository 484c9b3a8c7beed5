import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

// jest runs only these, and says nothing about the others.
const kinds = /\.(unit|contract|int|e2e|full)\.spec\.ts$/;

test('every test file says its kind in its name', () => {
  const nameless = ['src', 'test']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }))
    .filter((name) => /[.-](spec|test)\.[cm]?[jt]sx?$/.test(name) && !kinds.test(name));
  expect(nameless).toEqual([]);
});
