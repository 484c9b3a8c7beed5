import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenApiDocument } from '../../src/openapi/openapi-document';
import { disconnectClients } from '../support/access';
import { Dice } from '../support/dice';
import { closeLiveSockets } from '../support/live-socket';
import { startReveille } from '../support/reveille-process';
import type { TestServer } from '../support/server';
import { apiOf } from '../support/server';
import { expectStatus, get } from '../e2e/http/client';
import { calmDown, residentBytes, stoppedConsumers, unaccountedEvents, wrongDocuments } from './aftermath';
import { Campaign } from './campaign';
import { LiveCampaign } from './live-campaign';

/** What a server may take that keeps nothing of what it was sent: about twice what it has without any load. */
const MOST_BYTES = 700 * 1024 * 1024;
/** The routes that have not succeeded by then get so many requests more, in rounds. */
const ROUNDS = 12;
const ROUND = 250;
const SHOWN = 15;

/** No request of any route can succeed without what the suite cannot have. By operation, with the reason. */
const cannotSucceed: Readonly<Record<string, string>> = {};

export interface FuzzSize {
  seed: number;
  requests: number;
  liveMessages: number;
}

/** Sends all that to a server of its own, and checks what is left of it. */
export async function expectToStand({ seed, requests, liveMessages }: FuzzSize): Promise<void> {
  const again = `REVEILLE_FUZZ_SEED=${seed}`;
  process.stderr.write(`fuzz: ${requests} requests, ${again}\n`);
  const child = await startReveille([
    ...['--http-private-addresses', 'allow', '--rate-limit', '0', '--max-runs', '8', '--log-level', 'error'],
  ]);
  const token = readFileSync(join(child.dataDir, 'admin-token'), 'utf8').trim();
  const { api, disconnect } = apiOf(child.url, token);
  const server: TestServer = {
    ...{ url: child.url, dataDir: child.dataDir, token, api, errors: [] },
    close: async () => {
      disconnect();
      child.kill('SIGTERM');
      await child.exit;
    },
  };
  const campaign = await Campaign.begin(server, seed);
  const { head } = (await get<{ eventLog: { head: string } }>(server, '/health/ready')).eventLog;
  const { body: document } = await api<OpenApiDocument>('GET', '/openapi.json');
  const live = new LiveCampaign(server, campaign.known, document, new Dice(seed));
  try {
    await Promise.all([campaign.send(requests), live.send(liveMessages)]);
    for (let round = 0; round < ROUNDS && unseen(campaign).length > 0; round += 1) await campaign.send(ROUND);
    expectNothing('answers', campaign.wrongs, again);
    expectNothing('answers on the socket', live.wrongs, again);
    expectNothing('routes that never answered with 2xx', unseen(campaign), again);
    expect(await live.follow()).toBeGreaterThan(0);
    await expectGoodHealth(server, campaign, again);
  } finally {
    // No process of an agent is to be left behind, whatever else has failed.
    await calmDown(server, campaign.known.all('companyId')).catch(() => undefined);
    await campaign.end();
    closeLiveSockets();
    disconnectClients();
    await server.close();
  }
  const { exitCode, signal, stderr } = await child.exit;
  expect({ again, exitCode, signal, stderr }).toEqual({ again, exitCode: 0, signal: null, stderr: '' });
  const unaccounted = await unaccountedEvents(child.dataDir, campaign.verdicts, BigInt(head));
  expectNothing('changes that nobody was told of', unaccounted, again);
}

function unseen(campaign: Campaign): string[] {
  return campaign.neverSucceeded.filter((id) => !(id in cannotSucceed));
}

async function expectGoodHealth(server: TestServer, { known }: Campaign, again: string): Promise<void> {
  await calmDown(server, known.all('companyId'));
  expectNothing('projections and sagas that have stopped', await stoppedConsumers(server), again);
  expectNothing('documents that are not what the log makes of them', await wrongDocuments(server), again);
  expect(await get(server, '/v1/audit/verify')).toMatchObject({ ok: true, findings: 0 });
  expectStatus(await server.api('GET', '/health/live'), 200);
  expect(await get(server, '/health/ready')).toMatchObject({ status: 'ok', ill: [] });
  expect(await residentBytes(server)).toBeLessThan(MOST_BYTES);
}

/** Fails with all that was found, and with what throws the same dice again. */
function expectNothing(what: string, found: readonly string[], again: string): void {
  if (found.length === 0) return;
  const more = found.length > SHOWN ? `\n… and ${found.length - SHOWN} more` : '';
  throw new Error(`${again}: ${what}:\n${found.slice(0, SHOWN).join('\n')}${more}`);
}
