import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpAgent } from '../../support/http-agent';
import type { ReveilleProcess } from '../../support/reveille-process';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../../support/reveille-process';
import type { TestServer } from '../../support/server';
import { waitUntil } from '../../support/server';
import type { Page, RunEvent } from '../http/client';
import { ISO_TIME } from '../http/client';
import type { Run } from './http-agent-bench';
import { getRun, invoke, registerHttpAgent, runOver } from './http-agent-bench';

let agent: HttpAgent;

beforeAll(async () => {
  await ensureBuilt();
  agent = await HttpAgent.start();
}, BUILD_TIMEOUT_MS);
afterAll(async () => {
  await killCommands();
  await agent.close();
});

function clientOf({ url, dataDir }: ReveilleProcess): Pick<TestServer, 'api'> {
  const authorization = `Bearer ${readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()}`;
  const api = async (method: string, path: string, body?: unknown) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const sent = body === undefined ? null : JSON.stringify(body);
    const answer = await fetch(`${url}${path}`, { method, headers, body: sent });
    return { status: answer.status, body: await answer.json() };
  };
  return { api: api as unknown as TestServer['api'] };
}

test('after kill -9 a run is lost, with what it said and cost, and tried again', async () => {
  let asked = 0;
  const url = agent.on('/work', async (response) => {
    asked++;
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"type":"log","text":"half a job\\n"}\n{"type":"usage","costUsd":0.5}\n');
    if (asked === 1) await once(response, 'close');
    else response.end('{"type":"result","resultJson":"done"}\n');
  });
  const flags = ['--http-private-addresses', 'allow'];
  const before = await startReveille(flags);
  const client = clientOf(before);
  const { body: company } = await client.api<{ id: string }>('POST', '/v1/companies', { name: 'Initech' });
  const agentId = await registerHttpAgent(
    client,
    company.id,
    { url },
    { retry: { maxAttempts: 2, backoffSec: 1 } },
  );
  const runId = await invoke(client, agentId);
  await waitUntil(async () => (await getRun(client, runId)).costMicros === 500_000, 'its usage is booked');

  before.kill('SIGKILL');
  await before.exit;
  const after = clientOf(await startReveille([...flags, '--data-dir', before.dataDir]));

  expect(await runOver(after, runId)).toMatchObject({
    status: 'failed',
    errorCode: 'process_lost',
    error: 'Process lost -- server may have restarted',
    costMicros: 500_000,
    stdoutExcerpt: 'half a job\n',
  });
  const events = await after.api<Page<RunEvent>>('GET', `/v1/runs/${runId}/events?limit=1000`);
  expect(events.body.items.find(({ eventType }) => eventType === 'error')!.payload).toMatchObject({
    code: 'process_lost',
    signal: null,
    lease: { renewedAt: expect.stringMatching(ISO_TIME), backBy: null },
  });
  const path = `/v1/companies/${company.id}/runs?agentId=${agentId}&status=succeeded`;
  const retry = await waitUntil(
    async () => (await after.api<{ items: Run[] }>('GET', path)).body.items[0],
    'the retry has succeeded',
    15_000,
  );
  expect(retry).toMatchObject({ retryOfRunId: runId, attempt: 2, resultJson: 'done' });
  expect(asked).toBe(2);
}, 60_000);
