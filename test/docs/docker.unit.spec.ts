import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig, settingFlags } from '../../src/config';

const root = join(__dirname, '..', '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const knownNames = new Set(settingFlags().map(({ env }) => env));

/** The variables of one service; the file is written so that no more than this has to be understood. */
function environmentOf(service: string): Record<string, string> {
  const [, block] = new RegExp(`^  ${service}:\\n((?:    .*\\n|\\n)+)`, 'm').exec(
    read('docker-compose.yml'),
  )!;
  const [, lines] = /^ {4}environment:\n((?: {6}.*\n)+)/m.exec(block!)!;
  const pairs = [...lines!.matchAll(/^ {6}(\w+): (.+)$/gm)].map(([, name, value]) => [name, value]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

test('docker-compose.yml sets what Reveille knows, and it starts with that', () => {
  const raw = environmentOf('reveille');
  expect(Object.keys(raw).filter((name) => !knownNames.has(name))).toEqual([]);
  const entries = Object.entries(raw).map(([name, value]) => [
    name,
    value.replace(/\$\{(\w+):\?[^}]*\}/, 's3cret').replace(/^'(.*)'$/, '$1'),
  ]);
  const config = readConfig({}, Object.fromEntries(entries) as Record<string, string>);
  expect(config).toMatchObject({ eventLog: 'eventstoredb', documents: 'mongodb', storeWaitSec: 120 });
});

test('the stores are waited for, checked, kept, and published to nobody', () => {
  const compose = read('docker-compose.yml');
  expect(compose.match(/condition: service_healthy/g)).toHaveLength(2);
  expect(compose.match(/^ {4}healthcheck:/gm)).toHaveLength(2);
  const published = [...compose.matchAll(/^ {4}ports:\n((?: {6}- .+\n)+)/gm)].map(([, lines]) =>
    lines!.trim(),
  );
  expect(published).toEqual(['- 127.0.0.1:7717:7717']);
  for (const volume of ['data:/data', 'events:/var/lib/kurrentdb', 'documents:/data/db']) {
    expect(compose).toContain(`- ${volume}\n`);
  }
});

test('the Dockerfile sets what Reveille knows, leaves the rights of root, and looks at /health/ready', () => {
  const dockerfile = read('Dockerfile');
  const [, variables] = /^ENV (.+)$/m.exec(dockerfile)!;
  const names = variables!.split(' ').map((pair) => pair.split('=')[0]!);
  expect(names.filter((name) => name !== 'NODE_ENV' && !knownNames.has(name))).toEqual([]);
  expect(dockerfile).toMatch(/^USER node$/m);
  expect(dockerfile).toMatch(/HEALTHCHECK[^]+\/health\/ready/);
  expect(dockerfile).toContain('ENTRYPOINT ["tini", "--", "reveille"]');
});

test('the image is built from what the build needs, and from no file of the machine', () => {
  const [first, ...kept] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(first).toBe('*');
  for (const needed of ['!src', '!bin', '!scripts', '!package-lock.json', '!tsconfig.build.json']) {
    expect(kept).toContain(needed);
  }
});
