import { realpathSync } from 'node:fs';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { LogPage } from './client';
import { get, head, openCompany, registerAgent, runOnce, scriptedAgent } from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test('the context is in the arguments and in stdin', async () => {
  const config = {
    stdin: 'Issue {{context.issueId}} because {{context.wakeReason}}: {{ context.nested.list }}.\n',
  };
  const args = [
    '{{context.nested.text}}',
    'a{{context.number}}b',
    '{{context.missing}}',
    '{{other.x}}',
    '$(id)',
  ];
  const agent = await scriptedAgent(server, 'printf "[%s]" "$@"; cat', { args, config });
  const run = await runOnce(server, agent.id, {
    reason: 'why not',
    payload: { issueId: 'I-1' },
    contextSnapshot: {
      nested: { text: 'two words; "quoted" $HOME `id` {{context.number}}', list: [1, 'x'] },
      number: 4.5,
    },
  });
  expect(run.stdoutExcerpt).toBe(
    '[two words; "quoted" $HOME `id` {{context.number}}][a4.5b][][{{other.x}}][$(id)]' +
      'Issue I-1 because why not: [1,"x"].\n',
  );
});

test.each([
  '{{context.__proto__}}',
  '{{context.constructor.name}}',
  '{{context.toString}}',
  '{{context.list.length}}',
])('%s is nothing that the context says', async (placeholder) => {
  const agent = await scriptedAgent(server, 'printf "[%s]" "$1"', { args: [placeholder] });
  const run = await runOnce(server, agent.id, { contextSnapshot: { list: [1, 2] } });
  expect(['[]', '[2]']).toContain(run.stdoutExcerpt);
  expect(run.stdoutExcerpt).not.toMatch(/function|Object|native/);
});

test('the context file is the context of the run', async () => {
  const agent = await scriptedAgent(server, 'cat "$REVEILLE_CONTEXT_FILE"');
  const run = await runOnce(server, agent.id, {
    source: 'assignment',
    reason: 'grüße 👋',
    payload: { issueId: 'I-2', deep: [{}] },
    contextSnapshot: { branch: 'main', nothing: null },
  });
  expect(JSON.parse(run.stdoutExcerpt)).toEqual(run.contextSnapshot);
  expect(run.contextSnapshot).toMatchObject({
    branch: 'main',
    nothing: null,
    issueId: 'I-2',
    wakeReason: 'grüße 👋',
  });
});

test('the context file of a large context is whole', async () => {
  const agent = await scriptedAgent(server, 'cat "$REVEILLE_CONTEXT_FILE"');
  const run = await runOnce(server, agent.id, { contextSnapshot: { text: 'x€'.repeat(50_000) } });
  const { content, eof } = await get<LogPage>(
    server,
    `/v1/runs/${run.id}/log?stream=stdout&limitBytes=1000000`,
  );
  expect(eof).toBe(true);
  expect(JSON.parse(content)).toEqual(run.contextSnapshot);
});

test('an agent is told who it is, where to ask and where to write, and nothing of the server', async () => {
  const { id: companyId } = await openCompany(server);
  process.env.E2E_SERVER_SECRET = 'not for agents';
  const agent = await registerAgent(server, companyId, {
    adapterConfig: { command: 'env', env: { LEVEL: 'loud', PATH: '/usr/bin:/bin' } },
  });
  const run = await runOnce(server, agent.id);
  delete process.env.E2E_SERVER_SECRET;
  const env = Object.fromEntries(
    run.stdoutExcerpt
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  expect(env).toMatchObject({
    REVEILLE_API_URL: server.url,
    REVEILLE_AGENT_ID: agent.id,
    REVEILLE_COMPANY_ID: companyId,
    REVEILLE_RUN_ID: run.id,
    REVEILLE_CONTEXT_FILE: expect.stringMatching(/^\//),
    REVEILLE_RESULT_FILE: expect.stringMatching(/^\//),
    REVEILLE_EVENTS_FILE: expect.stringMatching(/^\//),
    LEVEL: 'loud',
    PATH: '/usr/bin:/bin',
  });
  expect(env).not.toHaveProperty('E2E_SERVER_SECRET');
  expect(run.stdoutExcerpt).not.toContain(server.token);
});

test('an agent runs in its folder, and without one in a folder of its run', async () => {
  const folder = realpathSync(temporaryFolder());
  const own = await scriptedAgent(server, 'pwd -P', { config: { cwd: folder } });
  expect((await runOnce(server, own.id)).stdoutExcerpt).toBe(`${folder}\n`);
  const none = await scriptedAgent(server, 'pwd -P; ls -A');
  const [one, two] = [await runOnce(server, none.id), await runOnce(server, none.id)];
  expect(one.stdoutExcerpt).toMatch(/^\/[^\n]*\n$/);
  expect(one.stdoutExcerpt).not.toBe(two.stdoutExcerpt);
});

test('without stdin there is nothing to read, and nobody waits', async () => {
  const agent = await scriptedAgent(server, 'cat; echo over');
  expect((await runOnce(server, agent.id)).stdoutExcerpt).toBe('over\n');
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});
