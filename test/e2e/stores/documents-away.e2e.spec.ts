import pino from 'pino';
import { openBackends } from '../../../src/backends';
import type { ReadyView } from '../../../src/client';
import { companiesProjection } from '../../../src/companies/projections/companies.projection';
import { environmentForAgents, readConfig } from '../../../src/config';
import type { DocumentStore } from '../../../src/documents/document-store';
import { DocumentsUnavailable } from '../../../src/documents/document-store';
import { collectionName } from '../../../src/processing/projection';
import { startServer } from '../../../src/server';
import type { TestServer } from '../../support/server';
import { apiOf, waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import { worldSettings } from '../../support/world';
import { Gate, scriptedAgent, untilDecided, untilRunning, wake } from '../http/client';

/** While `isAway` says so, the companies cannot be read. */
function withoutCompanies(documents: DocumentStore, isAway: () => boolean): DocumentStore {
  return Object.assign(Object.create(documents) as DocumentStore, {
    get: async (collection: string, id: string) => {
      if (collection === collectionName(companiesProjection) && isAway())
        throw new DocumentsUnavailable('not now');
      return documents.get(collection, id);
    },
  });
}

test('a saga survives that documents cannot be read for a moment, and what it was to do is done', async () => {
  let isAway = false;
  let failures = 0;
  const dataDir = temporaryFolder();
  const config = readConfig({ host: '127.0.0.1', port: '0', dataDir }, worldSettings(dataDir));
  const running = await startServer(
    config,
    environmentForAgents(),
    pino({ level: 'silent' }),
    async (...args) => {
      const { documents, ...stores } = await openBackends(...args);
      const failing = withoutCompanies(documents, () => {
        failures += Number(isAway);
        return isAway;
      });
      return { ...stores, documents: failing };
    },
  );
  const { api, disconnect } = apiOf(running.url, running.adminToken);
  const server: TestServer = {
    ...{ url: running.url, token: running.adminToken, dataDir, errors: [], api },
    close: () => running.close(),
  };
  try {
    const gate = new Gate();
    const agent = await scriptedAgent(server, gate.wait);
    const first = await wake(server, agent.id);
    await untilRunning(server, first.run!.id);
    const followUp = await wake(server, agent.id);
    expect(followUp.wakeup.status).toBe('deferred');
    isAway = true;
    gate.open();
    // What follows from the end of the run asks how the company stands.
    await waitUntil(() => failures > 0, 'the company could not be read');
    const { body } = await api<ReadyView>('GET', '/health/ready');
    expect(body.ill).toEqual([]);
    isAway = false;
    expect((await untilDecided(server, followUp.wakeup.id)).status).toBe('completed');
  } finally {
    disconnect();
    await server.close();
  }
});
