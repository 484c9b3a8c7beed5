import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReadyView } from '../../src/client';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { seal } from '../../src/event-log/seal';
import { eventShapes } from '../../src/event-shapes';
import { FIRST_SHAPE } from '../../src/kernel/event-shape';
import { companyStream } from '../../src/kernel/streams';
import { projections, sagas } from '../../src/node';
import { someMetadata } from '../support/events';
import type { TestServer } from '../support/server';
import { startTestServer, waitUntil } from '../support/server';
import { describeWhen } from '../support/skips';
import { temporaryFolder } from '../support/temporary-folder';
import { allIsEmbedded, NOT_EMBEDDED } from '../support/world';
import {
  Gate,
  getWakeup,
  head,
  openCompany,
  scriptedAgent,
  untilDecided,
  untilRunning,
  wake,
} from './http/client';

/** Does what a server of the version after this one does with the log that it shares with us. */
async function appendAsNewerServer(dataDir: string, companyId: string, type: string): Promise<void> {
  const log = await EmbeddedEventLog.open(join(dataDir, 'stores'));
  const stream = companyStream(companyId);
  for await (const last of log.read(stream, { direction: 'backwards', limit: 1 })) {
    const metadata = someMetadata({ companyId, schemaVersion: 2 });
    const event = { id: metadata.commandId, type, data: { companyId }, metadata };
    await log.append(stream, seal([event], last.metadata.hash), last.revision);
  }
  await log.close();
}

const readiness = async (server: TestServer) => (await server.api<ReadyView>('GET', '/health/ready')).body;

describeWhen(allIsEmbedded, NOT_EMBEDDED)('an event of a newer Reveille on the log', () => {
  let server: TestServer | null = null;
  const start = async (dataDir?: string) => (server = await startTestServer({ dataDir }));
  const close = async () => {
    await server?.close();
    server = null;
  };
  afterEach(close);

  it('has an older one stand still and say why, and loses nothing until the newer one is there', async () => {
    const gate = new Gate();
    const begun = join(temporaryFolder(), 'begun');
    const count = () => (existsSync(begun) ? readFileSync(begun, 'utf8').split('\n').length - 1 : 0);
    const first = await start();
    const { dataDir } = first;
    const other = await openCompany(first);
    const lives = await scriptedAgent(first, `${gate.wait}; echo lived >> '${begun}'`);
    const waits = await scriptedAgent(first, `echo waited >> '${begun}'`);
    const living = await wake(first, lives.id);
    await untilRunning(first, living.run!.id);
    await close();
    await appendAsNewerServer(dataDir, other.id, 'CompanyResumed');

    const older = await start(dataDir);
    const names = [...projections, ...sagas].map(({ name }) => name);
    const { status, ill, consumers } = await waitUntil(async () => {
      const ready = await readiness(older);
      return ready.ill.length === names.length && ready;
    }, 'all has stopped');
    expect({ status, ill: [...ill].sort() }).toEqual({ status: 'ill', ill: [...names].sort() });
    for (const { stoppedBy } of consumers) {
      expect(stoppedBy).toMatch(
        /stopped at CompanyResumed at position \d+ \(company-.*CompanyResumed is of version 2, and this version of Reveille knows version 1/,
      );
    }
    // What it is asked for is taken, and waits; what lives is looked after to its end.
    const waiting = await wake(older, waits.id);
    gate.open();
    await waitUntil(async () => (await readiness(older)).runs.active === 0, 'the living one is over');
    expect(count()).toBe(1);
    await close();

    const upgraded = jest.replaceProperty(eventShapes, 'CompanyResumed', { ...FIRST_SHAPE, version: 2 });
    const newer = await start(dataDir);
    expect((await untilDecided(newer, waiting.wakeup.id)).status).toBe('completed');
    expect((await getWakeup(newer, living.wakeup.id)).status).toBe('completed');
    await head(newer);
    expect(readFileSync(begun, 'utf8')).toBe('lived\nwaited\n');
    upgraded.restore();
  });

  it('that may have revoked a token keeps an older one from starting, which says what to do', async () => {
    const { dataDir } = await start();
    const { id } = await openCompany(server!);
    await close();
    await appendAsNewerServer(dataDir, id, 'AccessTokenRevoked');

    await expect(start(dataDir)).rejects.toThrow(
      /stopped at AccessTokenRevoked at position \d+ \(company-.*is of version 2.*Start the version of Reveille that has written/,
    );
  });
});
