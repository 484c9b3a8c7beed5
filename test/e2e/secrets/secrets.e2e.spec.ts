import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

const SECRET = 'correct-horse-battery-staple';
const PIN = '9021077731';

interface Run {
  id: string;
  status: string;
  error: string | null;
  errorCode: string | null;
  resultJson: unknown;
  logs: Record<'stdout' | 'stderr', { bytes: number; sha256: string; storedSha256: string | null }>;
  stdoutExcerpt: string;
}

let server: TestServer;
let companyId: string;

beforeAll(async () => {
  server = await startTestServer({ dataDir: temporaryFolder() });
  const { body } = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  companyId = body.id;
});
afterAll(() => server.close());

const secretsPath = () => `/v1/companies/${companyId}/secrets`;

async function registerAgent(adapterConfig: object): Promise<string> {
  const agent = { name: 'Ada', adapterType: 'process', adapterConfig };
  const { status, body } = await server.api<{ id: string }>(
    'POST',
    `/v1/companies/${companyId}/agents`,
    agent,
  );
  expect(status).toBe(201);
  return body.id;
}

async function runToItsEnd(agentId: string): Promise<Run> {
  const { body } = await server.api<{ run: { id: string } }>('POST', `/v1/agents/${agentId}/invoke`, {});
  return waitUntil(async () => {
    const { body: run } = await server.api<Run>('GET', `/v1/runs/${body.run.id}`);
    return !['queued', 'running'].includes(run.status) && run;
  }, 'the run is over');
}

/** All files below a folder, whatever they hold. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

describe('secrets over HTTP', () => {
  test('are set, replaced and listed, and no answer has a value', async () => {
    const put = await server.api<{ updatedAt: string }>('PUT', `${secretsPath()}/B_TOKEN`, {
      value: 'first value',
    });
    expect(put.status).toBe(200);
    expect(put.body).toEqual({ name: 'B_TOKEN', updatedAt: expect.any(String) });
    expect(Number(put.headers['reveille-position'])).toBeGreaterThan(0);
    await server.api('PUT', `${secretsPath()}/B_TOKEN`, { value: 'second value' });
    await server.api('PUT', `${secretsPath()}/a.token-1`, { value: 'x'.repeat(64 * 1024) });

    const list = await server.api<{ items: { name: string }[]; nextCursor: string | null }>(
      'GET',
      secretsPath(),
    );
    expect(list.body.items.map(({ name }) => name)).toEqual(['B_TOKEN', 'a.token-1']);
    expect(list.body.nextCursor).toBeNull();
    expect(list.bytes.toString()).not.toMatch(/value/);
    const page = await server.api<typeof list.body>('GET', `${secretsPath()}?limit=1`);
    expect(page.body).toMatchObject({ items: [{ name: 'B_TOKEN' }], nextCursor: 'B_TOKEN' });
    const rest = await server.api<typeof list.body>('GET', `${secretsPath()}?limit=1&cursor=B_TOKEN`);
    expect(rest.body).toMatchObject({ items: [{ name: 'a.token-1' }], nextCursor: null });
  });

  test.each([
    ['an empty value', 'GOOD', { value: '' }, 'value'],
    ['a value that is too long', 'GOOD', { value: 'x'.repeat(64 * 1024 + 1) }, 'value'],
    ['a value that is no text', 'GOOD', { value: 7 }, 'value'],
    ['a value that no environment can hold', 'GOOD', { value: 'a\0b' }, 'value'],
    ['an unknown field', 'GOOD', { value: 'good', note: 'mine' }, 'note'],
    ['a name that begins with a digit', '1BAD', { value: 'good' }, 'name'],
    ['a name that is too long', 'A'.repeat(101), { value: 'good' }, 'name'],
    ['a name with a slash', 'A%2FB', { value: 'good' }, 'name'],
  ])('%s is refused', async (_what, name, body, field) => {
    const { status, body: problem } = await server.api('PUT', `${secretsPath()}/${name}`, body);
    expect(status).toBe(400);
    expect(problem).toMatchObject({ code: 'bad_request', details: { field } });
  });

  test.each(['00000000-0000-7000-8000-000000000000', 'nobody', '..%2F..'])(
    'company %s has none and gets none',
    async (id) => {
      const put = await server.api('PUT', `/v1/companies/${id}/secrets/GOOD`, { value: 'good' });
      const list = await server.api('GET', `/v1/companies/${id}/secrets`);
      expect([put.status, list.status]).toEqual([404, 404]);
    },
  );

  test('a configuration may name a secret, and must not contain one', async () => {
    const register = (env: object) =>
      server.api('POST', `/v1/companies/${companyId}/agents`, {
        name: 'Ada',
        adapterType: 'process',
        adapterConfig: { command: 'true', env },
      });
    expect((await register({ API_KEY: { secret: 'SOME_KEY' } })).status).toBe(201);
    expect(await register({ API_KEY: 'sk-123' })).toMatchObject({
      status: 400,
      body: { details: { field: 'adapterConfig.env.API_KEY' } },
    });
    expect(await register({ PLAIN: { secret: 'no spaces' } })).toMatchObject({
      status: 400,
      body: { details: { field: 'adapterConfig.env.PLAIN.secret' } },
    });
    expect(await register({ PLAIN: { secret: 'GOOD', as: 'file' } })).toMatchObject({ status: 400 });
  });
});

describe('a run with secrets', () => {
  test('gets the values, and they are seen nowhere: not in files, answers or events', async () => {
    await server.api('PUT', `${secretsPath()}/MAIN`, { value: SECRET });
    await server.api('PUT', `${secretsPath()}/PIN`, { value: PIN });
    const script = join(temporaryFolder(), 'agent.js');
    writeFileSync(script, AGENT);
    const agentId = await registerAgent({
      command: process.execPath,
      args: [script],
      env: { TOKEN: { secret: 'MAIN' }, PIN: { secret: 'PIN' }, MODE: 'plain' },
    });

    const run = await runToItsEnd(agentId);
    const stars = '*'.repeat(SECRET.length);
    const written = `whole ${SECRET} split ${SECRET}\nmode plain\n`;
    const path = `/v1/runs/${run.id}`;
    const log = await server.api('GET', `${path}/log?stream=stdout`, undefined, { accept: 'text/plain' });
    expect(log.bytes.toString()).toBe(written.replaceAll(SECRET, stars));
    expect(run).toMatchObject({
      status: 'failed',
      error: `cannot use ${stars}`,
      resultJson: { [stars]: [stars], pin: '*'.repeat(PIN.length) },
      stdoutExcerpt: log.bytes.toString(),
    });
    expect(run.logs.stdout.bytes).toBe(written.length);
    expect(run.logs.stdout.sha256).toBe(sha256(written));
    expect(run.logs.stdout.storedSha256).toBe(sha256(log.bytes));
    expect(run.logs.stderr.storedSha256).toBeNull();

    const events = await server.api<{ items: object[] }>('GET', `${path}/events?limit=1000`);
    expect(events.body.items).toContainEqual(
      expect.objectContaining({
        eventType: 'note',
        message: `note ${stars}`,
        payload: expect.objectContaining({ key: stars }),
      }),
    );
    expect(events.body.items).toContainEqual(
      expect.objectContaining({
        eventType: 'adapter.invoke',
        payload: expect.objectContaining({ secretNames: ['MAIN', 'PIN'] }),
      }),
    );
    const answers = await Promise.all(
      [
        path,
        `/v1/agents/${agentId}`,
        `/v1/agents/${agentId}/runtime-state`,
        `/v1/companies/${companyId}/runs`,
        secretsPath(),
      ].map(async (route) => (await server.api('GET', route)).bytes.toString()),
    );
    for (const answer of [...answers, log.bytes.toString(), events.bytes.toString()]) {
      expect(answer).not.toContain(SECRET);
      expect(answer).not.toContain(PIN);
    }
    // The value is nowhere in plain form, its own store and the folders of runs included.
    const holders = filesIn(server.dataDir).filter((file) => {
      const bytes = readFileSync(file);
      return bytes.includes(SECRET) || bytes.includes(PIN);
    });
    expect(holders).toEqual([]);
    expect(server.errors).toEqual([]);
  });

  test('fails where a secret is missing, and says which', async () => {
    const agentId = await registerAgent({ command: 'true', env: { TOKEN: { secret: 'NOT_THERE' } } });
    const run = await runToItsEnd(agentId);
    expect(run).toMatchObject({
      status: 'failed',
      errorCode: 'adapter_failed',
      error: 'The company has no secret "NOT_THERE"',
    });
  });

  test('files with secrets are for the owner only', () => {
    for (const path of ['secrets.key', join('secrets', `${companyId}.json`)]) {
      expect(statSync(join(server.dataDir, path)).mode & 0o777).toBe(0o600);
    }
  });
});

test('a run goes on being masked after a restart, also where its secret was changed meanwhile', async () => {
  const dataDir = temporaryFolder();
  const go = join(temporaryFolder(), 'go');
  let running = await startTestServer({ dataDir });
  const company = await running.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  const secretPath = `/v1/companies/${company.body.id}/secrets/MAIN`;
  await running.api('PUT', secretPath, { value: SECRET });
  const script = `printf '%s ' "$TOKEN"; printf %.9s "$TOKEN"; until [ -e ${go} ]; do sleep 0.02; done; echo "\${TOKEN#?????????}"`;
  const agent = await running.api<{ id: string }>('POST', `/v1/companies/${company.body.id}/agents`, {
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: 'sh', args: ['-c', script], env: { TOKEN: { secret: 'MAIN' } } },
  });
  const woken = await running.api<{ run: { id: string } }>('POST', `/v1/agents/${agent.body.id}/invoke`, {});
  const path = `/v1/runs/${woken.body.run.id}`;
  const stars = '*'.repeat(SECRET.length);
  await waitUntil(async () => {
    const { body } = await running.api<{ content: string }>('GET', `${path}/log?stream=stdout`);
    // What may be the beginning of the secret is not shown.
    return body.content === `${stars} `;
  }, 'the agent has begun to speak');
  await running.api('PUT', secretPath, { value: 'something else' });
  await running.close();

  running = await startTestServer({ dataDir });
  writeFileSync(go, '');
  const run = await waitUntil(async () => {
    const { body } = await running.api<Run>('GET', path);
    return body.status === 'succeeded' && body;
  }, 'the run is over');
  await running.close();
  expect(run.stdoutExcerpt).toBe(`${stars} ${stars}\n`);
  const written = `${SECRET} ${SECRET}\n`;
  expect(run.logs.stdout).toEqual({
    bytes: written.length,
    sha256: sha256(written),
    storedSha256: sha256(run.stdoutExcerpt),
  });
});

test('a run whose secrets are not known any more is ended, and nothing more of it is shown', async () => {
  const dataDir = temporaryFolder();
  let running = await startTestServer({ dataDir });
  const company = await running.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  await running.api('PUT', `/v1/companies/${company.body.id}/secrets/MAIN`, { value: SECRET });
  const script =
    'trap \'echo "late $TOKEN"; echo "{\\"sessionId\\": \\"$TOKEN\\"}" >"$REVEILLE_RESULT_FILE"; exit 0\' TERM; ' +
    'rm "$(dirname "$REVEILLE_CONTEXT_FILE")/secrets"; echo "early $TOKEN"; while :; do sleep 0.05; done';
  const agent = await running.api<{ id: string }>('POST', `/v1/companies/${company.body.id}/agents`, {
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: 'sh', args: ['-c', script], env: { TOKEN: { secret: 'MAIN' } } },
  });
  const woken = await running.api<{ run: { id: string } }>('POST', `/v1/agents/${agent.body.id}/invoke`, {});
  const path = `/v1/runs/${woken.body.run.id}`;
  const early = `early ${'*'.repeat(SECRET.length)}\n`;
  await waitUntil(async () => {
    const { body } = await running.api<{ content: string }>('GET', `${path}/log`);
    return body.content === early;
  }, 'the agent has spoken');
  await running.close();

  running = await startTestServer({ dataDir });
  const run = await waitUntil(async () => {
    const { body } = await running.api<Run & { sessionIdAfter: string | null }>('GET', path);
    return body.status === 'failed' && body;
  }, 'the run is over');
  await running.close();
  expect(run).toMatchObject({ errorCode: 'spool_failed', stdoutExcerpt: early, sessionIdAfter: null });
});

test('an agent that writes more than its quota is not stopped, and the end of its output is kept', async () => {
  const writtenBytes = 9 * 1024 * 1024;
  const keptBytes = 4 * 1024 * 1024;
  const script =
    'const line = "x".repeat(1023) + "\\n"; for (let n = 0; n < 9216; n++) require("fs").writeSync(1, n % 1024 ? line : String(n).padEnd(1023) + "\\n");';
  const { body } = await server.api<{ id: string }>('POST', `/v1/companies/${companyId}/agents`, {
    name: 'Ada',
    adapterType: 'process',
    adapterConfig: { command: process.execPath, args: ['-e', script] },
    runtimeConfig: { heartbeat: { logQuotaBytes: 1_000_000 } },
  });
  const run = await runToItsEnd(body.id);
  expect(run).toMatchObject({ status: 'succeeded', logs: { stdout: { bytes: writtenBytes } } });
  expect(run.logs.stdout.storedSha256).not.toBeNull();
  const page = (offset: number) =>
    server.api('GET', `/v1/runs/${run.id}/log?stream=stdout&offset=${offset}&limitBytes=1048576`);
  expect((await page(999_999)).body).toMatchObject({
    content: 'x',
    nextOffset: 1_000_000,
    totalBytes: writtenBytes,
  });
  expect((await page(2_000_000)).body).toMatchObject({ offset: writtenBytes - keptBytes, eof: false });
  const raw = await server.api('GET', `/v1/runs/${run.id}/log`, undefined, { accept: 'text/plain' });
  expect(raw.bytes.length).toBe(1_000_000 + keptBytes);
  expect(raw.bytes.subarray(0, 4).toString()).toBe('0   ');
  expect(raw.bytes.includes('8192 ')).toBe(true);
  expect(raw.bytes.includes('2048 ')).toBe(false);
});

test('secrets are there after a restart, and worthless without their key', async () => {
  const dataDir = temporaryFolder();
  const first = await startTestServer({ dataDir });
  const { body } = await first.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  await first.api('PUT', `/v1/companies/${body.id}/secrets/KEPT`, { value: 'kept value' });
  await first.close();
  const second = await startTestServer({ dataDir });
  const { body: list } = await second.api('GET', `/v1/companies/${body.id}/secrets`);
  await second.close();
  expect(list).toMatchObject({ items: [{ name: 'KEPT' }] });
  expect(readFileSync(join(dataDir, 'secrets', `${body.id}.json`), 'utf8')).not.toContain('kept value');
});

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Says its secrets whole, in two pieces, and wherever else it can say something. */
const AGENT = `
  const { appendFileSync, writeFileSync, writeSync } = require('node:fs');
  const { TOKEN, PIN, MODE } = process.env;
  const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  writeSync(1, 'whole ' + TOKEN + ' split ' + TOKEN.slice(0, 9));
  pause(400);
  writeSync(1, TOKEN.slice(9) + '\\nmode ' + MODE + '\\n');
  const lines = [
    { type: 'note', message: 'note ' + TOKEN, payload: { key: TOKEN, [TOKEN]: Number(PIN) } },
    { type: 'usage', inputTokens: 1, outputTokens: 1, provider: TOKEN, model: TOKEN },
    { type: 'note', message: 1, [TOKEN]: 1 },
  ];
  const broken = '{"type": ' + TOKEN;
  appendFileSync(process.env.REVEILLE_EVENTS_FILE, lines.map((line) => JSON.stringify(line) + '\\n').join('') + broken + '\\n');
  writeFileSync(process.env.REVEILLE_RESULT_FILE, JSON.stringify({
    sessionId: TOKEN, errorMessage: 'cannot use ' + TOKEN, provider: TOKEN, model: TOKEN,
    resultJson: { [TOKEN]: [TOKEN], pin: Number(PIN) }, state: { TOKEN },
  }));
`;
