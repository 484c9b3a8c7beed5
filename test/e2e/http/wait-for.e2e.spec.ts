import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Company, Page, Run, Wakeup } from './client';
import {
  agentBody,
  expectBadField,
  expectProblem,
  expectStatus,
  Gate,
  get,
  getAgent,
  head,
  openCompany,
  registerAgent,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;
let company: Company;
let agent: Agent;
let wakeupId: string;
let runId: string;

beforeAll(async () => {
  server = await startTestServer();
  company = await openCompany(server);
  agent = await registerAgent(server, company.id);
  const { wakeup, run } = await wake(server, agent.id);
  wakeupId = wakeup.id;
  runId = (await untilFinal(server, run!.id)).id;
});
afterAll(() => server.close());

const reads = (): string[] => [
  `/v1/companies/${company.id}`,
  `/v1/companies/${company.id}/agents`,
  `/v1/companies/${company.id}/runs`,
  `/v1/agents/${agent.id}`,
  `/v1/agents/${agent.id}/wakeups`,
  `/v1/agents/${agent.id}/runtime-state`,
  `/v1/agents/${agent.id}/active-run`,
  `/v1/wakeups/${wakeupId}`,
  `/v1/runs/${runId}`,
  `/v1/runs/${runId}/events`,
  `/v1/runs/${runId}/log`,
];

describe('a read that names the position of a write sees it at once', () => {
  test('companies, agents and their changes', async () => {
    for (let i = 0; i < 20; i++) {
      const path = `/v1/companies/${company.id}/agents`;
      const registered = await server.api<Agent>('POST', path, { ...agentBody(), name: `A${i}` });
      const seen = await getAgent(server, registered.body.id, position(registered));
      expect(seen.name).toBe(`A${i}`);
      const changed = await server.api<Agent>('PATCH', `/v1/agents/${seen.id}`, { name: `B${i}` });
      expect((await getAgent(server, seen.id, position(changed))).name).toBe(`B${i}`);
      const paused = await server.api<Agent>('POST', `/v1/agents/${seen.id}/pause`);
      const list = await get<Page<Agent>>(
        server,
        `${path}?status=paused&waitFor=${position(paused)}&limit=200`,
      );
      expect(list.items.map(({ id }) => id)).toContain(seen.id);
    }
  });

  test('wakeups and runs', async () => {
    for (let i = 0; i < 20; i++) {
      const answer = await wake(server, agent.id, { reason: `${i}` });
      const waitFor = `waitFor=${answer.position}`;
      const receipts = await get<Page<Wakeup>>(server, `/v1/agents/${agent.id}/wakeups?${waitFor}&limit=200`);
      expect(receipts.items.map(({ id }) => id)).toContain(answer.wakeup.id);
      if (answer.run === null) continue;
      const runs = await get<Page<Run>>(server, `/v1/companies/${company.id}/runs?${waitFor}&limit=200`);
      expect(runs.items.map(({ id }) => id)).toContain(answer.run.id);
      const events = await get<Page<{ message: string }>>(
        server,
        `/v1/runs/${answer.run.id}/events?${waitFor}`,
      );
      expect(events.items[0]).toMatchObject({ message: 'run queued' });
    }
    await head(server);
  });
});

test('a position that was reached long ago costs nothing', async () => {
  for (const path of reads()) {
    for (const waitFor of ['0', '1', '0001']) {
      expectStatus(await server.api('GET', `${path}?waitFor=${waitFor}`), 200);
    }
  }
});

test('a position past the head is refused, and names the head', async () => {
  const before = await head(server);
  for (const path of reads()) {
    for (const past of [`${BigInt(before) + 1n}`, '9223372036854775807', '9999999999999999999']) {
      const problem = expectProblem(
        await server.api('GET', `${path}?waitFor=${past}`),
        400,
        'position_past_head',
      );
      expect(problem.details).toMatchObject({ waitFor: past, head: before });
    }
  }
});

test('what is no position is refused', async () => {
  for (const path of reads()) {
    for (const garbage of ['soon', '-1', '', '1.5', '1e3', '0x1', '%20', '1 2', '9'.repeat(50), '١']) {
      expectBadField(await server.api('GET', `${path}?waitFor=${encodeURIComponent(garbage)}`), 'waitFor');
    }
  }
});

test('the raw log takes it as well', async () => {
  const path = `/v1/runs/${runId}/log`;
  const accept = { accept: 'text/plain' };
  expectStatus(await server.api('GET', `${path}?waitFor=1`, undefined, accept), 200);
  expectBadField(await server.api('GET', `${path}?waitFor=soon`, undefined, accept), 'waitFor');
  const past = await server.api('GET', `${path}?waitFor=9223372036854775807`, undefined, accept);
  expectProblem(past, 400, 'position_past_head');
});

describe('a write that does not concern what is read', () => {
  test('is waited for, and not for long', async () => {
    const slowest = { path: '', ms: 0 };
    for (const path of reads()) {
      const written = await server.api('POST', '/v1/companies', { name: 'Elsewhere' });
      const since = performance.now();
      expectStatus(await server.api('GET', `${path}?waitFor=${position(written)}`), 200);
      const ms = performance.now() - since;
      if (ms > slowest.ms) Object.assign(slowest, { path, ms });
    }
    process.stdout.write(`slowest read after a write elsewhere: ${slowest.ms.toFixed(1)} ms\n`);
    expect(slowest.ms).toBeLessThan(1_000);
  });

  test('nor where only output was written', async () => {
    const gate = new Gate();
    const writer = await scriptedAgent(server, `seq 1 2000; echo done; ${gate.wait}`);
    const { run } = await wake(server, writer.id);
    await untilOutput(server, run!.id, 'done');
    const { eventLog } = await get<{ eventLog: { head: string } }>(server, '/health/ready');
    const since = performance.now();
    await getAgent(server, agent.id, eventLog.head);
    expect(performance.now() - since).toBeLessThan(1_000);
    gate.open();
    await untilFinal(server, run!.id);
  });
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});

function position({ headers }: { headers: Record<string, unknown> }): string {
  expect(headers['reveille-position']).toMatch(/^[1-9]\d*$/);
  return headers['reveille-position'] as string;
}
