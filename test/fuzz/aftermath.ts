import pino from 'pino';
import { openBackends } from '../../src/backends';
import type { ConsumersAnswer, JobAnswer } from '../../src/client';
import { readConfig } from '../../src/config';
import { DataFolder } from '../../src/data-folder';
import type { StoredEvent } from '../../src/kernel/event';
import type { TestServer } from '../support/server';
import { waitUntil } from '../support/server';
import { worldSettings } from '../support/world';
import { caughtUp, expectStatus, get } from '../e2e/http/client';
import type { Verdicts } from './campaign';

/** What must be true of a server after all that. */

const PATIENCE_MS = 120_000;

/** Ends whatever still goes on. @param companyIds whose */
export async function calmDown(server: TestServer, companyIds: readonly string[]): Promise<void> {
  for (const id of companyIds) {
    expectStatus(await server.api('POST', `/v1/companies/${id}/pause`, undefined, OWN), 200);
  }
  await caughtUp(server, ({ runs }) => runs.active === 0, PATIENCE_MS);
  const isBusy = ({ items }: ConsumersAnswer) => items.some(({ job }) => job !== null);
  await waitUntil(
    async () => !isBusy(await get<ConsumersAnswer>(server, '/v1/admin/projections')),
    'no job goes on',
    PATIENCE_MS,
  );
}

/** Whose requests these are is on the log, too. */
const OWN = { 'x-request-id': 'calming-down' };

/** @returns which documents are not what the log makes of them */
export async function wrongDocuments(server: TestServer): Promise<string[]> {
  const { items } = await get<ConsumersAnswer>(server, '/v1/admin/projections');
  const wrong: string[] = [];
  for (const { name } of items.filter(({ kind }) => kind === 'projection')) {
    const path = `/v1/admin/projections/${name}/compare`;
    const { id } = expectStatus(await server.api<JobAnswer>('POST', path, undefined, OWN), 202);
    const job = await waitUntil(
      async () => {
        const seen = await get<JobAnswer>(server, `/v1/admin/jobs/${id}`);
        return seen.finishedAt !== null && seen;
      },
      `the documents of ${name} are compared`,
      PATIENCE_MS,
    );
    if (job.result?.equal !== true)
      wrong.push(`${name}: ${job.status}, ${JSON.stringify(job.result ?? job.error)}`);
  }
  return wrong;
}

/** @returns the consumers that have stopped, or fail */
export async function stoppedConsumers(server: TestServer): Promise<string[]> {
  const { items } = await get<ConsumersAnswer>(server, '/v1/admin/projections');
  return items
    .filter(({ status }) => status !== 'running')
    .map(({ name, stoppedBy }) => `${name}: ${stoppedBy}`);
}

export async function residentBytes(server: TestServer): Promise<number> {
  const { body } = await server.api<string>('GET', '/metrics');
  return Number(/^process_resident_memory_bytes(?:\{.*?\})? (\S+)/m.exec(body)![1]);
}

/**
 * What is on the log although nobody was told that it had been taken. Each event names the request that led to it, so
 * that one refusal with a consequence is found among thousands.
 *
 * @param dataDir of a server that has stopped
 * @param after where the campaign began
 */
export async function unaccountedEvents(
  dataDir: string,
  verdicts: Verdicts,
  after: bigint,
): Promise<string[]> {
  const unaccounted: string[] = [];
  for (const { position, type, stream, metadata } of await eventsOf(dataDir)) {
    const { correlationId, actor } = metadata;
    const verdict = verdicts.get(correlationId);
    if (position <= after || verdict?.wasAccepted || correlationId === OWN['x-request-id']) continue;
    const what = `${type} of ${stream} at ${position}`;
    if (verdict) unaccounted.push(`${what}: was refused\n  ${verdict.line}`);
    else if (actor.type === 'user')
      unaccounted.push(`${what}: by ${JSON.stringify(actor)}, as ${correlationId}`);
  }
  return unaccounted;
}

async function eventsOf(dataDir: string): Promise<StoredEvent[]> {
  const config = readConfig({ dataDir }, worldSettings(dataDir));
  const [folder, stop] = [DataFolder.open(dataDir), new AbortController()];
  const { log, documents } = await openBackends(config, folder, pino({ level: 'silent' }), stop.signal);
  try {
    const events: StoredEvent[] = [];
    const head = await log.head();
    for await (const { events: batch, reached } of log.follow({ after: 0n, signal: stop.signal })) {
      events.push(...batch);
      if (reached >= head) break;
    }
    return events;
  } finally {
    stop.abort();
    await log.close();
    await documents.close();
    folder.close();
  }
}
