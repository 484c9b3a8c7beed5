import type { HttpAgent as Agency } from '../../support/http-agent';
import { HttpAgent } from '../../support/http-agent';
import type { Answer, TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Company, Page, Run, RunEvent } from '../http/client';
import {
  expectBadField,
  expectStatus,
  get,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  wake,
} from '../http/client';

/** Whoever wakes an agent, and the agent itself, says something that would mean something else at its next stop. */

/** Names that every object has, or that a database takes for its own. */
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '$where',
  'a.b',
  '..',
  "' OR 1=1 --",
];

let server: TestServer;
let company: Company;
let agency: Agency;

beforeAll(async () => {
  server = await startTestServer({ settings: { httpPrivateAddresses: 'allow' } });
  company = await openCompany(server);
  agency = await HttpAgent.start();
});
afterAll(async () => {
  await server.close();
  await agency.close();
});

const register = (adapterConfig: object, adapterType = 'process') =>
  server
    .api<Agent>('POST', `/v1/companies/${company.id}/agents`, { name: 'Ada', adapterType, adapterConfig })
    .then((answer) => expectStatus(answer, 201));

const showArguments = 'console.log(JSON.stringify(process.argv.slice(1)))';

async function errorsOf(runId: string): Promise<string[]> {
  const { items } = await get<Page<RunEvent>>(server, `/v1/runs/${runId}/events`);
  return items.filter(({ eventType }) => eventType === 'error').map(({ message }) => message);
}

describe('the context, in the arguments of a program', () => {
  test.each([
    '; touch /tmp/reveille-was-here',
    '$(id)`id`${HOME}',
    'two words\nand\ta line',
    `' " \\ * ? ~ | & > <`,
    '{{context.other}}',
    '--version',
    '-',
    '\u202e',
  ])('%j is one argument, as it is', async (text) => {
    const args = ['-e', showArguments, '--', '{{context.text}}', 'name={{context.text}}'];
    const agent = await register({ command: process.execPath, args });
    const run = await runOnce(server, agent.id, { contextSnapshot: { text, other: 'FILLED TWICE' } });
    expect(run).toMatchObject({ status: 'succeeded' });
    expect(JSON.parse(run.stdoutExcerpt)).toEqual([text, `name=${text}`]);
  });

  test.each(['--upload-pack=touch /tmp/reveille-was-here', '-c', '-'])(
    '%j makes no option of what was configured as a value',
    async (text) => {
      const agent = await register({ command: 'echo', args: ['{{context.text}}'] });
      const run = await runOnce(server, agent.id, { contextSnapshot: { text } });
      expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed', exitCode: null });
      expect(run.error).toMatch(/argument 1 begins with "-"/);
    },
  );

  test('what was configured as an option may be completed', async () => {
    const agent = await register({ command: 'echo', args: ['--name={{context.text}}', '{{context.none}}'] });
    const run = await runOnce(server, agent.id, { contextSnapshot: { text: '-x' } });
    expect(run).toMatchObject({ status: 'succeeded', stdoutExcerpt: '--name=-x \n' });
  });
});

describe('a session that an agent names', () => {
  const says = (sessionId: string) =>
    `printf '%s\\n' "$*"; printf '%s' '${JSON.stringify({ sessionId })}' > "$REVEILLE_RESULT_FILE"`;
  const config = (sessionId: string) => ({
    ...shell(says(sessionId)),
    resumeArgs: ['--resume', '{{session}}'],
    output: { lines: {} },
  });

  test('is an argument of its next run', async () => {
    const agent = await register(config('s-1'), 'json_lines_local');
    await runOnce(server, agent.id);
    expect((await runOnce(server, agent.id)).stdoutExcerpt).toBe('--resume s-1\n');
  });

  test('is never an option of it', async () => {
    const agent = await register(config('--dangerously-skip-permissions'), 'json_lines_local');
    await runOnce(server, agent.id);
    expect((await runOnce(server, agent.id)).stdoutExcerpt).toBe('\n');
  });

  test.each(['a\u0000b', 'a\nb', '\u001b[2J', 'x'.repeat(1_001)])(
    'is refused where no program could be given it: %j',
    async (sessionId) => {
      const script = `cat > "$REVEILLE_RESULT_FILE"`;
      const stdin = '{{context.said}}';
      const agent = await register({ ...shell(script), stdin });
      const contextSnapshot = { said: { sessionId } };
      const run = await runOnce(server, agent.id, { contextSnapshot });
      expect(run).toMatchObject({ status: 'succeeded', sessionIdAfter: null });
      expect(await errorsOf(run.id)).toEqual([expect.stringContaining('sessionId')]);
    },
  );

  test('or a model, of a length that no event could hold, ends no run', async () => {
    const line = (name: string) =>
      `process.stdout.write(JSON.stringify({type: 'a', ${name}: 'x'.repeat(3e6), input: 1}) + '\\n');`;
    const output = {
      lines: {
        a: { session: 'session', model: 'model', usage: { of: 'step', input: ['input'], output: [] } },
      },
    };
    const args = ['-e', line('session') + line('model')];
    const agent = await register({ command: process.execPath, args, output }, 'json_lines_local');
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({ status: 'succeeded', sessionIdAfter: null, usage: { inputTokens: 2 } });
    const { bytes } = await server.api('GET', `/v1/runs/${run.id}/events`);
    expect(bytes.length).toBeLessThan(10_000);
  });
});

describe('the context, in the request to an http agent', () => {
  const nasty = [
    '../../admin',
    '@evil.example',
    '/\\evil.example',
    '?admin=1#x',
    '%2e%2e/',
    'a\r\nX-Evil: 1',
    ':80',
  ];

  test.each(nasty)('%j stays in its part of the URL', async (text) => {
    const path = `/part/${encodeURIComponent(text)}/end`;
    agency.on(path, (response) => response.end());
    const agent = await register(
      { url: `${agency.origin}/part/{{context.text}}/end?q={{context.text}}` },
      'http',
    );
    expect(await runOnce(server, agent.id, { contextSnapshot: { text } })).toMatchObject({
      status: 'succeeded',
    });
    const [request] = agency.requestsTo(path);
    expect(request!.path).toBe(`${path}?q=${encodeURIComponent(text)}`);
    expect(request!.headers).not.toHaveProperty('x-evil');
  });

  test.each(['..', '.'])('%j is no part of a path', async (text) => {
    const agent = await register({ url: `${agency.origin}/part/{{context.text}}` }, 'http');
    const run = await runOnce(server, agent.id, { contextSnapshot: { text } });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
  });

  test.each(['a\r\nX-Evil: 1', 'a\nb', 'a\u0000b'])(
    '%j is in no header, and nothing is sent',
    async (text) => {
      const url = agency.on('/header', (response) => response.end());
      const agent = await register({ url, headers: { 'x-subject': 'about {{context.text}}' } }, 'http');
      const run = await runOnce(server, agent.id, { contextSnapshot: { text } });
      expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
      expect(run.error).toContain('"x-subject"');
      expect(agency.requestsTo('/header')).toEqual([]);
    },
  );

  test.each([
    'http://{{context.host}}/',
    'http://a{{context.x}}.example/',
    'http://u{{context.x}}@a.example/',
    '{{context.url}}',
  ])('the host of %s cannot come from it', async (url) => {
    const answer = await server.api('POST', `/v1/companies/${company.id}/agents`, {
      ...{ name: 'Ada', adapterType: 'http', adapterConfig: { url } },
    });
    expectBadField(answer, 'adapterConfig.url');
  });
});

describe('names that mean something elsewhere', () => {
  const reporting = `cat > "$REVEILLE_RESULT_FILE"`;

  test.each(NAMES)('%j is a task, a key and a model like any other', async (name) => {
    const agent = await register({ ...shell(reporting), stdin: '{{context.said}}' });
    const usage = { inputTokens: 1, outputTokens: 1 };
    const said = { sessionId: `session of ${name}`, model: name, provider: name, usage, costUsd: 1 };
    const keys = { taskKey: name, coalesceKey: name, idempotencyKey: `${agent.id} ${name}` };
    const first = await runOnce(server, agent.id, { ...keys, contextSnapshot: { said } });
    expect(first).toMatchObject({ status: 'succeeded', sessionIdBefore: null });
    const other = await runOnce(server, agent.id, { taskKey: `${name}.`, contextSnapshot: { said: {} } });
    expect(other.sessionIdBefore).toBeNull();
    const again = await runOnce(server, agent.id, { taskKey: name, contextSnapshot: { said: {} } });
    expect(again.sessionIdBefore).toBe(said.sessionId);
    const repeated = await wake(server, agent.id, { ...keys, contextSnapshot: { said } });
    expect(repeated.run?.id).toBe(first.id);
    const costs = await get<{ items: { key: string; costMicros: number }[] }>(
      server,
      `/v1/companies/${company.id}/costs?groupBy=model`,
    );
    expect(costs.items.find(({ key }) => key === name)).toMatchObject({ costMicros: 1_000_000 });
  });

  test('are fields of what an agent reports, and come back as they were', async () => {
    const agent = await register({ ...shell(reporting), stdin: '{{context.text}}' });
    const fields = NAMES.map((name) => `${JSON.stringify(name)}: {"$set": 1, "prototype": {"admin": true}}`);
    const text = `{"resultJson": {${fields.join(',')}}, "__proto__": {"errorMessage": "no"}}`;
    const run = await runOnce(server, agent.id, { contextSnapshot: { text } });
    expect(run).toMatchObject({ status: 'succeeded', error: null });
    const { resultJson } = run as Run & { resultJson: object };
    expect(Object.keys(resultJson).sort()).toEqual([...NAMES].sort());
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test.each([
    'status[$ne]=failed',
    'agentId[$gt]=',
    'agentId=x&agentId=y',
    '__proto__=1',
    'where={"$where":"1"}',
  ])('?%s filters nothing', async (query) => {
    const answer: Answer<unknown> = await server.api(
      'GET',
      `/v1/companies/${company.id}/runs?${encodeURI(query)}`,
    );
    expectBadField(answer, decodeURIComponent(query.split('=')[0]!));
  });
});

describe('what is nested beyond measure, in what an agent says', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const deep = nested(100_000);

  test('a result loses that field, and nothing else', async () => {
    const script = `node -e 'const n = 1e5; process.stdout.write("{\\"model\\": \\"m\\", \\"resultJson\\": " + "[".repeat(n) + "]".repeat(n) + "}")' > "$REVEILLE_RESULT_FILE"`;
    const agent = await registerAgent(server, company.id, { adapterConfig: shell(script) });
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({ status: 'succeeded', resultJson: null });
    expect(await errorsOf(run.id)).toEqual([expect.stringContaining('resultJson: nested deeper than')]);
  });

  test.each([
    ['a result', `{"model": "m", "resultJson": ${deep}}`],
    ['JSON of its own', `{"mine": ${deep}}`],
  ])('the answer of an http agent: %s', async (_what, body) => {
    const url = agency.on('/deep', (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    );
    const run = await runOnce(server, (await register({ url }, 'http')).id);
    expect(run).toMatchObject({ status: 'succeeded', resultJson: null });
    expect(await errorsOf(run.id)).toEqual([expect.stringContaining('resultJson: nested deeper than')]);
  });

  test('a message of a stream is left out, and the next one is not', async () => {
    const lines = [
      `{"type": "note", "message": "no", "payload": {"a": ${deep}}}`,
      `{"type": "result", "resultJson": ${deep}}`,
      '{"type": "result", "resultJson": "fine"}',
    ];
    const url = agency.on('/deep-stream', (response) =>
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(`${lines.join('\n')}\n`),
    );
    const run = await runOnce(server, (await register({ url }, 'http')).id);
    expect(run).toMatchObject({ status: 'succeeded', resultJson: 'fine' });
    expect(await errorsOf(run.id)).toEqual(Array(2).fill(expect.stringContaining('nested deeper than')));
  });

  test('a line of a program says nothing', async () => {
    const script = `const n = 1e6; console.log('{"type":"a","model":' + '['.repeat(n) + ']'.repeat(n) + '}'); console.log('{"type":"a","model":"m","input":3}')`;
    const output = { lines: { a: { model: 'model', usage: { of: 'step', input: ['input'], output: [] } } } };
    const agent = await register(
      { command: process.execPath, args: ['-e', script], output },
      'json_lines_local',
    );
    const run = await runOnce(server, agent.id);
    expect(run).toMatchObject({ status: 'succeeded', usage: { inputTokens: 3 } });
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
