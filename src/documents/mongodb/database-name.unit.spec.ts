import { databaseNameOf } from './database-name';

test.each([
  ['mongodb://localhost', 'reveille'],
  ['mongodb://localhost/', 'reveille'],
  ['mongodb://localhost/?replicaSet=rs0', 'reveille'],
  ['mongodb://localhost?compressors=a/b', 'reveille'],
  ['mongodb://localhost:27017/agents', 'agents'],
  ['mongodb://user:p%2Fss@a:27017,b:27018,c/agents%2D1?replicaSet=rs0', 'agents-1'],
  ['mongodb+srv://user:pass@cluster.example/agents?w=majority', 'agents'],
])('%s: %s', (url, name) => expect(databaseNameOf(url)).toBe(name));
