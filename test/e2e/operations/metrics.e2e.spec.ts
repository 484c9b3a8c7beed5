import { metricTable } from '../../../src/metrics/metric-table';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';

let server: TestServer;
let companyId: string;

beforeAll(async () => {
  server = await startTestServer({ maxRuns: 2 });
  const { body } = await server.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  companyId = body.id;
});
afterAll(() => server.close());

async function scrape(): Promise<Map<string, number>> {
  const { status, headers, body } = await server.api<string>('GET', '/metrics');
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => {
      const [, name, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      return [name!, Number(value)];
    }),
  );
}

const untilMetric = (name: string, value: number) =>
  waitUntil(async () => (await scrape()).get(name) === value || null, `${name} is ${value}`);

async function agentOf(script: string): Promise<string> {
  const adapterConfig = { command: 'sh', args: ['-c', script] };
  const agent = { name: 'Ada', adapterType: 'process', adapterConfig };
  const { body } = await server.api<{ id: string }>('POST', `/v1/companies/${companyId}/agents`, agent);
  return body.id;
}

test('need a token', async () => {
  expect((await server.api('GET', '/metrics', undefined, { authorization: undefined })).status).toBe(401);
});

test('are all described, and all there', async () => {
  const { body } = await server.api<string>('GET', '/metrics');
  for (const [name, { kind, help }] of Object.entries(metricTable)) {
    expect(body).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`);
  }
  expect([...body.matchAll(/^# TYPE/gm)]).toHaveLength(Object.keys(metricTable).length);
});

test('are at 0 before the first of a kind, so that it is seen as an increase', async () => {
  const metrics = await scrape();
  for (const name of [
    'reveille_wakeup_decisions_total{decision="skipped"}',
    'reveille_runs_finished_total{status="failed",error_code="process_lost"}',
    'reveille_runs_finished_total{status="timed_out",error_code="silence_timeout"}',
    'reveille_budget_events_total{scope="company",event="exceeded"}',
    'reveille_refusals_total{code="internal"}',
    'reveille_append_seconds_count{result="failed"}',
  ]) {
    expect([name, metrics.get(name)]).toEqual([name, 0]);
  }
});

test('say of the process that it was restarted only where it was', async () => {
  const startedAt = async () => (await scrape()).get('process_start_time_seconds');
  const first = await startedAt();
  expect(Math.abs(first! - (Date.now() / 1_000 - process.uptime()))).toBeLessThan(60);
  for (let time = 0; time < 3; time++) expect(await startedAt()).toBe(first);
});

test('count what happens, by events and at the edges', async () => {
  const agentId = await agentOf(
    'printf \'{"costUsd": 0.25, "usage": {"inputTokens": 7}}\' > "$REVEILLE_RESULT_FILE"',
  );
  await server.api('POST', `/v1/agents/${agentId}/invoke`, {});
  await untilMetric('reveille_runs_finished_total{status="succeeded",error_code="none"}', 1);
  await server.api('GET', '/v1/runs/nobody');
  await untilMetric('reveille_refusals_total{code="run_not_found"}', 1);
  const metrics = await scrape();
  expect(metrics.get('reveille_wakeups_requested_total{source="on_demand"}')).toBe(1);
  expect(metrics.get('reveille_wakeup_decisions_total{decision="queued"}')).toBe(1);
  expect(metrics.get('reveille_runs_started_total')).toBe(1);
  expect(metrics.get('reveille_wake_to_start_seconds_count')).toBe(1);
  expect(metrics.get('reveille_cost_micros_total{source="reported"}')).toBe(250_000);
  expect(metrics.get('reveille_tokens_total{kind="input"}')).toBe(7);
  expect(metrics.get('reveille_append_seconds_count{result="ok"}')).toBeGreaterThan(3);
  expect(metrics.get('reveille_refusals_total{code="unauthorized"}')).toBe(1);
  expect(metrics.get('reveille_data_folder_free_bytes')).toBeGreaterThan(0);
  expect(metrics.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(metrics.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(metrics.get('reveille_consumer_ill{consumer="runs",kind="projection"}')).toBe(0);
  const ids = [...metrics.keys()].filter((name) => name.includes(agentId) || /[0-9a-f]{8}-/.test(name));
  expect(ids).toEqual([]);
});

test('show what is running and what waits', async () => {
  const agents = await Promise.all([1, 2, 3].map(() => agentOf('read _ < /dev/zero || sleep 600')));
  const runs = await Promise.all(
    agents.map((id) => server.api<{ run: { id: string } }>('POST', `/v1/agents/${id}/invoke`, {})),
  );
  await untilMetric('reveille_active_runs', 2);
  await untilMetric('reveille_queue_depth', 1);
  expect((await scrape()).get('reveille_max_runs')).toBe(2);
  for (const { body } of runs) await server.api('POST', `/v1/runs/${body.run.id}/cancel`);
  await untilMetric('reveille_active_runs', 0);
  await untilMetric('reveille_runs_finished_total{status="cancelled",error_code="cancelled"}', 3);
});

test('are those of one node', async () => {
  const other = await startTestServer();
  try {
    const { body } = await other.api<string>('GET', '/metrics');
    expect(body).toContain('reveille_runs_started_total 0\n');
  } finally {
    await other.close();
  }
});
