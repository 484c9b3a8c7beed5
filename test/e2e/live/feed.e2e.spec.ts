import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { liveLimits } from '../../../src/http/limits';
import { clientOf } from '../../support/access';
import type { SentMessage } from '../../support/live-client';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import type { Agent, Run } from '../http/client';
import {
  expectBadField,
  expectProblem,
  get,
  head,
  openCompany,
  registerAgent,
  runOnce,
  scriptedAgent,
  shell,
  UNKNOWN_ID,
} from '../http/client';
import type { FeedPage } from './feed';
import { readFeed } from './feed';

let server: TestServer;
let companyId: string;
let agent: Agent;
let run: Run;
let feed: string;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
  feed = `/v1/companies/${companyId}/events`;
  agent = await registerAgent(server, companyId, { adapterConfig: shell('echo out') });
  const other = await registerAgent(server, companyId);
  run = await runOnce(server, agent.id);
  await runOnce(server, other.id);
  await runOnce(server, (await scriptedAgent(server, 'true')).id);
  await head(server);
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server.close();
});

interface EventSource {
  answer: IncomingMessage;
  text(): string;
  /** As an `EventSource` reads them. */
  events(): { id?: string; event?: string; data?: string }[];
  close(): void;
}

async function openFeed(
  path: string,
  headers: Record<string, string> = {},
  { url, token } = server,
): Promise<EventSource> {
  const all = { accept: 'text/event-stream', authorization: `Bearer ${token}`, ...headers };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(new URL(path, url), { headers: all, agent: false }, resolve).on('error', reject).end();
  });
  let text = '';
  answer.setEncoding('utf8').on('data', (part: string) => (text += part));
  answer.on('error', () => undefined);
  const fields = (block: string) =>
    Object.fromEntries(
      block
        .split('\n')
        .filter((line) => !line.startsWith(':'))
        .map((line) => /^(\w+): ?(.*)$/.exec(line)!.slice(1)),
    ) as { id?: string; event?: string; data?: string };
  const events = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .map(fields)
      .filter(({ data }) => data !== undefined);
  return { answer, text: () => text, events, close: () => answer.destroy() };
}

async function expectFeed(source: EventSource, messages: SentMessage[]): Promise<void> {
  await waitUntil(() => source.events().length >= messages.length, 'all messages are there');
  expect(source.events()).toEqual(
    messages.map((message) => ({ id: message.cursor, event: message.type, data: JSON.stringify(message) })),
  );
  source.close();
}

test('pages hold the same whatever their size, and lead from one to the next', async () => {
  const all: FeedPage = await get(server, `${feed}?limit=1000`);
  expect(all).toMatchObject({ nextCursor: null, position: await head(server) });
  expect(new Set(all.items.map(({ companyId: of }) => of))).toEqual(new Set([companyId]));
  const items: SentMessage[] = [];
  for (let after: string | null = '0'; after !== null;) {
    const page: FeedPage = await get(server, `${feed}?limit=1&after=${after}`);
    items.push(...page.items);
    after = page.nextCursor;
  }
  expect(items).toEqual(all.items);
  const later: FeedPage = await get(server, `${feed}?after=${all.position}`);
  expect(later).toEqual({ items: [], nextCursor: null, position: all.position });
});

test('of an agent, of a run, with and without logs', async () => {
  const all = await readFeed(server, companyId);
  const isOutput = ({ type }: SentMessage) => /^(heartbeat\.run\.log|log\..*)$/.test(type);
  const of = (id: string) => all.filter(({ payload }) => Object.values(payload).includes(id));
  const page = async (query: string) => (await get<FeedPage>(server, `${feed}?limit=1000&${query}`)).items;
  expect(await page(`agentId=${agent.id}`)).toEqual(of(agent.id).filter((message) => !isOutput(message)));
  expect(await page(`agentId=${agent.id}&logs=true`)).toEqual(of(agent.id));
  expect(await page(`runId=${run.id}`)).toEqual(of(run.id));
  expect(await page(`runId=${run.id}&agentId=${agent.id}`)).toEqual(of(run.id));
  expect(await page(`runId=${run.id}&logs=false`)).toEqual(
    of(run.id).filter((message) => !isOutput(message)),
  );
  expect(of(run.id).filter(isOutput)).not.toHaveLength(0);
});

test('as an event stream it has ids, types and data, and goes on behind `after` or `Last-Event-ID`', async () => {
  const all = await readFeed(server, companyId);
  const source = await openFeed(`${feed}?after=0&logs=true`);
  expect(source.answer.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
  await expectFeed(source, all);
  const { cursor } = all[10]!;
  await expectFeed(await openFeed(`${feed}?after=${cursor}&logs=true`), all.slice(11));
  await expectFeed(await openFeed(`${feed}?after=0&logs=true`, { 'last-event-id': cursor }), all.slice(11));
});

test('as an event stream it goes on with what happens', async () => {
  const from = await head(server);
  const source = await openFeed(feed);
  await waitUntil(() => source.text().includes(': connected'), 'the stream has begun');
  await runOnce(server, agent.id);
  await head(server);
  const page: FeedPage = await get(server, `${feed}?after=${from}`);
  await expectFeed(source, page.items);
});

test('what cannot be asked for is refused, as pages and as a stream', async () => {
  for (const accept of ['application/json', 'text/event-stream']) {
    const ask = (path: string, more = {}) => server.api('GET', path, undefined, { accept, ...more });
    expectBadField(await ask(`${feed}?after=now`), 'after');
    expectBadField(await ask(`${feed}?logs=maybe`), 'logs');
    expectBadField(await ask(`${feed}?colour=red`), 'colour');
    expectBadField(await ask(feed, { 'last-event-id': 'now' }), 'Last-Event-ID');
    expectProblem(await ask(`${feed}?after=999999999999`), 400, 'position_past_head');
    expectProblem(await ask(`/v1/companies/${UNKNOWN_ID}/events`), 404, 'company_not_found');
    expectProblem(await ask(`${feed}?agentId=${UNKNOWN_ID}`), 404, 'agent_not_found');
    const elsewhere = `/v1/companies/${(await openCompany(server)).id}/events`;
    expectProblem(await ask(`${elsewhere}?agentId=${agent.id}`), 404, 'agent_not_found');
    expectProblem(await ask(`${elsewhere}?runId=${run.id}`), 404, 'run_not_found');
    expectProblem(await ask(feed, { authorization: undefined }), 401, 'unauthorized');
  }
});

test('who only asks for the head of the stream leaves nothing open', async () => {
  const unlimited = await startTestServer({ settings: { rateLimit: '0' } });
  const { id } = await openCompany(unlimited);
  const { token } = await clientOf(unlimited, id, 'viewer');
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
  const leaving = new AbortController();
  const ask = (method: string) =>
    fetch(`${unlimited.url}/v1/companies/${id}/events`, { method, headers, signal: leaving.signal });
  for (let asked = 0; asked <= liveLimits.streamsPerToken; asked++) {
    expect((await ask('HEAD')).status).toBe(200);
  }
  expect((await ask('GET')).status).toBe(200);
  leaving.abort();
  await unlimited.close();
  expect(unlimited.errors).toEqual([]);
});

test('a server that stops says so and ends the stream', async () => {
  const stopping = await startTestServer();
  const { id } = await openCompany(stopping);
  const source = await openFeed(`/v1/companies/${id}/events`, {}, stopping);
  await waitUntil(() => source.text().includes(': connected'), 'the stream has begun');
  const ended = new Promise((resolve) => source.answer.once('close', resolve));
  await stopping.close();
  await ended;
  expect(source.events()).toEqual([{ event: 'live.closed', data: '{"reason":"server_stopping"}' }]);
});
