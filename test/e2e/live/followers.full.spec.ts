import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeLiveSockets, connectLive } from '../../support/live-socket';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../../support/reveille-process';
import type { TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';

const RUNS = 50;
const LINES = 100;
const ALLOWED_P99_MS = 2_000;

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterAll(async () => {
  closeLiveSockets();
  await killCommands();
});

interface Ready {
  eventLog: { head: string };
  runs: { active: number; waiting: number };
}

function residentMb(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)![1]);
  return { now: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 };
}

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

test('200 followers while 50 runs write: all are told everything, soon', async () => {
  const reveille = await startReveille(['--max-runs', `${RUNS}`]);
  const token = readFileSync(join(reveille.dataDir, 'admin-token'), 'utf8').trim();
  const call = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${reveille.url}${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as Record<string, unknown> & { id: string };
  };
  const { id: companyId } = await call('POST', '/v1/companies', { name: 'Acme' });
  const script = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done`;
  const agents: string[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    const adapterConfig = { command: '/bin/sh', args: ['-c', script] };
    const body = { name: `a${n}`, adapterType: 'process', adapterConfig };
    agents.push((await call('POST', `/v1/companies/${companyId}/agents`, body)).id);
  }
  const idle = residentMb(reveille.pid).now;
  const target = { url: reveille.url, token } as TestServer;
  const scopes = [
    ...Array.from({ length: 140 }, () => ({ companyId })),
    ...agents.map((agentId) => ({ agentId, logs: true })),
    ...Array.from({ length: 10 }, () => ({ companyId, logs: true })),
  ];
  const delays: number[] = [];
  const followers = await Promise.all(
    scopes.map(async (scope) => {
      const live = await connectLive(target, { transports: ['websocket'] });
      live.socket.onAny((_type: string, message: { at: string }) => {
        delays.push(Date.now() - Date.parse(message.at));
      });
      const { position } = await live.ask('subscribe', scope);
      return { live, scope, from: BigInt(position as string) };
    }),
  );
  const runIds: string[] = [];
  for (const agentId of agents) {
    const woken = await call('POST', `/v1/agents/${agentId}/wakeups`, {});
    runIds.push((woken.run as { id: string }).id);
  }
  const isOver = async (runId: string) => (await call('GET', `/v1/runs/${runId}`)).status === 'succeeded';
  for (const runId of runIds) await waitUntil(() => isOver(runId), `run ${runId} is over`, 120_000);

  const pages = async (query: string) => {
    const cursors: string[] = [];
    for (let after: unknown = '0'; after !== null;) {
      const page = await call(
        'GET',
        `/v1/companies/${companyId}/events?limit=1000&after=${after as string}${query}`,
      );
      cursors.push(...(page.items as { cursor: string }[]).map(({ cursor }) => cursor));
      after = page.nextCursor;
    }
    return cursors;
  };
  const isQuiet = async () => {
    const { runs, eventLog } = (await call('GET', '/health/ready')) as unknown as Ready;
    const active = runs.active + runs.waiting;
    return active === 0 && eventLog.head;
  };
  await waitUntil(isQuiet, 'nothing goes on any more');
  const expected = new Map<string, string[]>();
  for (const { live, scope, from } of followers) {
    const key = 'agentId' in scope ? `&agentId=${scope.agentId}&logs=true` : `&logs=${'logs' in scope}`;
    if (!expected.has(key)) {
      expected.set(key, await pages(key));
    }
    const later = expected.get(key)!.filter((cursor) => BigInt(cursor.split('.')[0]!) > from);
    await waitUntil(() => live.messages.length >= later.length, 'the follower has been told everything');
    expect(live.messages.map(({ cursor }) => cursor)).toEqual(later);
    expect(later.length).toBeGreaterThan(5);
  }
  delays.sort((a, b) => a - b);
  const memory = residentMb(reveille.pid);
  process.stdout.write(
    `${delays.length} deliveries: p50 ${percentile(delays, 0.5)} ms, p99 ${percentile(delays, 0.99)} ms, ` +
      `at most ${delays.at(-1)} ms; memory ${idle.toFixed(0)} MB before, at most ${memory.peak.toFixed(0)} MB\n`,
  );
  expect(percentile(delays, 0.99)).toBeLessThan(ALLOWED_P99_MS);
}, 240_000);
