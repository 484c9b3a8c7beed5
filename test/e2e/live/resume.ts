import { killLiveClients, startLiveClient } from '../../support/live-client';
import type { TestServer } from '../../support/server';
import { startTestServer, waitUntil } from '../../support/server';
import { logIsEmbedded } from '../../support/world';
import type { Run } from '../http/client';
import { head, openCompany, registerAgent, shell, untilFinal, wake } from '../http/client';
import { hashOfOutput, positionsOnLog, readFeed } from './feed';

const CUTS = 25;
const PATIENCE_MS = 120_000;
const LINES = 'i=0; while [ $i -lt 12 ]; do echo "ä line $i"; echo "€ $i" >&2; i=$((i+1)); sleep 0.03; done';
/** No text, and more than a message holds. */
const BYTES = 'head -c 150000 /dev/urandom';

export interface ResumeStory {
  agents: number;
  runsEach: number;
  /** A connection breaks off after so many messages, at most. */
  cutWithin: number;
  atLeastMessages: number;
}

/**
 * Agents write while followers in processes of their own are cut off again and again. What these were told is compared
 * with the feed's pages, with the log itself, and with what the agents wrote.
 */
export async function resumeStory({
  agents,
  runsEach,
  cutWithin,
  atLeastMessages,
}: ResumeStory): Promise<void> {
  const server = await startTestServer({ maxRuns: 12 });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= server.close());
  try {
    const { id: companyId } = await openCompany(server);
    await registerAgent(server, (await openCompany(server, 'Other')).id);
    const options = { url: server.url, token: server.token, companyId, cuts: CUTS, cutWithin };
    const clients = (['socket', 'sse'] as const).map((kind) => startLiveClient({ kind, ...options }));
    const runs = await work(server, companyId, agents, runsEach);

    const expected = await readFeed(server, companyId);
    expect(expected.length).toBeGreaterThan(atLeastMessages);
    for (const client of clients) {
      await waitUntil(() => {
        if (client.errors !== '') throw new Error(client.errors);
        return client.messages.length >= expected.length;
      }, 'the follower has been told everything');
      expect(client.messages.map(({ cursor }) => cursor)).toEqual(expected.map(({ cursor }) => cursor));
      expect(client.messages).toEqual(expected);
      expect(client.cuts).toBeGreaterThanOrEqual(20);
    }
    for (const { id, logs } of runs) {
      for (const stream of ['stdout', 'stderr'] as const) {
        expect(await hashOfOutput(server, clients[0]!.messages, id, stream)).toBe(logs![stream].sha256);
      }
    }
    expect(server.errors).toEqual([]);

    await close();
    const told = [...new Set(expected.map(({ position }) => position))];
    if (logIsEmbedded) expect(told).toEqual(await positionsOnLog(server.dataDir, companyId));
    const [socket, sse] = clients.map(({ cuts }) => cuts);
    process.stdout.write(
      `${expected.length} messages of ${told.length} events, ${socket} cuts of the socket, ${sse} of the event stream\n`,
    );
  } finally {
    await killLiveClients();
    await close();
  }
}

async function work(server: TestServer, companyId: string, agents: number, runsEach: number): Promise<Run[]> {
  const heartbeat = { whenBusy: 'enqueue', maxConcurrentRuns: 2 };
  const runIds: string[] = [];
  for (let n = 0; n < agents; n += 1) {
    const adapterConfig = shell(n === 0 ? `${LINES}; ${BYTES}` : LINES);
    const agent = await registerAgent(server, companyId, { adapterConfig, heartbeat });
    for (let run = 0; run < runsEach; run += 1) runIds.push((await wake(server, agent.id)).run!.id);
  }
  const runs: Run[] = [];
  for (const runId of runIds) runs.push(await untilFinal(server, runId, PATIENCE_MS));
  expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(['succeeded']));
  await head(server);
  return runs;
}
