import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import type { Agent, Company } from './client';
import { openCompany, registerAgent } from './client';

/** What requests are tried on that nothing is to come of. */
export interface SleepingServer {
  server: TestServer;
  company: Company;
  /** Takes every wakeup and answers it with `skipped`: nothing of it runs. */
  sleeper: Agent;
}

export async function startWithSleeper(): Promise<SleepingServer> {
  const server = await startTestServer();
  const company = await openCompany(server);
  const sleeper = await registerAgent(server, company.id, { heartbeat: { wakeOnDemand: false } });
  return { server, company, sleeper };
}

/** For a body that is sent as text: what is sent as an object says so by itself. */
export const asJson = { 'content-type': 'application/json' };
