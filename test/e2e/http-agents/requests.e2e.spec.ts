import { HttpAgent, json } from '../../support/http-agent';
import { HttpAgentBench } from './http-agent-bench';

const SECRET = 'correct-horse-battery-staple';

let bench: HttpAgentBench;

beforeAll(async () => {
  bench = await HttpAgentBench.start();
  await bench.server.api('PUT', `/v1/companies/${bench.companyId}/secrets/AGENT_KEY`, {
    value: `Bearer ${SECRET}\n`,
  });
});
afterAll(() => bench.close());

async function registration(
  adapterConfig: object,
): Promise<{ status: number; detail: string; fields: string }> {
  const agent = { name: 'Ada', adapterType: 'http', adapterConfig };
  const path = `/v1/companies/${bench.companyId}/agents`;
  const { status, body } = await bench.server.api<{ detail: string; details: unknown }>('POST', path, agent);
  return { status, detail: body.detail, fields: JSON.stringify(body.details) };
}

describe('the request of a run', () => {
  test('is a POST of its context, and says which run it is', async () => {
    const url = bench.agent.on('/plain', json({}));
    const run = await bench.runOf({ url }, {}, { contextSnapshot: { name: 'Ada' } });
    const [request] = bench.agent.requestsTo('/plain');
    expect(request).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'reveille-run-id': run.id, 'user-agent': 'reveille' },
    });
    expect(JSON.parse(request!.body)).toEqual({
      runId: run.id,
      agentId: request!.headers['reveille-agent-id'],
      companyId: bench.companyId,
      sessionId: null,
      context: expect.objectContaining({ name: 'Ada', wakeSource: 'on_demand' }),
    });
  });

  test('is filled from the context, in URL, headers and body', async () => {
    const url = `${bench.agent.on('/tasks/a%2Fb', json({}))}?q={{context.q}}`.replace(
      'a%2Fb',
      '{{context.task}}',
    );
    const context = { task: 'a/b', q: 'x&y=z#', quoted: '"' };
    await bench.runOf(
      {
        url,
        method: 'PUT',
        headers: { 'X-Task': '{{context.task}}', 'Content-Type': 'application/vnd.acme+json' },
        body: { task: '{{context.task}}', deep: [{ quoted: 'say {{context.quoted}}' }], n: 1 },
      },
      {},
      { contextSnapshot: context },
    );
    const [request] = bench.agent.requestsTo('/tasks/a%2Fb');
    expect(request).toMatchObject({
      method: 'PUT',
      path: '/tasks/a%2Fb?q=x%26y%3Dz%23',
      headers: { 'x-task': 'a/b', 'content-type': 'application/vnd.acme+json' },
    });
    expect(JSON.parse(request!.body)).toEqual({ task: 'a/b', deep: [{ quoted: 'say "' }], n: 1 });
  });

  test('may be text, or a GET without anything', async () => {
    const url = bench.agent.on('/text-body', json({}));
    await bench.runOf({ url, body: 'Hello {{context.name}}' }, {}, { contextSnapshot: { name: 'Ada' } });
    await bench.runOf({ url, method: 'GET' });
    const [text, get] = bench.agent.requestsTo('/text-body');
    expect(text).toMatchObject({
      body: 'Hello Ada',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    });
    expect(get).toMatchObject({ method: 'GET', body: '' });
    expect(get!.headers).not.toHaveProperty('content-type');
  });

  test('has the secrets of the company, and nobody sees them', async () => {
    const url = bench.agent.on('/echo', (response, { headers }) => {
      const said = `${headers.authorization} in the log\n`;
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify({ type: 'log', text: said.slice(0, 12) })}\n`);
      response.write(`${JSON.stringify({ type: 'log', text: said.slice(12) })}\n`);
      response.write(`${JSON.stringify({ type: 'note', message: said, payload: { said } })}\n`);
      response.end(
        `${JSON.stringify({ type: 'result', resultJson: { token: SECRET }, errorMessage: said })}\n`,
      );
    });
    const config = {
      url: `${url}?access_token=visible`,
      headers: { Authorization: { secret: 'AGENT_KEY' } },
    };
    const run = await bench.runOf(config);
    expect(bench.agent.requestsTo('/echo')[0]!.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(run).toMatchObject({ status: 'failed', resultJson: { token: '*'.repeat(SECRET.length) } });
    expect(run.stdoutExcerpt).toMatch(/^[\w *]*\*+ in the log\n$/);
    const events = await bench.events(run.id);
    expect(events.find(({ eventType }) => eventType === 'adapter.invoke')).toMatchObject({
      message: `http: POST ${url}?access_token=***`,
      payload: {
        method: 'POST',
        headerNames: expect.arrayContaining(['authorization', 'content-type']),
        secretNames: ['AGENT_KEY'],
        bodyBytes: expect.any(Number),
      },
    });
    const everything = JSON.stringify([run, events]) + (await bench.log(run.id, 'stdout')).toString();
    expect(everything).not.toContain(SECRET);
    expect(everything).toContain('*'.repeat(SECRET.length));
  });

  test('is not sent without its secret, nor with a header that cannot be one', async () => {
    const url = bench.agent.on('/never', json({}));
    const missing = await bench.runOf({ url, headers: { Authorization: { secret: 'NOPE' } } });
    expect(missing).toMatchObject({ status: 'failed', error: 'The company has no secret "NOPE"' });
    const headers = { 'X-Name': '{{context.name}}' };
    const split = await bench.runOf({ url, headers }, {}, { contextSnapshot: { name: 'a\r\nX-Admin: yes' } });
    expect(split).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(split.error).toContain('x-name');
    const climbing = await bench.runOf(
      { url: `${url}/{{context.name}}` },
      {},
      { contextSnapshot: { name: '..' } },
    );
    expect(climbing).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(bench.agent.requestsTo('/never')).toEqual([]);
  });
});

describe('a configuration', () => {
  test.each([
    [{}, 'url'],
    [{ url: 'ftp://example.com' }, 'http:// or https://'],
    [{ url: 'example.com' }, 'must be a URL'],
    [{ url: 'https://user:pw@example.com' }, 'user or password'],
    [{ url: 'https://{{context.host}}/x' }, 'the host cannot come from the context'],
    [{ url: 'https://{{ context.host }}/x' }, 'the host cannot come from the context'],
    [{ url: 'https://example.com{{context.host}}/x' }, 'the host cannot come from the context'],
    [{ url: 'https:///a{{context.host}}' }, 'must be a URL'],
    [{ url: 'https://\t/{{context.host}}' }, 'must be a URL'],
    [{ url: 'https://example.com', method: 'get' }, 'method'],
    [{ url: 'https://example.com', method: 'GET', body: 'x' }, 'a GET request has none'],
    [{ url: 'https://example.com', headers: { 'a b': 'x' } }, 'a name that a header can have'],
    [{ url: 'https://example.com', headers: { Host: 'x' } }, 'is set by Reveille'],
    [{ url: 'https://example.com', headers: { 'Reveille-Run-Id': 'x' } }, 'is set by Reveille'],
    [{ url: 'https://example.com', headers: { Authorization: 'Bearer x' } }, 'looks like a secret'],
    [{ url: 'https://example.com', headers: { 'X-Api-Key': 'x' } }, 'looks like a secret'],
    [{ url: 'https://example.com', headers: { A: '1', a: '2' } }, 'is there twice'],
    [{ url: 'https://example.com', follow: true }, 'follow'],
  ])('%j is refused', async (config, problem) => {
    const { status, detail, fields } = await registration(config);
    expect(status).toBe(400);
    expect(detail + fields).toContain(problem);
  });
});

describe('a redirect', () => {
  test('within the origin is followed with method, headers and body', async () => {
    bench.agent.on('/new', json({ resultJson: 'there' }));
    const url = bench.agent.on('/old', (response) => response.writeHead(307, { location: '/new' }).end());
    const run = await bench.runOf({ url, body: 'x', headers: { Authorization: { secret: 'AGENT_KEY' } } });
    expect(run).toMatchObject({ status: 'succeeded', resultJson: 'there' });
    expect(bench.agent.requestsTo('/new')).toEqual([
      expect.objectContaining({
        method: 'POST',
        body: 'x',
        headers: expect.objectContaining({ authorization: `Bearer ${SECRET}` }),
      }),
    ]);
  });

  test('"see other" is a GET', async () => {
    bench.agent.on('/seen', json({}));
    const url = bench.agent.on('/see', (response) => response.writeHead(303, { location: '/seen' }).end());
    expect(await bench.runOf({ url })).toMatchObject({ status: 'succeeded' });
    expect(bench.agent.requestsTo('/seen')).toEqual([expect.objectContaining({ method: 'GET', body: '' })]);
  });

  test('in a circle ends', async () => {
    const url = bench.agent.on('/loop', (response) => response.writeHead(302, { location: '/loop' }).end());
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(run.error).toContain('redirects more than 3 times');
    expect(bench.agent.requestsTo('/loop')).toHaveLength(4);
  });

  test('to somebody else is not followed', async () => {
    const other = await HttpAgent.start();
    try {
      const location = other.on('/steal', json({}));
      const url = bench.agent.on('/away', (response) => response.writeHead(307, { location }).end());
      const run = await bench.runOf({ url, headers: { Authorization: { secret: 'AGENT_KEY' } } });
      expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
      expect(run.error).toContain(`redirects to ${other.origin}`);
      expect(other.received).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

test('an agent that is not there fails the run', async () => {
  const gone = await HttpAgent.start();
  const url = gone.on('/x', json({}));
  await gone.close();
  const run = await bench.runOf({ url });
  expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
  expect(run.error).toMatch(/^POST http:\/\/127\.0\.0\.1:\d+\/x failed: connect ECONNREFUSED/);
});

describe('where the operator allows no private addresses, which is the default', () => {
  let strict: HttpAgentBench;
  beforeAll(async () => {
    strict = await HttpAgentBench.start({ settings: { httpPrivateAddresses: undefined } });
  });
  afterAll(() => strict.close());

  test.each([
    '127.0.0.1',
    'localhost',
    '127.1',
    '0x7f.1',
    '2130706433',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ])('an agent at %s is not asked', async (host) => {
    const { port } = new URL(strict.agent.on('/private', json({})));
    const run = await strict.runOf({ url: `http://${host}:${port}/private` });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(run.error).toContain('is a private address; --http-private-addresses allow');
    expect(strict.agent.received).toEqual([]);
  });
});
