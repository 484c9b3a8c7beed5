import { once } from 'node:events';
import type { AgentBehaviour } from '../../support/http-agent';
import { waitUntil } from '../../support/server';
import { HttpAgentBench } from './http-agent-bench';

let bench: HttpAgentBench;
/** Paths of requests whose connection the server has closed before the answer was complete. */
const hungUp: string[] = [];

beforeAll(async () => {
  bench = await HttpAgentBench.start();
});
afterAll(() => bench.close());

/** Says something at the beginning, and then `every` so many milliseconds, for ever. */
function endless(every: number | null): AgentBehaviour {
  return async (response, { path }) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('working\n');
    const timer = every === null ? undefined : setInterval(() => response.write('.'), every);
    await once(response, 'close');
    clearInterval(timer);
    hungUp.push(path);
  };
}

/** Never even begins to answer. */
const deaf: AgentBehaviour = async (response, { path }) => {
  await once(response, 'close');
  hungUp.push(path);
};

const untilHungUp = (path: string) => waitUntil(() => hungUp.includes(path), `${path} is hung up`);

test('a run that takes too long is timed out, though it never falls silent', async () => {
  const url = bench.agent.on('/slow', endless(50));
  const run = await bench.runOf({ url }, { timeoutSec: 1 });
  expect(run).toMatchObject({ status: 'timed_out', errorCode: 'timeout', endCause: 'timeout' });
  expect(run.stdoutExcerpt).toMatch(/^working\n\.+$/);
  await untilHungUp('/slow');
});

test('a run that falls silent is timed out', async () => {
  const run = await bench.runOf({ url: bench.agent.on('/silent', endless(null)) }, { silenceTimeoutSec: 1 });
  expect(run).toMatchObject({
    status: 'timed_out',
    errorCode: 'silence_timeout',
    stdoutExcerpt: 'working\n',
  });
  await untilHungUp('/silent');
});

test('bytes that are no log are signs of life', async () => {
  const url = bench.agent.on('/keep-alive', async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(': still there\n\n'), 100);
    setTimeout(() => response.end('event: result\ndata: {"resultJson":"late"}\n\n'), 2_500);
    await once(response, 'close');
    clearInterval(timer);
  });
  const run = await bench.runOf({ url }, { silenceTimeoutSec: 1 });
  expect(run).toMatchObject({ status: 'succeeded', resultJson: 'late' });
});

test.each([
  ['in the middle of its answer', '/cancelled', endless(50)],
  ['before it answers', '/deaf', deaf],
])('a cancelled run is hung up on %s, and final at once', async (_when, path, behaviour) => {
  const runId = await bench.invoke(
    await bench.register({ url: bench.agent.on(path, behaviour) }, { graceSec: 60 }),
  );
  await waitUntil(() => bench.agent.requestsTo(path).length > 0, 'the agent is asked');
  const cancelledAt = Date.now();
  const { status } = await bench.server.api('POST', `/v1/runs/${runId}/cancel`);
  expect(status).toBe(202);
  const run = await bench.over(runId);
  expect(run).toMatchObject({ status: 'cancelled', errorCode: 'cancelled', endCause: 'cancel' });
  expect(Date.now() - cancelledAt).toBeLessThan(5_000);
  await untilHungUp(path);
  expect((await bench.events(runId)).map(({ message }) => message).at(-1)).toBe('run cancelled');
});

test('a failed run is tried again by policy', async () => {
  let asked = 0;
  const url = bench.agent.on('/flaky', (response) => {
    asked++;
    if (asked === 1) response.socket!.destroy();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end('now');
  });
  const agentId = await bench.register({ url }, { retry: { maxAttempts: 2, backoffSec: 1 } });
  const first = await bench.over(await bench.invoke(agentId));
  expect(first).toMatchObject({ status: 'failed', errorCode: 'adapter_failed' });
  const list = `/v1/companies/${bench.companyId}/runs?agentId=${agentId}&status=succeeded`;
  const retry = await waitUntil(async () => {
    const { body } = await bench.server.api<{ items: { retryOfRunId: string; attempt: number }[] }>(
      'GET',
      list,
    );
    return body.items[0];
  }, 'the retry has succeeded');
  expect(retry).toMatchObject({ retryOfRunId: first.id, attempt: 2 });
});
