import { writeFileSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../support/reveille-process';
import type { TestServer } from '../support/server';
import { apiOf, waitUntil } from '../support/server';
import { temporaryFolder } from '../support/temporary-folder';

const example = (file: string) => join(__dirname, '..', '..', 'examples', 'line-agent', file);

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterAll(killCommands);

interface EndedRun {
  status: string;
  sessionIdBefore: string | null;
  sessionIdAfter: string | null;
  usage: object;
  resultJson: { answer: string };
}

test('the example: an agent that Reveille does not know, in 50 lines', async () => {
  expect(readFileSync(example('line-agent.mjs'), 'utf8').split('\n').length).toBeLessThanOrEqual(51);
  const reveille = await startReveille(['--adapters', example('line-agent.mjs')]);
  const { api, disconnect } = apiOf(
    reveille.url,
    readFileSync(join(reveille.dataDir, 'admin-token'), 'utf8').trim(),
  );
  try {
    const { body: company } = await api<{ id: string }>('POST', '/v1/companies', { name: 'Acme' });
    const adapterConfig = { command: example('agent.sh'), model: 'pebble-1' };
    const agent = { name: 'Pebble', adapterType: 'line_agent', adapterConfig };
    const { body: registered } = await api<{ id: string }>(
      'POST',
      `/v1/companies/${company.id}/agents`,
      agent,
    );
    const first = await wake(api, registered.id, 'good morning');
    expect(first).toMatchObject({
      ...{ status: 'succeeded', usage: { inputTokens: 1_000, outputTokens: 20, cachedInputTokens: 0 } },
      resultJson: { answer: `wakeup 1 of session ${first.sessionIdAfter}: good morning` },
    });
    const second = await wake(api, registered.id, 'good night');
    expect(second).toMatchObject({
      ...{ status: 'succeeded', sessionIdBefore: first.sessionIdAfter },
      resultJson: { answer: `wakeup 2 of session ${first.sessionIdAfter}: good night` },
    });
    const bad = await api('POST', `/v1/companies/${company.id}/agents`, { ...agent, adapterConfig: {} });
    expect(bad).toMatchObject({ status: 400, body: { details: { field: 'adapterConfig.command' } } });
  } finally {
    disconnect();
    reveille.kill('SIGTERM');
    await reveille.exit;
  }
});

test.each([
  ['missing.mjs', null, /missing\.mjs: cannot be loaded: /],
  ['broken.mjs', 'export default {', /broken\.mjs: cannot be loaded: /],
  ['nothing.mjs', 'export const adapter = 1;', /its default export must be an adapter/],
  ['taken.mjs', adapterSource('process'), /there is another adapter of type process/],
  ['common.cjs', 'module.exports = { type: "Bad Name" };', /type must be a name/],
])('a module that cannot be used stops the start with its name: %s', async (name, source, problem) => {
  const path = join(temporaryFolder(), name);
  if (source !== null) writeFileSync(path, source);
  const serve = ['serve', '--port', '0', '--data-dir', temporaryFolder()];
  const { exitCode, stderr } = await runCommand([...serve, '--adapters', path]);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/^error: --adapters: /m);
  expect(stderr).toMatch(problem);
});

test('several modules, by flags or a list', async () => {
  const folder = temporaryFolder();
  const paths = ['one', 'two'].map((type) => {
    const path = join(folder, `${type}.mjs`);
    writeFileSync(path, adapterSource(type));
    return path;
  });
  const flags = paths.flatMap((path) => ['--adapters', path]);
  for (const server of [
    await startReveille(flags),
    await startReveille([], { REVEILLE_ADAPTERS: paths.join(',') }),
  ]) {
    const token = readFileSync(join(server.dataDir, 'admin-token'), 'utf8').trim();
    const { api, disconnect } = apiOf(server.url, token);
    const { body: company } = await api<{ id: string }>('POST', '/v1/companies', { name: 'Acme' });
    const agent = { name: 'x', adapterType: 'three', adapterConfig: {} };
    const refused = await api<{ detail: string }>('POST', `/v1/companies/${company.id}/agents`, agent);
    expect(refused.body.detail).toMatch(/unknown adapter, there are: .*one, two/);
    disconnect();
    server.kill('SIGTERM');
    await server.exit;
  }
});

function adapterSource(type: string): string {
  return `export default ({ z }) => ({
    type: '${type}', kind: 'local', configSchema: z.object({}), prepare: () => ({ command: 'true' }),
  });`;
}

async function wake(api: TestServer['api'], agentId: string, prompt: string): Promise<EndedRun> {
  const woken = await api<{ run: { id: string } }>('POST', `/v1/agents/${agentId}/wakeups`, {
    contextSnapshot: { prompt },
  });
  return waitUntil(async () => {
    const { body } = await api<EndedRun>('GET', `/v1/runs/${woken.body.run.id}`);
    return ['queued', 'running'].includes(body.status) ? null : body;
  }, 'the run has ended');
}
