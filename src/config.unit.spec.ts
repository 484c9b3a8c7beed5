import { resolve } from 'node:path';
import { environmentForAgents, readClientConfig, readConfig, settingFlags } from './config';

test('every setting has a flag, a variable and a default', () => {
  const config = readConfig({}, {});
  expect(settingFlags().map(({ flag, env }) => [flag, env])).toEqual([
    ['--host', 'REVEILLE_HOST'],
    ['--port', 'REVEILLE_PORT'],
    ['--data-dir', 'REVEILLE_DATA_DIR'],
    ['--event-log', 'REVEILLE_EVENT_LOG'],
    ['--eventstoredb-url', 'EVENTSTOREDB_URL'],
    ['--namespace', 'REVEILLE_NAMESPACE'],
    ['--documents', 'REVEILLE_DOCUMENTS'],
    ['--mongodb-url', 'MONGODB_URL'],
    ['--store-wait-sec', 'REVEILLE_STORE_WAIT_SEC'],
    ['--max-runs', 'REVEILLE_MAX_RUNS'],
    ['--drain', 'REVEILLE_DRAIN'],
    ['--drain-timeout-sec', 'REVEILLE_DRAIN_TIMEOUT_SEC'],
    ['--back-within-sec', 'REVEILLE_BACK_WITHIN_SEC'],
    ['--http-private-addresses', 'REVEILLE_HTTP_PRIVATE_ADDRESSES'],
    ['--http-answer-bytes', 'REVEILLE_HTTP_ANSWER_BYTES'],
    ['--log-retention-days', 'REVEILLE_LOG_RETENTION_DAYS'],
    ['--audit-checkpoint-events', 'REVEILLE_AUDIT_CHECKPOINT_EVENTS'],
    ['--audit-checkpoint-sec', 'REVEILLE_AUDIT_CHECKPOINT_SEC'],
    ['--adapters', 'REVEILLE_ADAPTERS'],
    ['--auth', 'REVEILLE_AUTH'],
    ['--rate-limit', 'REVEILLE_RATE_LIMIT'],
    ['--run-rate-limit', 'REVEILLE_RUN_RATE_LIMIT'],
    ['--test-clock', 'REVEILLE_TEST_CLOCK'],
    ['--log-level', 'REVEILLE_LOG_LEVEL'],
  ]);
  expect(settingFlags().map(({ byDefault }) => byDefault)).toEqual(Object.values(config).map(String));
});

test.each(['', ' ', '1.5', '-1', '0x10', '1e3', '65536', 'http'])('%j is no port', (port) => {
  expect(() => readConfig({ port }, {})).toThrow(/^--port: /);
});

test('an empty variable is one that is not set, and names of clients and agents are let be', () => {
  const environment = { REVEILLE_PORT: '', REVEILLE_URL: 'x', REVEILLE_TOKEN: 'x', REVEILLE_COMPANY_ID: 'x' };
  expect(readConfig({}, environment).port).toBe(7717);
  expect(() => readConfig({}, { REVEILLE_PROT: '' })).toThrow('REVEILLE_PROT: unknown setting');
});

test('the data folder is absolute, for agents that work elsewhere', () => {
  expect(readConfig({ dataDir: 'data' }, {}).dataDir).toBe(resolve('data'));
});

test('a client asks the local server, unless it is told otherwise', () => {
  const { dataDir } = readConfig({}, {});
  expect(readClientConfig({}, {})).toEqual({
    url: 'http://127.0.0.1:7717',
    token: null,
    dataDir,
    companyId: null,
  });
  const environment = {
    REVEILLE_URL: 'https://wake.example/',
    REVEILLE_TOKEN: 't',
    REVEILLE_DATA_DIR: '/data',
    REVEILLE_COMPANY_ID: 'c',
  };
  expect(readClientConfig({}, environment)).toEqual({
    url: 'https://wake.example',
    token: 't',
    dataDir: '/data',
    companyId: 'c',
  });
  const flags = { url: 'http://[::1]:1', token: 'u', dataDir: '/other', company: 'd' };
  expect(readClientConfig(flags, environment)).toEqual({
    url: 'http://[::1]:1',
    token: 'u',
    dataDir: '/other',
    companyId: 'd',
  });
  expect(() => readClientConfig({}, { REVEILLE_URL: 'ftp://x' })).toThrow(/^REVEILLE_URL: /);
});

test("agents get none of the server's secrets", () => {
  const environment = { PATH: '/bin', HOME: '/home/a', AWS_SECRET_ACCESS_KEY: 'x', REVEILLE_TOKEN: 'x' };
  expect(environmentForAgents(environment)).toEqual({ PATH: '/bin', HOME: '/home/a' });
});
