import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { OpenApiDocument } from '../../../src/openapi/openapi-document';
import type { Client } from '../../support/access';
import { clientOf, clientWith, disconnectClients } from '../../support/access';
import { HttpAgent } from '../../support/http-agent';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { ReveilleProcess } from '../../support/reveille-process';
import {
  BUILD_TIMEOUT_MS,
  ensureBuilt,
  killCommands,
  runCommand,
  startReveille,
} from '../../support/reveille-process';
import type { TestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { allIsEmbedded } from '../../support/world';
import type { Agent, Run } from '../http/client';
import { caughtUp, expectStatus, Gate, runOnce, untilFinal, untilOutput, wake } from '../http/client';
import { descendantsOf, environmentOf, seenProcesses } from './descendants';

/**
 * Something distinctive in every place where the service takes a secret, a story of runs that say what they know
 * wherever they can, and then a look at everything that came out.
 */

const ENVIRONMENT = {
  AWS_SECRET_ACCESS_KEY: 'planted-aws-4f1c',
  GITHUB_TOKEN: 'planted-github-77aa',
  REVEILLE_TOKEN: 'planted-cli-token-19',
  // Not used here, but set where the same environment is that of other servers.
  ...(allIsEmbedded && {
    MONGODB_URL: 'mongodb://root:planted-mongodb-52@127.0.0.1:9/x',
    EVENTSTOREDB_URL: 'esdb://root:planted-esdb-8c@127.0.0.1:9?tls=false',
  }),
};
const IN_ENVIRONMENT = [
  'planted-aws-4f1c',
  'planted-github-77aa',
  'planted-cli-token-19',
  'planted-mongodb-52',
  'planted-esdb-8c',
];
const VARIABLE = 'planted-variable-3b9d';
const HEADER = 'planted-header-60e2';
const REFUSED = 'planted-and-refused-a4';

const dataDir = join(temporaryFolder(), 'data');
/** What was planted, by what it is. */
const planted: Record<string, string> = { VARIABLE, HEADER, REFUSED };
/** What has come out, by where. */
const seen: Record<string, string> = {};
let server: ReveilleProcess & TestServer;
let agency: HttpAgent;
let companyId: string;
let viewer: Client;

/** Says what it knows wherever it can. `OUT` is a file of the test, where it leaves the token of its run. */
const talker = `
const fs = require('node:fs');
const { SECRET, REVEILLE_API_KEY, REVEILLE_API_URL, REVEILLE_RUN_ID, REVEILLE_RESULT_FILE, REVEILLE_EVENTS_FILE, OUT } = process.env;
fs.appendFileSync(OUT, REVEILLE_API_KEY + '\\n');
const all = SECRET + ' ' + REVEILLE_API_KEY;
console.log('stdout', all); console.error('stderr', all);
process.stdout.write(SECRET.slice(0, 9)); setTimeout(() => process.stdout.write(SECRET.slice(9) + '\\n'), 150);
fs.appendFileSync(REVEILLE_EVENTS_FILE, JSON.stringify({ type: 'note', message: all, payload: { [SECRET]: all } }) + '\\n' + '{"' + all + '\\n');
fs.appendFileSync(REVEILLE_EVENTS_FILE, JSON.stringify({ type: 'usage', inputTokens: 5, model: SECRET, provider: SECRET }) + '\\n');
const headers = { authorization: 'Bearer ' + REVEILLE_API_KEY, 'content-type': 'application/json' };
const post = (what, body) => fetch(REVEILLE_API_URL + '/v1/runs/' + REVEILLE_RUN_ID + '/' + what, { method: 'POST', headers, body });
post('events', JSON.stringify({ message: 'by the API ' + all, payload: { all } }))
  .then(() => post('usage', JSON.stringify({ inputTokens: 1, model: SECRET })))
  .then(() => post('events', '{"message": "' + all))
  .then(() => setTimeout(() => {
    fs.writeFileSync(REVEILLE_RESULT_FILE, process.argv[1] === 'broken' ? '{"state": "' + all : JSON.stringify({
      errorMessage: 'failed with ' + all, resultJson: { [SECRET]: [all] }, state: { all }, sessionId: SECRET, model: SECRET,
    }));
    process.exit(3);
  }, 300));
`;

beforeAll(async () => {
  await ensureBuilt();
  agency = await HttpAgent.start();
  server = await start();
}, BUILD_TIMEOUT_MS);
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await killCommands();
  await agency.close();
});

async function start(): Promise<ReveilleProcess & TestServer> {
  const flags = ['--data-dir', dataDir, '--log-level', 'debug', '--http-private-addresses', 'allow'];
  const reveille = await startReveille(flags, ENVIRONMENT);
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const { api } = clientWith(reveille.url, token);
  return { ...reveille, token, errors: [], api, close: async () => undefined };
}

/** What the server has written by now, kept beyond its end. */
function keepOutput(life: string): void {
  seen[`stdout of the ${life} server`] = server.stdout();
  seen[`stderr of the ${life} server`] = server.stderr();
}

function register(adapterConfig: object, adapterType = 'process'): Promise<Agent> {
  const agent = { name: 'Ada', adapterType, adapterConfig };
  return server
    .api<Agent>('POST', `/v1/companies/${companyId}/agents`, agent)
    .then((answer) => expectStatus(answer, 201));
}

const out = join(temporaryFolder(), 'tokens');
const talking = (...args: string[]) => ({
  command: process.execPath,
  args: ['-e', talker, '--', ...args],
  env: { SECRET: { secret: 'VARIABLE' }, OUT: out },
});

/** Asks, and keeps the answer. */
async function asked(client: Pick<Client, 'api'>, ...request: Parameters<Client['api']>): Promise<void> {
  const { status, headers, bytes } = await client.api(...request);
  const name = `${request[0]} ${request[1].replaceAll(REFUSED, '…')} (${Object.keys(seen).length})`;
  seen[name] = `${status} ${JSON.stringify(headers)} ${bytes.toString('latin1')}`;
}

test('secrets are planted', async () => {
  const { body } = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Acme' });
  companyId = body.id;
  for (const [name, value] of Object.entries({ VARIABLE, HEADER, SPLIT: `${HEADER}\r\nX: 1` })) {
    const path = `/v1/companies/${companyId}/secrets/${name}`;
    expectStatus(await server.api('PUT', path, { value }), 200);
  }
  viewer = await clientOf(server, companyId, 'viewer');
  planted['token of a company'] = viewer.token;
  planted['token of the server'] = server.token;
  for (const file of ['run-tokens.key', 'secrets.key', 'audit.key']) {
    const lines = readFileSync(join(dataDir, file), 'utf8').trim().split('\n');
    planted[file] = lines.find((line) => /^[\w+/=]{40,}$/.test(line))!;
    expect(planted[file]).toEqual(expect.any(String));
  }
  for (const [index, value] of IN_ENVIRONMENT.entries()) planted[`environment ${index}`] = value;
});

test('what is refused is not repeated', async () => {
  const secrets = `/v1/companies/${companyId}/secrets`;
  const agents = `/v1/companies/${companyId}/agents`;
  const agent = (adapterType: string, adapterConfig: object) => ({ name: 'Ada', adapterType, adapterConfig });
  const long = REFUSED.repeat(5_000);
  await asked(server, 'PUT', `${secrets}/BROKEN`, `{"value": "${REFUSED}",}`, {
    'content-type': 'application/json',
  });
  await asked(server, 'PUT', `${secrets}/BROKEN`, { value: long });
  await asked(server, 'PUT', `${secrets}/BROKEN`, { value: [REFUSED] });
  await asked(server, 'PUT', `${secrets}/BROKEN`, { value: `${REFUSED}\0` });
  await asked(server, 'POST', agents, agent('process', { command: 'true', env: { API_KEY: REFUSED } }));
  await asked(
    server,
    'POST',
    agents,
    agent('process', { command: 'true', env: { X: { secret: `${REFUSED} ` } } }),
  );
  await asked(
    server,
    'POST',
    agents,
    agent('http', { url: agency.origin, headers: { Authorization: REFUSED } }),
  );
  await asked(server, 'POST', agents, agent('http', { url: `http://me:${REFUSED}@127.0.0.1/` }));
  for (const authorization of [`Bearer ${REFUSED}`, `Basic ${REFUSED}`, REFUSED]) {
    await asked(server, 'GET', `/v1/companies/${companyId}`, undefined, { authorization });
  }
  await asked(server, 'GET', `/v1/companies/${companyId}?token=${REFUSED}`, undefined, {
    authorization: undefined,
  });
  await asked(server, 'GET', `/v1/companies/${companyId}`, undefined, { cookie: REFUSED });
  await expect(connectLive({ url: server.url, token: REFUSED })).rejects.toMatchObject({
    message: 'unauthorized',
  });
  const revoked = await clientOf(server, companyId, 'operator', { name: 'revoked' });
  planted['revoked token'] = revoked.token;
  expectStatus(await server.api('DELETE', `/v1/companies/${companyId}/tokens/${revoked.id}`), 200);
  await asked(revoked, 'GET', `/v1/companies/${companyId}`);
});

test('runs that say what they know, succeed, fail, are broken off and are taken up', async () => {
  await connectLive(server).then(async (live) => {
    await live.ask('subscribe', { companyId, logs: true });
    live.socket.onAny(
      (type, message) => (seen['socket'] = `${seen['socket']}\n${type} ${JSON.stringify(message)}`),
    );
  });
  for (const argument of ['whole', 'broken']) {
    expect((await runOnce(server, (await register(talking(argument))).id)).status).toBe('failed');
  }
  const url = agency.on('/echo', (response, { headers }) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ resultJson: headers })),
  );
  const refusing = agency.on('/no', (response, { headers }) =>
    response.writeHead(500).end(JSON.stringify(headers)),
  );
  const headers = { 'x-api-key': { secret: 'HEADER' } };
  for (const config of [
    { url, headers },
    { url: refusing, headers },
    { url: 'http://127.0.0.1:9/nobody', headers },
    { url, headers: { 'x-api-key': { secret: 'SPLIT' } } },
    { url, headers: { 'x-api-key': { secret: 'NOBODY' } } },
  ]) {
    await runOnce(server, (await register(config, 'http')).id);
  }
  const nowhere = await register({ ...talking('x'), command: '/nowhere/to/be/found' });
  expect(await runOnce(server, nowhere.id)).toMatchObject({ errorCode: 'spawn_failed' });
});

test('what an agent is started with has nothing of the server, nor has a command line', async () => {
  const gate = new Gate();
  const script = `echo begun; ${gate.wait}; echo "$SECRET to the end $REVEILLE_API_KEY"; printf '%s\\n' "$REVEILLE_API_KEY" >> '${out}'`;
  const config = { command: '/bin/sh', args: ['-c', script], env: { SECRET: { secret: 'VARIABLE' } } };
  const { run } = await wake(server, (await register(config)).id);
  await untilOutput(server, run!.id, 'begun');
  const children = descendantsOf(server.pid);
  expect(children.length).toBeGreaterThanOrEqual(3);
  for (const { pid, commandLine } of children) {
    const environment = environmentOf(pid);
    if (environment === null) continue;
    const known = [...IN_ENVIRONMENT, server.token, planted['secrets.key']!, planted['run-tokens.key']!];
    for (const value of known) expect(`${commandLine} ${JSON.stringify(environment)}`).not.toContain(value);
    const names = Object.keys(environment).filter((name) => /AWS|GITHUB|MONGO|EVENTSTORE/.test(name));
    expect({ commandLine, names }).toEqual({ commandLine, names: [] });
  }
  seen['command lines'] = seenProcesses()
    .map(({ commandLine }) => commandLine)
    .join('\n');

  // A server that is not the one that started it knows what to mask, too.
  keepOutput('first');
  server.kill('SIGKILL');
  await server.exit;
  server = await start();
  viewer = { ...viewer, ...clientWith(server.url, viewer.token) };
  gate.open();
  const ended: Run = await untilFinal(server, run!.id);
  expect(ended).toMatchObject({ status: 'succeeded' });
  expect(ended.stdoutExcerpt).toContain('*'.repeat(VARIABLE.length));
}, 60_000);

test('everything that can be asked for is asked for', async () => {
  await caughtUp(server);
  const { body: document } = await server.api<OpenApiDocument>('GET', '/openapi.json');
  const { body: runs } = await server.api<{ items: Run[] }>(
    'GET',
    `/v1/companies/${companyId}/runs?limit=200`,
  );
  expect(runs.items.length).toBeGreaterThanOrEqual(9);
  for (const [index, { id, agentId, wakeupIds }] of runs.items.entries()) {
    const values = { companyId, runId: id, agentId, wakeupId: wakeupIds[0]!, name: 'runs' };
    for (const [path, { get: operation }] of Object.entries(document.paths)) {
      if (!operation || path.includes('{jobId}')) continue;
      // What is not of a run, and what another role is shown, is the same for all of them.
      if (index > 0 && !/\{(run|agent|wakeup)Id\}/.test(path)) continue;
      const address = path.replace(/\{(\w+)\}/g, (_, name: keyof typeof values) => values[name]);
      await asked(server, 'GET', address);
      if (index === 0) await asked(viewer, 'GET', address);
    }
    for (const query of ['/log?stream=stdout', '/log?stream=stderr']) {
      await asked(server, 'GET', `/v1/runs/${id}${query}`, undefined, { accept: 'text/plain' });
    }
    for (const subject of [`agentId=${agentId}`, `runId=${id}`]) {
      await asked(server, 'GET', `/v1/audit/as-of?${subject}&at=${new Date().toISOString()}`);
    }
    await asked(server, 'GET', `/v1/audit/why?runId=${id}`);
    await asked(server, 'GET', `/v1/companies/${companyId}/events?logs=true&limit=1000&runId=${id}`);
  }
  expectStatus(await server.api('POST', '/v1/audit/checkpoints'), 200);
  for (const path of ['export', 'verify', 'as-of', 'key']) {
    const query = path === 'key' ? '' : `?companyId=${companyId}`;
    const at = path === 'as-of' ? `&at=${new Date().toISOString()}` : '';
    await asked(server, 'GET', `/v1/audit/${path}${query}${at}`);
  }
  const folder = temporaryFolder();
  const environment = { REVEILLE_URL: server.url, REVEILLE_DATA_DIR: dataDir };
  for (const command of [
    ['audit', 'export', '--company', companyId, '--out', join(folder, 'export')],
    ['audit', 'bundle', runs.items[0]!.id, '--out', join(folder, 'bundle')],
    ['runs', '--company', companyId],
    ['run', 'events', runs.items[0]!.id],
    ['secret', 'list', '--company', companyId],
    ['status'],
  ]) {
    const { exitCode, stdout, stderr } = await runCommand(command, environment);
    expect({ command, exitCode, stderr }).toMatchObject({ exitCode: 0 });
    seen[`reveille ${command.slice(0, 2).join(' ')}`] = stdout + stderr;
  }
  for (const file of readdirSync(folder)) seen[`file ${file}`] = readFileSync(join(folder, file), 'latin1');
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(['file export', 'socket', 'reveille status']));
}, 120_000);

test('none of it has come out', async () => {
  const tokens = readFileSync(out, 'utf8').trim().split('\n');
  expect(tokens.length).toBeGreaterThanOrEqual(3);
  // The header of a token is the same for all.
  for (const [index, token] of tokens.entries())
    planted[`token of run ${index}`] = token.split('.').slice(1).join('.');
  server.kill('SIGTERM');
  await server.exit;
  keepOutput('second');
  const leaks = Object.entries(seen).flatMap(([where, text]) =>
    Object.entries(planted).flatMap(([what, value]) => (text.includes(value) ? [`${what}: ${where}`] : [])),
  );
  expect(leaks).toEqual([]);
  expect(seen['stderr of the first server']).toContain('request answered');
});

test('the data folder holds what it has to, for its owner alone', () => {
  const entries = readdirSync(dataDir, { recursive: true, encoding: 'utf8' });
  const files = entries.map((name) => join(dataDir, name)).filter((path) => statSync(path).isFile());
  expect(files.length).toBeGreaterThan(8);
  const found = files.flatMap((path) => {
    const text = readFileSync(path, 'latin1');
    const kinds = Object.entries(planted).filter(([, value]) => text.includes(value));
    return kinds.map(([what]) => `${relative(dataDir, path)}: ${what}`);
  });
  expect(found.sort()).toEqual([
    'admin-token: token of the server',
    'audit.key: audit.key',
    'run-tokens.key: run-tokens.key',
    'secrets.key: secrets.key',
  ]);
  const modes = [dataDir, ...entries.map((name) => join(dataDir, name))].map((path) => {
    const { mode } = statSync(path);
    return [relative(dataDir, path), (mode & 0o077).toString(8)];
  });
  expect(modes.filter(([, others]) => others !== '0')).toEqual([]);
});
