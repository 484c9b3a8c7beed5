import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ReveilleProcess } from '../support/reveille-process';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../support/reveille-process';

const root = join(__dirname, '..', '..');

/** The README's shell blocks, in order. */
function shellBlocks(): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!);
}

describe('README.md', () => {
  let server: ReveilleProcess;

  beforeAll(async () => {
    await ensureBuilt();
    server = await startReveille();
  }, BUILD_TIMEOUT_MS);
  afterAll(killCommands);

  test('begins with the two commands', () => {
    const [start, test] = shellBlocks();
    expect(start).toBe('npm install && npm start -- --demo\n');
    expect(test).toBe('npm install && npm test\n');
  });

  test('the first agent: its commands work as they stand', async () => {
    const blocks = shellBlocks().filter((block) => block.includes('node bin/reveille.mjs'));
    const script = `set -eu\n${blocks.join('\n')}`;
    const env = { ...process.env, REVEILLE_URL: server.url, REVEILLE_DATA_DIR: server.dataDir };
    const { stdout } = await promisify(execFile)('sh', ['-c', script], { cwd: root, env });
    expect(stdout).toContain('Good morning.');
    expect(stdout).toContain('"wakeReason":"the first time"');
    expect(stdout).toContain('run succeeded');
    expect(stdout.match(/Good morning\./g)!.length).toBeGreaterThanOrEqual(2);
  }, 60_000);

  test('the HTTP request: answered as it is told', async () => {
    const block = shellBlocks().find((text) => text.startsWith('curl'))!;
    const [, url] = /"http:\/\/127\.0\.0\.1:7717(\/v1\/agents\/)\$AGENT(\/wakeups)"/.exec(block) ?? [];
    const body = /-d '(.*)'/.exec(block)![1]!;
    expect(url).toBe('/v1/agents/');
    const token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const request = async (path: string, sent: string) => {
      const answer = await fetch(server.url + path, { method: 'POST', headers, body: sent });
      return { status: answer.status, body: (await answer.json()) as Record<string, string> };
    };
    const company = await request('/v1/companies', '{"name": "Acme", "externalKey": "acme"}');
    const agent = await request(
      `/v1/companies/${company.body.id}/agents`,
      '{"name": "a", "adapterType": "process", "adapterConfig": {"command": "true"}}',
    );
    const woken = await request(`/v1/agents/${agent.body.id}/wakeups`, body);
    expect(woken.status).toBe(202);
    expect(Object.keys(woken.body)).toEqual(['wakeup', 'run', 'position']);
  });
});
