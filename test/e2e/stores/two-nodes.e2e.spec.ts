import { randomUUID } from 'node:crypto';
import type { EventstoredbDouble } from '../../support/eventstoredb/double';
import { startEventstoredbDouble } from '../../support/eventstoredb/double';
import { REAL_NODE } from '../../support/eventstoredb/node';
import type { MongodbServer } from '../../support/mongodb';
import { MONGODB_MISSING, mongodbIsThere, startMongodb } from '../../support/mongodb';
import type { ReveilleProcess } from '../../support/reveille-process';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';

interface Run {
  id: string;
  agentId: string;
  status: string;
  nodeId: string | null;
}

describeWhen(mongodbIsThere, MONGODB_MISSING)('two nodes on one EventStoreDB and one MongoDB', () => {
  let eventstoredb: EventstoredbDouble | null;
  let mongodb: MongodbServer;
  let flags: string[];

  beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);

  beforeEach(async () => {
    eventstoredb = REAL_NODE ? null : await startEventstoredbDouble();
    mongodb = await startMongodb(temporaryFolder());
    flags = [
      ...['--auth', 'none', '--namespace', `test-${randomUUID().slice(0, 8)}`],
      ...['--event-log', 'eventstoredb', '--eventstoredb-url', REAL_NODE ?? eventstoredb!.url],
      ...['--documents', 'mongodb', '--mongodb-url', mongodb.database()],
    ];
  });

  afterEach(async () => {
    await killCommands();
    await mongodb.stop();
    await eventstoredb?.stop();
  });

  async function ask<Body>(
    { url }: ReveilleProcess,
    method: string,
    path: string,
    body?: object,
  ): Promise<Body> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Body;
  }

  async function register(node: ReveilleProcess, companyId: string, name: string): Promise<string> {
    const agent = { name, adapterType: 'process', adapterConfig: { command: 'true' } };
    return (await ask<{ id: string }>(node, 'POST', `/companies/${companyId}/agents`, agent)).id;
  }

  async function wake(node: ReveilleProcess, agentId: string): Promise<Run> {
    return (await ask<{ run: Run }>(node, 'POST', `/agents/${agentId}/wakeups`, {})).run;
  }

  /** As a node sees it, when it is over. */
  async function ended(node: ReveilleProcess, { id }: Run): Promise<Run> {
    return waitUntil(
      async () => {
        const run = await ask<Run>(node, 'GET', `/runs/${id}`);
        return ['queued', 'running'].includes(run.status) ? null : run;
      },
      `run ${id} is over`,
      30_000,
    );
  }

  test('an agent stays on the node that it ran on first, until its policy lets it go', async () => {
    const first = await startReveille(flags);
    const { id: companyId } = await ask<{ id: string }>(first, 'POST', '/companies', { name: 'Acme' });
    const agentId = await register(first, companyId, 'at home on the first');
    const { status, nodeId: home } = await ended(first, await wake(first, agentId));
    expect(status).toBe('succeeded');

    const second = await startReveille(flags);
    for (const node of [second, first, second, first]) {
      const run = await wake(node, agentId);
      for (const other of [first, second]) {
        expect(await ended(other, run)).toMatchObject({ status: 'succeeded', nodeId: home });
      }
    }

    first.kill('SIGKILL');
    await first.exit;
    const waiting = await wake(second, agentId);
    const another = await ended(second, await wake(second, await register(second, companyId, 'another')));
    expect(another.status).toBe('succeeded');
    expect(another.nodeId).not.toBe(home);
    expect(await ask<Run>(second, 'GET', `/runs/${waiting.id}`)).toMatchObject({ status: 'queued' });

    const letGo = { runtimeConfig: { heartbeat: { placement: 'any' } } };
    await ask(second, 'PATCH', `/agents/${agentId}`, letGo);
    const moved = { status: 'succeeded', nodeId: another.nodeId };
    expect(await ended(second, waiting)).toMatchObject(moved);
    await ask(second, 'PATCH', `/agents/${agentId}`, {
      runtimeConfig: { heartbeat: { placement: 'node' } },
    });
    expect(await ended(second, await wake(second, agentId))).toMatchObject(moved);
  }, 120_000);
});
