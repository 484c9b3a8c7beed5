import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Company } from './client';
import {
  expectBadField,
  expectProblem,
  expectStatus,
  get,
  head,
  ISO_TIME,
  UNKNOWN_ID,
  UUID_V7,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const create = (body?: object) => server.api<Company>('POST', '/v1/companies', body);

test('a company is created and read back', async () => {
  const answer = await create({ name: 'Acme', externalKey: 'acme' });
  const company = expectStatus(answer, 201);
  expect(company).toEqual({
    id: expect.stringMatching(UUID_V7),
    name: 'Acme',
    externalKey: 'acme',
    status: 'active',
    createdAt: expect.stringMatching(ISO_TIME),
    logRetentionDays: null,
  });
  expect(BigInt(answer.headers['reveille-position'] as string)).toBeGreaterThan(0n);
  expect(await get(server, `/v1/companies/${company.id}`)).toEqual(company);
});

test('what is unset is null', async () => {
  expect((await create({ name: 'Nameless' })).body.externalKey).toBeNull();
  expect((await create({ name: 'Nameless', externalKey: null })).body.externalKey).toBeNull();
});

test('an external key that is known answers the company that has it, and changes nothing', async () => {
  const first = expectStatus(await create({ name: 'First', externalKey: 'repeated' }), 201);
  const before = await head(server);
  const repeated = await create({ name: 'Second', externalKey: 'repeated' });
  expect(repeated).toMatchObject({ status: 200, body: first });
  expect(await head(server)).toBe(before);
});

test('a key registered by many at once is one company', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => create({ name: 'Raced', externalKey: 'raced' })),
  );
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
});

test('two companies of one name are two companies', async () => {
  const [one, other] = [await create({ name: 'Twin' }), await create({ name: 'Twin' })];
  expect(one.body.id).not.toBe(other.body.id);
});

test.each([
  ['none of that id', UNKNOWN_ID],
  ['no id at all', 'acme'],
  ['an id with a quote in it', encodeURIComponent(`' OR 1=1 --`)],
])('a company that does not exist: %s', async (_what, id) => {
  expectProblem(await server.api('GET', `/v1/companies/${id}`), 404, 'company_not_found');
});

describe('what is wrong is named, and nothing is written', () => {
  test.each<[string, object | undefined, string]>([
    ['no body', undefined, ''],
    ['a list', [], ''],
    ['no name', {}, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a blank name', { name: ' \t ' }, 'name'],
    ['a long name', { name: 'n'.repeat(201) }, 'name'],
    ['a number for a name', { name: 7 }, 'name'],
    ['null for a name', { name: null }, 'name'],
    ['an empty key', { name: 'Acme', externalKey: '' }, 'externalKey'],
    ['a long key', { name: 'Acme', externalKey: 'k'.repeat(201) }, 'externalKey'],
    ['a number for a key', { name: 'Acme', externalKey: 1 }, 'externalKey'],
    ['an unknown field', { name: 'Acme', colour: 'red' }, 'colour'],
    ['an id of its own', { name: 'Acme', id: UNKNOWN_ID }, 'id'],
  ])('%s', async (_what, body, field) => {
    const before = await head(server);
    expectBadField(await create(body), field);
    expect(await head(server)).toBe(before);
  });
});

test('a name may be in any script', async () => {
  const name = '株式会社 🦊 Größe ‮';
  const { body } = await create({ name, externalKey: '🔑 / ? # %' });
  expect(await get(server, `/v1/companies/${body.id}`)).toMatchObject({ name, externalKey: '🔑 / ? # %' });
});
