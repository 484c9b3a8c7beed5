import { startTestServer } from '../../support/server';
import { PolicyWatch } from './policy-watch';
import type { StormSize } from './storm';
import { agentEvents, finalReceipts, storm } from './storm';

/** A storm on a server of its own, and all that has to be true after it: as clients see it, and on the log. */
export async function expectOrderAfterStorm(size: StormSize): Promise<void> {
  const server = await startTestServer({ maxRuns: 12 });
  let accepted;
  try {
    accepted = await storm(server, size);
    const agentIds = new Set(accepted.map(({ agentId }) => agentId));
    const known = new Set((await finalReceipts(server, agentIds, size.patienceMs)).map(({ id }) => id));
    expect(accepted.filter(({ id }) => !known.has(id))).toEqual([]);
    expect(server.errors).toEqual([]);
  } finally {
    await server.close();
  }
  const watch = new PolicyWatch();
  for (const recorded of await agentEvents(server.dataDir)) watch.see(recorded);
  expect(watch.violations).toEqual([]);
  const wakeups = [...watch.wakeups];
  expect(wakeups.length).toBeGreaterThanOrEqual(accepted.length);
  expect(wakeups.filter(([, { ends, isWaiting }]) => isWaiting || ends !== 1)).toEqual([]);
  // Otherwise nothing would have been put to the test.
  expect(Math.max(...watch.peaks)).toBeGreaterThanOrEqual(2);
}
