import { clientOf, disconnectClients } from '../../support/access';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Company } from '../http/client';
import { expectProblem, openCompany } from '../http/client';

let server: TestServer;
let company: Company;

beforeAll(async () => {
  server = await startTestServer({ settings: { rateLimit: '5' } });
  company = await openCompany(server);
});
afterAll(async () => {
  closeLiveSockets();
  disconnectClients();
  await server.close();
});

const at = () => `/v1/companies/${company.id}`;

test('a token that asks too often is told when to come again, others are not', async () => {
  const [eager, calm] = [
    await clientOf(server, company.id, 'viewer'),
    await clientOf(server, company.id, 'viewer'),
  ];
  const answers = await Promise.all(Array.from({ length: 40 }, () => eager.api('GET', at())));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10);
  expect(refused.length).toBeGreaterThan(10);
  const problem = expectProblem(refused[0]!, 429, 'rate_limited');
  expect(problem.details).toEqual({ requestsPerSec: 5 });
  expect(refused[0]!.headers['retry-after']).toBe('1');
  expect((await calm.api('GET', at())).status).toBe(200);
  const { body } = await server.api<string>('GET', '/metrics');
  const counted = Number(/^reveille_refusals_total\{code="rate_limited"\} (\d+)$/m.exec(body)![1]);
  expect(counted).toBe(refused.length);
  await waitUntil(async () => (await eager.api('GET', at())).status === 200, 'it may ask again');
});

test('the admin token is not limited', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => server.api('GET', at())));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

test('a socket cannot ask more often than a request', async () => {
  const live = await connectLive(await clientOf(server, company.id, 'viewer'));
  const asked = Array.from({ length: 30 }, () => live.ask('subscribe', { companyId: company.id }));
  const answers = await Promise.all(asked);
  expect(answers.filter(({ error }) => error === 'rate_limited').length).toBeGreaterThan(5);
  expect(answers.filter(({ position }) => position !== undefined).length).toBeGreaterThan(3);
  const { body } = await server.api<string>('GET', '/metrics');
  expect(body).toMatch(/^reveille_refusals_total\{code="rate_limited"\} \d\d/m);
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
