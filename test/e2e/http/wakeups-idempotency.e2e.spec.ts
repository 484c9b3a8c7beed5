import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Page, Wakeup, Woken } from './client';
import {
  expectBadField,
  expectProblem,
  expectStatus,
  Gate,
  get,
  head,
  openCompany,
  registerAgent,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;
let companyId: string;

beforeAll(async () => {
  server = await startTestServer();
  companyId = (await openCompany(server)).id;
});
afterAll(() => server.close());

/** An agent that answers every wakeup with `skipped`, so that nothing of it runs. */
const newSleeper = () => registerAgent(server, companyId, { heartbeat: { wakeOnDemand: false } });
const send = (agentId: string, body?: object, key?: string, route = 'wakeups') =>
  server.api<Woken>('POST', `/v1/agents/${agentId}/${route}`, body, { 'idempotency-key': key });
const receipts = async (agentId: string) =>
  (await get<Page<Wakeup>>(server, `/v1/agents/${agentId}/wakeups`)).items;

test.each<[string, [object?, string?], [object?, string?]]>([
  ['in the body', [{ idempotencyKey: 'k', reason: 'r' }], [{ idempotencyKey: 'k', reason: 'r' }]],
  ['in the header', [{ reason: 'r' }, 'k'], [{ reason: 'r' }, 'k']],
  ['first here, then there', [{ idempotencyKey: 'k' }], [{}, 'k']],
  ['in both', [{ idempotencyKey: 'k' }, 'k'], [undefined, 'k']],
  [
    'with the fields in another order',
    [{ payload: { a: 1, b: { c: 2, d: 3 } } }, 'k'],
    [{ payload: { b: { d: 3, c: 2 }, a: 1 } }, 'k'],
  ],
  ['with the defaults spelt out', [{}, 'k'], [{ source: 'on_demand', priority: 0, reason: null }, 'k']],
])('a key %s makes the repetition the same', async (_what, first, second) => {
  const { id } = await newSleeper();
  const one = await send(id, ...first);
  const before = await head(server);
  const two = await send(id, ...second);
  expect(two).toMatchObject({ status: 202, body: one.body });
  expect(two.headers['reveille-position']).toBe(one.body.position);
  expect(one.body.wakeup).toMatchObject({ idempotencyKey: 'k' });
  expect(await head(server)).toBe(before);
  expect(await receipts(id)).toHaveLength(1);
});

test('the body and the header that say two things are refused', async () => {
  const { id } = await newSleeper();
  const before = await head(server);
  const problem = expectProblem(
    await send(id, { idempotencyKey: 'a' }, 'b'),
    400,
    'idempotency_key_conflict',
  );
  expect(problem.details.field).toBe('Idempotency-Key');
  expect(await head(server)).toBe(before);
});

test.each([
  ['an empty one', ''],
  ['a long one', 'k'.repeat(501)],
])('%s in the header is refused', async (_what, key) => {
  const { id } = await newSleeper();
  expectBadField(await send(id, {}, key), 'Idempotency-Key');
});

test.each<[string, object]>([
  ['reason', { reason: 'other' }],
  ['payload', { reason: 'r', payload: { a: 2 } }],
  ['source', { reason: 'r', payload: { a: 1 }, source: 'timer' }],
  ['priority', { reason: 'r', payload: { a: 1 }, priority: 1 }],
  ['nothing', {}],
])('a key that was used for another request is refused: other %s', async (_what, other) => {
  const { id } = await newSleeper();
  const { body: first } = await send(id, { reason: 'r', payload: { a: 1 } }, 'k');
  const before = await head(server);
  const problem = expectProblem(await send(id, other, 'k'), 422, 'idempotency_key_reused');
  expect(problem.details).toMatchObject({ wakeupId: first.wakeup.id });
  expect(await head(server)).toBe(before);
});

test('invoke and wakeup are two requests, unless they say the same', async () => {
  const { id } = await newSleeper();
  const { body: first } = await send(id, {}, 'k', 'invoke');
  expectProblem(await send(id, {}, 'k'), 422, 'idempotency_key_reused');
  expect((await send(id, { triggerDetail: 'manual' }, 'k')).body).toEqual(first);
});

test('a key belongs to its agent', async () => {
  const [one, other] = [await newSleeper(), await newSleeper()];
  const first = await send(one.id, {}, 'k');
  const second = await send(other.id, { reason: 'another' }, 'k');
  expect([first.status, second.status]).toEqual([202, 202]);
  expect(second.body.wakeup.id).not.toBe(first.body.wakeup.id);
});

test('keys that look alike are different keys', async () => {
  const { id } = await newSleeper();
  const keys = ['k', 'K', ' k', 'k ', 'k\u0000', 'ｋ', 'k\u0301'];
  for (const idempotencyKey of keys) expectStatus(await send(id, { idempotencyKey }), 202);
  expect(await receipts(id)).toHaveLength(keys.length);
});

test('a refused request does not use its key up', async () => {
  const { id } = await newSleeper();
  expectBadField(await send(id, { priority: 'x' }, 'k'), 'priority');
  expectStatus(await server.api('POST', `/v1/agents/${id}/pause`), 200);
  expectProblem(await send(id, {}, 'k'), 409, 'agent_not_wakeable');
  expectStatus(await server.api('POST', `/v1/agents/${id}/resume`), 200);
  expectStatus(await send(id, { reason: 'now' }, 'k'), 202);
});

test('without a key every request is one of its own', async () => {
  const { id } = await newSleeper();
  await Promise.all([send(id), send(id), send(id)]);
  expect(await receipts(id)).toHaveLength(3);
});

test('fifty at once with one key are one wakeup', async () => {
  const agent = await registerAgent(server, companyId);
  const before = BigInt(await head(server));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      index % 2 ? send(agent.id, { reason: 'r' }, 'k') : send(agent.id, { reason: 'r', idempotencyKey: 'k' }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  expect(new Set(answers.map(({ body }) => body.wakeup.id)).size).toBe(1);
  expect(new Set(answers.map(({ body }) => body.run?.id)).size).toBe(1);
  expect(new Set(answers.map(({ body }) => body.position)).size).toBe(1);
  const [first] = answers;
  await untilFinal(server, first!.body.run!.id);
  expect(await receipts(agent.id)).toHaveLength(1);
  expect(BigInt(first!.body.position)).toBeGreaterThan(before);
});

test('fifty at once with one key and different requests are one wakeup and 49 refusals', async () => {
  const { id } = await newSleeper();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => send(id, { reason: `${index}` }, 'k')),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array<number>(49).fill(422)]);
  expect(await receipts(id)).toHaveLength(1);
});

test('a repetition shows what has become of the wakeup', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, `echo ready; ${gate.wait}`);
  const first = await wake(server, agent.id, { idempotencyKey: 'first' });
  await untilOutput(server, first.run!.id, 'ready');
  const waiting = await wake(server, agent.id, { idempotencyKey: 'waiting' });
  const merged = await wake(server, agent.id, { idempotencyKey: 'merged' });
  expect([waiting.wakeup.status, merged.wakeup.status]).toEqual(['deferred', 'coalesced']);
  expect(await wake(server, agent.id, { idempotencyKey: 'first' })).toMatchObject({
    wakeup: { id: first.wakeup.id, status: 'claimed', runId: first.run!.id, runStatus: 'running' },
    run: { id: first.run!.id, status: 'running' },
    position: first.position,
  });
  expect(await wake(server, agent.id, { idempotencyKey: 'waiting' })).toEqual(waiting);
  expect(await wake(server, agent.id, { idempotencyKey: 'merged' })).toEqual(merged);

  gate.open();
  await untilFinal(server, first.run!.id);
  const { runId } = await untilReleased(waiting.wakeup.id);
  await untilFinal(server, runId!);
  for (const [key, { wakeup, position }, status] of [
    ['first', first, 'completed'],
    ['waiting', waiting, 'completed'],
    ['merged', merged, 'coalesced'],
  ] as const) {
    const again = await wake(server, agent.id, { idempotencyKey: key });
    const expectedRun = key === 'first' ? first.run!.id : runId;
    expect(again).toMatchObject({
      wakeup: { id: wakeup.id, status, runId: expectedRun, runStatus: 'succeeded' },
      run: { id: expectedRun, status: 'succeeded' },
      position,
    });
  }
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});

async function untilReleased(wakeupId: string): Promise<Wakeup> {
  for (;;) {
    const wakeup = await get<Wakeup>(server, `/v1/wakeups/${wakeupId}`);
    if (wakeup.status !== 'deferred') return wakeup;
  }
}
