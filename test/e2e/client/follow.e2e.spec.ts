import type { LiveMessage } from '../../../src/client';
import { ReveilleClient, ReveilleError } from '../../../src/client';
import { CuttingProxy } from '../../support/cutting-proxy';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { Gate, openCompany, registerAgent, scriptedAgent, UNKNOWN_ID } from '../http/client';

let server: TestServer;
let proxy: CuttingProxy;
/** Asks the server, straight. */
let api: ReveilleClient;
/** Asks it over a line that is cut. */
let cutOff: ReveilleClient;

beforeAll(async () => {
  server = await startTestServer();
  proxy = await CuttingProxy.before(server.url);
  api = new ReveilleClient({ url: server.url, token: server.token });
  cutOff = new ReveilleClient({ url: proxy.url, token: server.token });
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

async function collect(messages: AsyncIterable<LiveMessage>): Promise<LiveMessage[]> {
  const all: LiveMessage[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

/** What was written, put together from the messages: every byte must be there once. */
function outputOf(messages: readonly LiveMessage[]): string {
  let text = '';
  for (const message of messages) {
    if (message.type !== 'heartbeat.run.log') continue;
    expect(message.payload.from).toBe(text.length);
    expect(message.payload.truncated).toBe(false);
    text += message.payload.chunk;
  }
  return text;
}

const cursorsOf = (messages: readonly LiveMessage[]) => messages.map(({ cursor }) => cursor);

describe('a run is followed', () => {
  test('from its beginning to the line that closes it, while it runs', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, `echo begun; ${gate.wait}; echo done`);
    const { run } = await api.wake(agent.id);
    const messages: LiveMessage[] = [];
    for await (const message of api.follow(run!.id, { logs: true })) {
      messages.push(message);
      if (message.type === 'heartbeat.run.log') gate.open();
    }
    expect(messages[0]!.type).toBe('heartbeat.run.queued');
    expect(messages.at(-1)).toMatchObject({
      type: 'heartbeat.run.event',
      payload: { eventType: 'lifecycle', message: 'run succeeded' },
    });
    expect(outputOf(messages)).toBe('begun\ndone\n');
    expect(new Set(cursorsOf(messages)).size).toBe(messages.length);
  });

  test('when it is over already: the same messages, and an end', async () => {
    const agent = await scriptedAgent(server, 'echo hello');
    const { run } = await api.wake(agent.id);
    const live = await collect(api.follow(run!.id, { logs: true }));
    const later = await collect(api.follow(run!.id, { logs: true }));
    expect(later).toEqual(live);
    const third = live[2]!.cursor;
    expect(await collect(api.follow(run!.id, { logs: true, after: third }))).toEqual(live.slice(3));
    expect(await collect(api.follow(run!.id, { logs: true, after: live.at(-1)!.cursor }))).toEqual([]);
  });

  test('without logs unless they are asked for', async () => {
    const agent = await scriptedAgent(server, 'echo hello');
    const { run } = await api.wake(agent.id);
    const types = (await collect(api.follow(run!.id))).map(({ type }) => type);
    expect(types).toContain('heartbeat.run.event');
    expect(types).not.toContain('heartbeat.run.log');
  });

  test('over a line that is cut again and again: each message once, in order', async () => {
    const lines = 60;
    const script = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done`;
    const agent = await scriptedAgent(server, script);
    const { run } = await api.wake(agent.id);
    let cuts = 0;
    const messages: LiveMessage[] = [];
    for await (const message of cutOff.follow(run!.id, { logs: true })) {
      messages.push(message);
      if (messages.length % 3 !== 0) continue;
      proxy.cut();
      cuts += 1;
    }
    expect(cuts).toBeGreaterThanOrEqual(10);
    expect(outputOf(messages)).toBe(Array.from({ length: lines }, (_, n) => `line ${n}\n`).join(''));
    expect(cursorsOf(messages)).toEqual(cursorsOf(await collect(api.follow(run!.id, { logs: true }))));
  }, 60_000);

  test('until the signal aborts; the connection is closed', async () => {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait);
    const { run } = await api.wake(agent.id);
    const controller = new AbortController();
    const following = collect(cutOff.follow(run!.id, { signal: controller.signal }));
    await waitUntil(() => proxy.open > 0, 'it is followed');
    controller.abort(new Error('enough'));
    await expect(following).rejects.toThrow('enough');
    gate.open();
  });

  test('a run that is not there is a ReveilleError, at once', async () => {
    const following = collect(api.follow(UNKNOWN_ID));
    await expect(following).rejects.toBeInstanceOf(ReveilleError);
    await expect(following).rejects.toMatchObject({ status: 404, code: 'run_not_found' });
  });
});

describe('a company is followed', () => {
  test('from now on, and nothing is lost with a connection that is cut before its first message', async () => {
    const company = await openCompany(server);
    const asked: string[] = [];
    const observed = new ReveilleClient({
      url: proxy.url,
      token: server.token,
      fetch: (input, init) => {
        asked.push(input as string);
        return fetch(input, init);
      },
    });
    const controller = new AbortController();
    const names: string[] = [];
    const following = (async () => {
      for await (const { type, payload } of observed.followCompany(company.id, {
        signal: controller.signal,
      })) {
        if (type === 'agent.registered') names.push(payload.name);
      }
    })();
    await waitUntil(() => asked.some((url) => url.includes('/events?')), 'it is followed');
    const expected = ['one', 'two', 'three', 'four', 'five'];
    for (const name of expected) {
      proxy.cut();
      await registerAgent(server, company.id, { name });
    }
    await waitUntil(() => names.length >= expected.length, 'the last one is told of');
    expect(names).toEqual(expected);
    controller.abort(new Error('enough'));
    await expect(following).rejects.toThrow('enough');
  });

  test('pages have what has happened', async () => {
    const company = await openCompany(server);
    await registerAgent(server, company.id);
    const { items, nextCursor } = await api.liveMessages(company.id);
    expect(items.map(({ type }) => type)).toContain('agent.registered');
    expect(nextCursor).toBeNull();
  });
});

test('a log is followed byte for byte over a line that is cut', async () => {
  const bytes = 300_000;
  const agent = await scriptedAgent(server, `head -c ${bytes} /dev/zero | tr '\\0' x; sleep 0.3; echo end`);
  const { run } = await api.wake(agent.id);
  let received = '';
  for await (const piece of cutOff.followLog(run!.id)) {
    received += Buffer.from(piece).toString();
    if (received.length > 100_000 && received.length < bytes) proxy.cut();
  }
  expect(received).toBe('x'.repeat(bytes) + 'end\n');
});

test('the events of a run are followed to the last', async () => {
  const agent = await scriptedAgent(server, 'sleep 0.3; exit 3');
  const { run } = await api.wake(agent.id);
  const seqs: number[] = [];
  let last = '';
  for await (const { seq, message } of cutOff.followRunEvents(run!.id)) {
    seqs.push(seq);
    last = message;
  }
  expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  expect(last).toBe('run failed');
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
