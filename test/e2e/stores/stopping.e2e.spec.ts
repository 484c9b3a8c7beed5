import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { Backends } from '../../../src/backends';
import { openBackends } from '../../../src/backends';
import type { JobAnswer, ReadyView } from '../../../src/client';
import { environmentForAgents, readConfig } from '../../../src/config';
import { LogUnavailable } from '../../../src/event-log/event-log';
import { orAborted } from '../../../src/kernel/pause';
import { startServer } from '../../../src/server';
import { ailingDocuments } from '../../support/ailing-documents';
import { ObservedLog } from '../../support/observed-log';
import type { TestServer } from '../../support/server';
import { apiOf, startTestServer, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { worldSettings } from '../../support/world';
import { expectStatus, get, head, scriptedAgent, wake } from '../http/client';

/** A server that is told to stop does so, whatever its stores do. */

const SOON_MS = 8_000;

/** @param between what is put between the server and its stores */
async function start(
  dataDir: string,
  between: (stores: Backends) => Backends,
  stop?: AbortSignal,
): Promise<TestServer> {
  const errors: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
  const config = readConfig({ host: '127.0.0.1', port: '0', dataDir }, worldSettings(dataDir));
  const opened = async (...args: Parameters<typeof openBackends>) => between(await openBackends(...args));
  const server = await startServer(config, environmentForAgents(), logger, opened, { stop });
  const { api, disconnect } = apiOf(server.url, server.adminToken);
  const close = async () => {
    disconnect();
    await inTime(server.close());
  };
  return { url: server.url, token: server.adminToken, dataDir, errors, api, close };
}

function inTime<T>(promise: Promise<T>): Promise<T> {
  return orAborted(promise, AbortSignal.timeout(SOON_MS));
}

test('checkpoints of sagas that cannot be stored are not tried again after the stop', async () => {
  let isAway = false;
  let attempts = 0;
  const server = await start(temporaryFolder(), ({ documents, ...stores }) => ({
    ...stores,
    documents: ailingDocuments(documents, (name) => isAway && name === 'saga_checkpoints', {
      afterMs: 300,
      onWrite: ({ checkpoint }) => {
        if (isAway && checkpoint.name === 'saga:execution') attempts += 1;
        // The next one is to be stored a moment later.
        isAway ||= checkpoint.name === 'saga:execution';
      },
    }),
  }));
  const agent = await scriptedAgent(server, 'true', { heartbeat: { whenBusy: 'enqueue' } });
  await Promise.all(Array.from({ length: 10 }, () => wake(server, agent.id)));
  await waitUntil(() => attempts > 0, 'a checkpoint could not be stored');
  await server.close();
  const before = attempts;
  await sleep(1_000);
  expect(attempts).toBe(before);
  expect(server.errors).toEqual([]);
});

test('a comparison that waits for a read model which cannot be stored is cancelled, and ends with the server', async () => {
  let isAway = false;
  const isLive = (name: string) => name.startsWith('runs_v') && !name.endsWith('_compared');
  const server = await start(temporaryFolder(), ({ documents, ...stores }) => ({
    ...stores,
    documents: ailingDocuments(documents, (name) => isAway && isLive(name)),
  }));
  const agent = await scriptedAgent(server, 'true');
  await head(server);
  isAway = true;
  await wake(server, agent.id);
  const ready = async () => (await server.api<ReadyView>('GET', '/health/ready')).body;
  await waitUntil(async () => (await ready()).ill.includes('runs'), 'the read model cannot be stored');

  const compare = async () => {
    const path = '/v1/admin/projections/runs/compare';
    const { id } = expectStatus(await server.api<JobAnswer>('POST', path), 202);
    const job = () => get<JobAnswer>(server, `/v1/admin/jobs/${id}`);
    await waitUntil(async () => (await job()).status === 'running', 'it goes on');
    return { id, job };
  };
  const first = await compare();
  expectStatus(await server.api('POST', `/v1/admin/jobs/${first.id}/cancel`), 200);
  await waitUntil(async () => (await first.job()).status === 'cancelled', 'it is cancelled');
  await compare();
  await server.close();
  expect(server.errors).toEqual([]);
});

test('a start that waits for the log is broken off', async () => {
  const first = await startTestServer();
  await scriptedAgent(first, 'true');
  await first.close();
  const stop = new AbortController();
  let isAsked = false;
  const starting = start(
    first.dataDir,
    ({ log, ...stores }) => {
      const away = new ObservedLog(log);
      away.onFollow = () => {
        isAsked = true;
        throw new LogUnavailable('not now');
      };
      return { ...stores, log: away, upkeep: null };
    },
    stop.signal,
  );
  starting.catch(() => undefined);
  await waitUntil(() => isAsked, 'it waits for the log');
  stop.abort(new Error('stop it'));
  await expect(inTime(starting)).rejects.toThrow('stop it');
});
