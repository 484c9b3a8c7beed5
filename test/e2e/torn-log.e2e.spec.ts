import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUnusable } from '../../src/store-unusable';
import { startTestServer } from '../support/server';
import { describeWhen, testWhen } from '../support/skips';
import { tearOff } from '../support/torn-log';
import { allIsEmbedded, NOT_EMBEDDED } from '../support/world';
import type { Wakeup } from './http/client';
import {
  agentBody,
  caughtUp,
  expectProblem,
  expectStatus,
  Gate,
  head,
  openCompany,
  registerAgent,
  runOnce,
  shell,
  untilDecided,
  untilFinal,
  untilRunning,
  wake,
} from './http/client';

/** A data folder with one agent and one run that is over; `torn` is the wakeup of a second one. */
async function usedFolder() {
  const server = await startTestServer();
  try {
    const { id: companyId } = await openCompany(server);
    const agent = await registerAgent(server, companyId, agentBody());
    await runOnce(server, agent.id);
    const kept = await head(server);
    const { wakeup } = await wake(server, agent.id);
    await untilDecided(server, wakeup.id);
    await head(server);
    return { dataDir: server.dataDir, agentId: agent.id, kept, torn: wakeup };
  } finally {
    await server.close();
  }
}

const TORN = [
  ['the log', ['log.db']],
  ['the log and the output', ['log.db', 'runlog.db']],
] as const;

describeWhen(allIsEmbedded, NOT_EMBEDDED)('a server whose disk has lost the end', () => {
  test.each(TORN)('of %s goes on with what is left', async (_name, files) => {
    const { dataDir, agentId, kept, torn } = await usedFolder();
    tearOff(dataDir, kept, files);

    const server = await startTestServer({ dataDir });
    try {
      expectProblem(await server.api<Wakeup>('GET', `/v1/wakeups/${torn.id}`), 404, 'wakeup_not_found');
      for (let count = 0; count < 3; count++) {
        const { wakeup } = await wake(server, agentId);
        expect(await untilDecided(server, wakeup.id)).toMatchObject({ status: 'completed' });
      }
      expect(server.errors).toEqual([]);
    } finally {
      await server.close();
    }
  });
});

testWhen(allIsEmbedded, NOT_EMBEDDED)(
  'sagas that see everything again do not end what was started after an old pause',
  async () => {
    const gate = new Gate();
    const server = await startTestServer();
    const { id: companyId } = await openCompany(server);
    const agent = await registerAgent(server, companyId, { adapterConfig: shell(`${gate.wait}; echo done`) });
    expectStatus(await server.api('POST', `/v1/companies/${companyId}/pause`), 200);
    expectStatus(await server.api('POST', `/v1/companies/${companyId}/resume`), 200);
    const { run } = await wake(server, agent.id);
    await untilRunning(server, run!.id);
    await server.close();
    rmSync(join(server.dataDir, 'stores', 'durable.db'));

    const again = await startTestServer({ dataDir: server.dataDir });
    try {
      await caughtUp(again);
      gate.open();
      expect(await untilFinal(again, run!.id)).toMatchObject({ status: 'succeeded', endCause: null });
    } finally {
      gate.open();
      await again.close();
    }
  },
);

test.each(['log.db', 'runlog.db'])('a server whose %s is empty is not started anew', async (file) => {
  const { dataDir } = await usedFolder();
  truncateSync(join(dataDir, 'stores', file), 0);
  const before = fingerprints(dataDir);

  await expect(startTestServer({ dataDir })).rejects.toThrow(StoreUnusable);

  expect(fingerprints(dataDir)).toEqual(before);
});

function fingerprints(dataDir: string): Record<string, string> {
  const stores = join(dataDir, 'stores');
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(stores, name)))
      .digest('hex');
  return Object.fromEntries(readdirSync(stores).map((name) => [name, hash(name)]));
}
