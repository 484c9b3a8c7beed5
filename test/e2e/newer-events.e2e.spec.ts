import { join } from 'node:path';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { seal } from '../../src/event-log/seal';
import { agentStream } from '../../src/kernel/streams';
import { someMetadata } from '../support/events';
import { startTestServer } from '../support/server';
import { describeWhen } from '../support/skips';
import { allIsEmbedded, NOT_EMBEDDED } from '../support/world';
import type { Agent } from './http/client';
import { openCompany, registerAgent, runOnce } from './http/client';

/** Does what a server of the version after this one does with the log that it shares with us. */
async function appendAsNewerServer(dataDir: string, { id, companyId }: Agent): Promise<void> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const stream = agentStream(companyId, id);
  for await (const last of log.read(stream, { direction: 'backwards', limit: 1 })) {
    const metadata = someMetadata({ companyId, schemaVersion: 2 });
    const event = { id: metadata.commandId, type: 'AgentUpdated', data: { of: 'another form' }, metadata };
    await log.append(stream, seal([event], last.metadata.hash), last.revision);
  }
  await log.close();
}

describeWhen(allIsEmbedded, NOT_EMBEDDED)('an event of a newer Reveille on the log', () => {
  it('keeps an older one from starting, which says why', async () => {
    const first = await startTestServer();
    const { dataDir } = first;
    const agent = await registerAgent(first, (await openCompany(first)).id, {});
    await runOnce(first, agent.id);
    await first.close();
    await appendAsNewerServer(dataDir, agent);

    await expect(startTestServer({ dataDir })).rejects.toThrow(
      /stopped at AgentUpdated at position \d+ .*AgentUpdated is of version 2, and this version of Reveille knows version 1/,
    );
  });
});
