import { hostsOf, withoutSecrets } from './connection-strings';
import type { ConfigError } from './config';
import { readConfig } from './config';

const eventLog = (url: string) =>
  readConfig({ eventLog: 'eventstoredb' }, { EVENTSTOREDB_URL: url }).eventstoredbUrl;
const documents = (url: string) => readConfig({ documents: 'mongodb' }, { MONGODB_URL: url }).mongodbUrl;

test.each([
  'esdb://localhost:2113?tls=false',
  'esdb://admin:changeit@node1.example:2113,node2.example:2113,node3.example:2113?nodePreference=leader',
  'esdb+discover://cluster.example:2113?maxDiscoverAttempts=3&discoveryInterval=100',
  'esdb+discover://admin:p%40ss@cluster.example',
  'esdb://10.0.0.1/?keepAliveInterval=-1&tlsCAFile=/etc/ca.crt',
])('%s is a connection string of EventStoreDB', (url) => expect(eventLog(url)).toBe(url));

test.each([
  ['http://localhost:2113', 'must be esdb://'],
  ['esdb://', 'must be esdb://'],
  ['esdb://localhost:port', 'must be esdb://'],
  ['esdb://localhost:70000', 'localhost:70000'],
  ['esdb://[::1]:2113', 'IPv6'],
  ['esdb://localhost:2113?tls', 'must be esdb://'],
  ['esdb://localhost:2113?tsl=false', 'tsl'],
  // The client says that it ignores it, and repeats the string.
  ['esdb://localhost:2113?tlsVerifyCert=false', 'tlsVerifyCert'],
  // A wrong revision would be answered in place of an error.
  ['esdb://localhost:2113?throwOnAppendFailure=false', 'throwOnAppendFailure'],
  // The client would take the first, and say nothing.
  ['esdb+discover://a:2113,b:2113', 'one host'],
])('%s is none, and the setting is named', (url, problem) => {
  expect(() => eventLog(url)).toThrow(/^EVENTSTOREDB_URL: /);
  expect(() => eventLog(url)).toThrow(problem);
});

test.each([
  'mongodb://localhost',
  'mongodb://a:27017,b:27018,c:27019/reveille?replicaSet=rs0',
  'mongodb://user:p%2Fss@[::1]:27017/?authSource=admin',
  'mongodb+srv://user:pass@cluster.example/reveille',
])('%s is a connection string of MongoDB', (url) => expect(documents(url)).toBe(url));

test.each(['mongo://localhost', 'mongodb://', 'mongodb://a:x', 'mongodb://a:0', 'mongodb+srv://a:27017'])(
  '%s is none, and the setting is named',
  (url) => expect(() => documents(url)).toThrow(/^MONGODB_URL: /),
);

test.each([
  ['esdb://admin:s3cret!@', eventLog],
  ['esdb://admin:s3cret!@host:port', eventLog],
  ['esdb://admin:s3cret!@host:70000', eventLog],
  ['mongodb://admin:s3cret!@', documents],
  ['mongodb://admin:s3cret!@host:0/x', documents],
])('what is wrong with %s is said without its password', (url, read) => {
  let message = '';
  try {
    read(url);
  } catch (error) {
    message = (error as ConfigError).message;
  }
  expect(message).toMatch(/_URL: /);
  expect(message).not.toContain('s3cret');
});

test('a store that is chosen has to be found somewhere', () => {
  expect(() => readConfig({ eventLog: 'eventstoredb' }, {})).toThrow('EVENTSTOREDB_URL');
  expect(() => readConfig({ documents: 'mongodb' }, {})).toThrow('MONGODB_URL');
});

test('of a connection string only the hosts are shown', () => {
  expect(hostsOf('esdb://admin:s3cret@a:1,b:2?tls=false')).toBe('a:1,b:2');
  expect(hostsOf('mongodb+srv://c.example/reveille')).toBe('c.example');
  const url = 'mongodb://admin:s3%2Fcret@a/x';
  expect(withoutSecrets(`no ${url}: s3/cret is no password`, url)).toBe(
    'no mongodb://***@a/x: *** is no password',
  );
});
