import type { Answer, TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Run, Wakeup, Woken } from './client';
import {
  getAgent,
  getRun,
  getWakeup,
  head,
  listAll,
  openCompany,
  registerAgent,
  untilDecided,
  untilFinal,
} from './client';

const WAKEUPS = 1_000;
const CONNECTIONS = 50;
const PATIENCE_MS = 120_000;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** Sends so many wakeups, over as many connections as the service's clients keep open at once. */
async function storm(agentIds: string[]): Promise<Answer<Woken>[]> {
  const answers: Answer<Woken>[] = [];
  let sent = 0;
  const connection = async () => {
    while (sent < WAKEUPS) {
      const index = sent++;
      const path = `/v1/agents/${agentIds[index % agentIds.length]}/wakeups`;
      answers.push(await server.api<Woken>('POST', path, { reason: `${index}` }));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return answers;
}

test(
  'a thousand wakeups of one agent over fifty connections: each has one end, and no two runs overlap',
  async () => {
    const { id: companyId } = await openCompany(server);
    const agent = await registerAgent(server, companyId, {
      adapterConfig: { command: 'sleep', args: ['1'] },
    });

    const since = performance.now();
    const answers = await storm([agent.id]);
    process.stdout.write(`${WAKEUPS} wakeups taken in ${(performance.now() - since).toFixed(0)} ms\n`);
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    const ids = answers.map(({ body }) => body.wakeup.id);
    expect(new Set(ids).size).toBe(WAKEUPS);
    expect(new Set(answers.map(({ body }) => body.position)).size).toBe(WAKEUPS);

    const meanwhile = ['queued', 'claimed', 'coalesced', 'deferred', 'completed'];
    for (const id of ids) expect(meanwhile).toContain((await getWakeup(server, id)).status);
    const receipts = await listAll<Wakeup>(server, `/v1/agents/${agent.id}/wakeups`, 200);
    expect(new Set(receipts.map(({ id }) => id))).toEqual(new Set(ids));

    await head(server, PATIENCE_MS);
    const statuses: Record<string, number> = {};
    const standingFor = new Map<string, string[]>();
    for (const id of ids) {
      const { status, runId, runStatus } = await untilDecided(server, id);
      statuses[status] = (statuses[status] ?? 0) + 1;
      expect({ id, status, runId, runStatus }).toEqual({
        id,
        status: expect.stringMatching(/^(completed|coalesced)$/),
        runId: expect.any(String),
        runStatus: 'succeeded',
      });
      standingFor.set(runId!, [...(standingFor.get(runId!) ?? []), id]);
    }

    const runs = await listAll<Run>(server, `/v1/companies/${companyId}/runs`, 200);
    expect(new Set(runs.map(({ id }) => id))).toEqual(new Set(standingFor.keys()));
    expect(statuses).toEqual({ completed: runs.length, coalesced: WAKEUPS - runs.length });
    for (const run of runs) {
      expect(run).toMatchObject({ status: 'succeeded', exitCode: 0 });
      const wakeupIds = standingFor.get(run.id)!;
      expect(run.coalescedCount).toBe(wakeupIds.length - 1);
      expect(run.wakeupIds).toHaveLength(Math.min(100, wakeupIds.length));
      expect(wakeupIds).toEqual(expect.arrayContaining(run.wakeupIds));
      const { wakeups, wakeupsOmitted = 0 } = run.contextSnapshot as unknown as {
        wakeups: unknown[];
        wakeupsOmitted?: number;
      };
      expect(wakeups.length + wakeupsOmitted).toBe(wakeupIds.length);
    }
    expectNoOverlap(runs);
    expect(await getAgent(server, agent.id)).toMatchObject({ status: 'idle', activeRunIds: [] });
  },
  PATIENCE_MS,
);

test(
  'a thousand wakeups of forty agents: each has its run',
  async () => {
    const { id: companyId } = await openCompany(server);
    const agents: string[] = [];
    for (let i = 0; i < 40; i++) agents.push((await registerAgent(server, companyId)).id);
    const answers = await storm(agents);
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    await head(server, PATIENCE_MS);
    for (const { body } of answers) {
      const { status, runId } = await untilDecided(server, body.wakeup.id);
      expect(['completed', 'coalesced']).toContain(status);
      expect((await getRun(server, runId!)).agentId).toBe(body.wakeup.agentId);
    }
    const runs = await listAll<Run>(server, `/v1/companies/${companyId}/runs`, 200);
    for (const agentId of agents) {
      const own = runs.filter((run) => run.agentId === agentId);
      expect(own.length).toBeGreaterThan(0);
      expectNoOverlap(own);
    }
  },
  PATIENCE_MS,
);

test(
  'six hundred queued runs are all executed, one after the other',
  async () => {
    const { id: companyId } = await openCompany(server);
    const agent = await registerAgent(server, companyId, { heartbeat: { whenBusy: 'enqueue' } });
    const path = `/v1/agents/${agent.id}/wakeups`;
    const answers = await Promise.all(Array.from({ length: 600 }, () => server.api<Woken>('POST', path)));
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    const runs: Run[] = [];
    for (const { body } of answers) runs.push(await untilFinal(server, body.run!.id, PATIENCE_MS));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(600);
    expect(runs.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    expectNoOverlap(runs);
  },
  2 * PATIENCE_MS,
);

test('none of this was an error of the server', async () => {
  await head(server, PATIENCE_MS);
  expect(server.errors).toEqual([]);
});

function expectNoOverlap(runs: Run[]): void {
  const inOrder = [...runs].sort((a, b) => Date.parse(a.startedAt!) - Date.parse(b.startedAt!));
  for (const [index, run] of inOrder.slice(1).entries()) {
    expect(Date.parse(run.startedAt!)).toBeGreaterThanOrEqual(Date.parse(inOrder[index]!.finishedAt!));
  }
}
