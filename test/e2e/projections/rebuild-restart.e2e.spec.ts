import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReveilleClient } from '../../../src/client';
import type { CompanyEvent } from '../../../src/companies/domain/company.events';
import { prepareLog } from '../../support/prepared-log';
import type { ReveilleProcess } from '../../support/reveille-process';
import { BUILD_TIMEOUT_MS, ensureBuilt, killCommands, startReveille } from '../../support/reveille-process';
import { waitUntil } from '../../support/server';
import { testWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { logIsEmbedded, NOT_EMBEDDED, WRITES_ARE_SLOW, writesAreQuick } from '../../support/world';

const EVENTS = 15_000;
const BATCH = 1_000;

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS);
afterAll(killCommands);

/** Price tables of 500 companies, changed again and again: only one projection has to do with them. */
function* priceChanges(): Generator<CompanyEvent[]> {
  for (let from = 0; from < EVENTS; from += BATCH) {
    yield Array.from({ length: BATCH }, (_, index) => ({
      type: 'PriceTableChanged' as const,
      data: { companyId: `company-${(from + index) % 500}`, prices: pricesOf(from + index) },
    }));
  }
}

function pricesOf(n: number) {
  const validFrom = '2025-01-01T00:00:00.000Z';
  const price = { provider: 'p', model: `m${n}`, validFrom };
  return [{ ...price, inputMicros: n, outputMicros: n, cachedInputMicros: n }];
}

function apiOf({ url, dataDir }: ReveilleProcess): ReveilleClient {
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return new ReveilleClient({ url, token });
}

async function pricesConsumer(api: ReveilleClient) {
  const { items } = await api.projections();
  return items.find(({ name }) => name === 'price_tables')!;
}

testWhen(logIsEmbedded && writesAreQuick, logIsEmbedded ? WRITES_ARE_SLOW : NOT_EMBEDDED)(
  'a rebuild that a kill -9 interrupts goes on where it was, as the same job',
  async () => {
    const dataDir = temporaryFolder();
    await prepareLog(dataDir, 'company-prepared', priceChanges());
    let server = await startReveille(['--data-dir', dataDir]);
    let api = apiOf(server);
    await waitUntil(
      async () => (await pricesConsumer(api)).lag === '0',
      'the live documents are there',
      30_000,
    );

    const { id, requestedAt } = await api.startProjectionJob('rebuild', 'price_tables');
    await waitUntil(async () => (await api.projectionJob(id)).events > 0, 'some of it has been built');
    server.kill('SIGKILL');
    await server.exit;

    server = await startReveille(['--data-dir', dataDir]);
    api = apiOf(server);
    const finished = await waitUntil(
      async () => {
        const job = await api.projectionJob(id);
        return job.finishedAt !== null && job;
      },
      'it has been finished',
      30_000,
    );
    expect(finished).toMatchObject({ kind: 'rebuild', status: 'succeeded', requestedAt });
    expect(finished.position).toBe((await pricesConsumer(api)).position);
    // Otherwise it was not interrupted, or has begun anew.
    expect(finished.events).toBeGreaterThan(0);
    expect(finished.events).toBeLessThan(EVENTS);

    const { id: comparison } = await api.startProjectionJob('compare', 'price_tables');
    const { result } = await waitUntil(async () => {
      const job = await api.projectionJob(comparison);
      return job.finishedAt !== null && job;
    }, 'it has been compared');
    expect(result).toMatchObject({ equal: true, documents: { live: 500, rebuilt: 500 } });
    server.kill('SIGTERM');
    expect((await server.exit).exitCode).toBe(0);
  },
  BUILD_TIMEOUT_MS,
);
