import { StoreUnusable } from '../../../src/store-unusable';
import type { MongodbServer } from '../../support/mongodb';
import { MONGODB_MISSING, mongodbIsThere, startMongodb } from '../../support/mongodb';
import { startTestServer } from '../../support/server';
import { describeWhen } from '../../support/skips';
import { temporaryFolder } from '../../support/temporary-folder';
import { tearOff } from '../../support/torn-log';
import { agentBody, head, openCompany, registerAgent, runOnce } from '../http/client';

describeWhen(mongodbIsThere, MONGODB_MISSING)('documents on MongoDB, the event log on this machine', () => {
  let mongodb: MongodbServer;

  beforeAll(async () => {
    mongodb = await startMongodb(temporaryFolder());
  });
  afterAll(() => mongodb.stop());

  const start = (dataDir: string, mongodbUrl: string) =>
    startTestServer({ dataDir, settings: { eventLog: 'embedded', documents: 'mongodb', mongodbUrl } });

  /** A data folder with one agent and a run that is over; `before` is where the log ended when the agent was new. */
  async function usedFolder(url: string) {
    const server = await start(temporaryFolder(), url);
    try {
      const { id: companyId } = await openCompany(server);
      const agent = await registerAgent(server, companyId, agentBody());
      const before = await head(server);
      await runOnce(server, agent.id);
      await head(server);
      return { dataDir: server.dataDir, agentId: agent.id, before };
    } finally {
      await server.close();
    }
  }

  test('a log that has lost its end is not gone on with, but with another database it is', async () => {
    const url = mongodb.database();
    const { dataDir, agentId, before } = await usedFolder(url);
    tearOff(dataDir, before, ['log.db', 'runlog.db']);

    const refused = await start(dataDir, url).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(StoreUnusable);
    expect((refused as Error).message).toContain(`this log ends at ${before}: `);
    const again = await start(dataDir, mongodb.database());
    try {
      expect(await runOnce(again, agentId)).toMatchObject({ status: 'succeeded' });
      expect(again.errors).toEqual([]);
    } finally {
      await again.close();
    }
  });

  test('a new log is not begun on the documents of another one', async () => {
    const url = mongodb.database();
    await usedFolder(url);
    await expect(start(temporaryFolder(), url)).rejects.toThrow('Name another database');
  });
});
