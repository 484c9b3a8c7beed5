import { json, pieces } from '../../support/http-agent';
import { HttpAgentBench } from './http-agent-bench';

let bench: HttpAgentBench;

beforeAll(async () => {
  bench = await HttpAgentBench.start({ settings: { httpAnswerBytes: `${8 * 1024 * 1024}` } });
});
afterAll(() => bench.close());

const ndjson = (...lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

describe('an answer as one JSON result', () => {
  test('is the result object of a run', async () => {
    const result = {
      usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 1 },
      costUsd: 0.25,
      provider: 'acme',
      model: 'm-1',
      sessionId: 'session-7',
      resultJson: { answer: 42 },
    };
    const run = await bench.runOf({ url: bench.agent.on('/json', json(result)) });
    expect(run).toMatchObject({
      status: 'succeeded',
      exitCode: null,
      exitedAt: expect.any(String),
      sessionIdAfter: 'session-7',
      usage: result.usage,
      costMicros: 250_000,
      resultJson: { answer: 42 },
      logBytes: 0,
    });
    const events = await bench.events(run.id);
    expect(events.map(({ eventType, message }) => [eventType, message])).toEqual([
      ['lifecycle', 'run queued'],
      ['lifecycle', 'run started'],
      ['adapter.invoke', `http: POST ${bench.agent.origin}/json`],
      ['lifecycle', 'run succeeded'],
    ]);
  });

  test('of another shape is kept as it is', async () => {
    const run = await bench.runOf({ url: bench.agent.on('/foreign', json({ ok: true })) });
    expect(run).toMatchObject({ status: 'succeeded', resultJson: { ok: true } });
  });

  test('with an error message is a failure', async () => {
    const run = await bench.runOf({ url: bench.agent.on('/fault', json({ errorMessage: 'no model' })) });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed', error: 'no model' });
  });

  test.each([
    ['cut-off', '{"usage":', 'not JSON'],
    ['list', '[1]', 'not a JSON object'],
    ['wrong-field', '{"costUsd":"much","sessionId":"s"}', 'costUsd: '],
    ['endless', `{"resultJson":"${'x'.repeat(3 * 1024 * 1024)}"}`, 'more than the 1048576 allowed'],
  ])('that is malformed (%s) is an error event, not a crash', async (name, body, problem) => {
    const run = await bench.runOf({ url: bench.agent.on(`/${name}`, pieces('application/json', [body])) });
    expect(run.status).toBe('succeeded');
    const [error] = (await bench.events(run.id)).filter(({ eventType }) => eventType === 'error');
    expect(error!.message).toContain('The result in the answer is malformed');
    expect(error!.message).toContain(problem);
  });

  test.each([
    ['application/json', '\uFEFF{"resultJson":1}'],
    ['application/json', '\uFEFF{"resultJson":1,"sessionId":"s"}'],
    ['application/x-ndjson', '\uFEFF{"type":"result","resultJson":1}\n'],
  ])('may begin with a byte order mark (%s, %j)', async (type, body) => {
    const run = await bench.runOf({ url: bench.agent.on('/marked', pieces(type, [body])) });
    expect(run).toMatchObject({ status: 'succeeded', resultJson: 1 });
    expect((await bench.events(run.id)).filter(({ eventType }) => eventType === 'error')).toEqual([]);
  });

  test('may be missing', async () => {
    const nothing = bench.agent.on('/204', (response) => response.writeHead(204).end());
    expect(await bench.runOf({ url: nothing })).toMatchObject({ status: 'succeeded', resultJson: null });
  });
});

describe('an answer as a stream', () => {
  test('of NDJSON lines says log, usage, note and result', async () => {
    const answer = ndjson(
      { type: 'log', text: 'thinking … ' },
      { type: 'log', text: 'süß 🦊\n' },
      { type: 'log', stream: 'stderr', text: 'careful\n' },
      { type: 'note', message: 'half-way', payload: { step: 1 } },
      { type: 'usage', inputTokens: 3, outputTokens: 2, costUsd: 0.01 },
      { type: 'result', usage: { inputTokens: 9, outputTokens: 4 }, costUsd: 0.03, resultJson: 'done' },
    );
    // Byte by byte: pieces end in the middle of lines, and of characters.
    const bytes = [...Buffer.from(answer)].map((byte) => Buffer.from([byte]));
    const run = await bench.runOf({ url: bench.agent.on('/ndjson', pieces('application/x-ndjson', bytes)) });
    expect(run).toMatchObject({
      status: 'succeeded',
      resultJson: 'done',
      costMicros: 30_000,
      stdoutExcerpt: 'thinking … süß 🦊\n',
      stderrExcerpt: 'careful\n',
    });
    const events = await bench.events(run.id);
    expect(events.map(({ eventType }) => eventType)).toEqual(
      expect.arrayContaining(['note', 'usage', 'adapter.invoke']),
    );
    expect(events.find(({ eventType }) => eventType === 'usage')!.payload).toMatchObject({
      costMicros: 10_000,
    });
  });

  test('of server-sent events, named or typed, ends with its result though the connection stays open', async () => {
    const events = [
      '\uFEFF: hello\r\n\r\n',
      'event: log\ndata: a line\n\n',
      'event: log\r\ndata: two\r\ndata: lines\r\n\r\n',
      'event: log\ndata: {"stream":"stderr","text":"exact"}\n\n',
      'data: {"type":"log","text":"typed\\n"}\n\n',
      'data: plain\rid: 5\rretry: 10\r\r\n',
      'event: note\ndata: {"message":"half-way"}\n\n',
      'event: usage\ndata: {"inputTokens": 3,\ndata: "outputTokens": 2}\n\n',
      'event: result\ndata: {"sessionId":"s-1","resultJson":[1]}\n\n',
    ].join('');
    const url = bench.agent.on('/sse', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).write(events);
    });
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({
      status: 'succeeded',
      sessionIdAfter: 's-1',
      resultJson: [1],
      usage: { inputTokens: 3, outputTokens: 2 },
      stdoutExcerpt: 'a line\ntwo\nlines\ntyped\nplain\n',
      stderrExcerpt: 'exact',
    });
    const notes = (await bench.events(run.id)).filter(({ eventType }) => eventType === 'note');
    expect(notes.map(({ message }) => message)).toEqual(['half-way']);
  });

  test('of text is the log, byte for byte', async () => {
    const bytes = Buffer.concat([
      Buffer.from('süß\n'),
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.alloc(300_000, 'x'),
    ]);
    const parts = [bytes.subarray(0, 2), bytes.subarray(2, 1_000), bytes.subarray(1_000)];
    const run = await bench.runOf({ url: bench.agent.on('/text', pieces('text/plain', parts)) });
    expect(run).toMatchObject({ status: 'succeeded', logBytes: bytes.length });
    expect(await bench.log(run.id, 'stdout')).toEqual(bytes);
  });

  test('leaves out what it cannot read, and says so a few times', async () => {
    const lines = [
      'not JSON',
      '{"no":"type"}',
      '{"type":"log"}',
      '{"type":"song"}',
      '7',
      '[]',
      'again',
      '{"type":"usage","inputTokens":-1}',
    ];
    const answer = `${lines.join('\n')}\n${ndjson({ type: 'log', text: 'still here' })}`;
    const run = await bench.runOf({ url: bench.agent.on('/odd', pieces('application/x-ndjson', [answer])) });
    expect(run).toMatchObject({ status: 'succeeded', stdoutExcerpt: 'still here' });
    const errors = (await bench.events(run.id)).filter(({ eventType }) => eventType === 'error');
    const messages = errors.map(({ message }) => message);
    expect(messages).toHaveLength(6);
    expect(messages).toContain('A message of the answer was left out: text: must be a string');
    expect(messages).toContain('A message of the answer was left out: unknown type "song"');
    expect(messages.find((message) => message.includes('inputTokens'))).toContain(
      'A line of the answer was left out',
    );
  });

  test('of a line that never ends is cut, and the run goes on', async () => {
    const long = `{"type":"log","text":"${'x'.repeat(3 * 1024 * 1024)}"}\n`;
    const answer = [long, ndjson({ type: 'log', text: 'after it' })];
    const run = await bench.runOf({
      url: bench.agent.on('/long-line', pieces('application/x-ndjson', answer)),
    });
    expect(run).toMatchObject({ status: 'succeeded', stdoutExcerpt: 'after it' });
    expect((await bench.events(run.id)).map(({ message }) => message)).toContain(
      'A message of the answer was left out: longer than 2097152 bytes',
    );
  });

  test('that is too long fails the run, and what has come is kept', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    const url = bench.agent.on(
      '/flood',
      pieces(
        'text/plain',
        Array.from({ length: 12 }, () => megabyte),
      ),
    );
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({
      status: 'failed',
      errorCode: 'adapter_failed',
      error: 'The answer is longer than 8388608 bytes',
    });
    expect(run.logBytes).toBeGreaterThan(7 * 1024 * 1024);
  });

  test('that is cut off fails the run, and what has come is kept', async () => {
    const url = bench.agent.on('/reset', (response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(ndjson({ type: 'log', text: 'so far' }, { type: 'usage', costUsd: 0.5 }), () =>
        setTimeout(() => response.destroy(), 50),
      );
    });
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({
      status: 'failed',
      errorCode: 'adapter_failed',
      error: 'The answer broke off: the connection was closed',
      stdoutExcerpt: 'so far',
      costMicros: 500_000,
    });
  });
});

describe('an answer that says no', () => {
  test('fails the run with its status and the beginning of its body', async () => {
    const url = bench.agent.on('/500', (response) => {
      response.writeHead(500, { 'content-type': 'text/html' }).end(`<h1>broken</h1>${'x'.repeat(100_000)}`);
    });
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(run.error).toMatch(/^HTTP 500 Internal Server Error: <h1>broken<\/h1>x+$/);
    expect(run.error!.length).toBeLessThan(3_000);
  });

  test.each([
    ['an image', { 'content-type': 'image/png' }, 'The answer is of type image/png'],
    ['compressed', { 'content-type': 'text/plain', 'content-encoding': 'gzip' }, 'encoded as gzip'],
  ])('or something that nobody understands (%s) fails the run', async (name, headers, error) => {
    const url = bench.agent.on(`/${name.replace(' ', '-')}`, (response) => {
      response.writeHead(200, headers).end('?');
    });
    const run = await bench.runOf({ url });
    expect(run).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
    expect(run.error).toContain(error);
  });
});
