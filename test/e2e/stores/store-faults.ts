import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Books } from '../../faults/books';
import { KillableServer } from '../../faults/killable-server';
import { Load } from '../../faults/load';
import { agentPlans } from '../../faults/plan';
import { registerAgents, settle } from '../../faults/rounds';
import { subfolder } from '../../faults/scenario';
import { Verdicts } from '../../faults/verdicts';
import { Dice } from '../../support/dice';
import { waitUntil } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

/** Something that happens to the server that keeps one of the stores. */
export interface StoreFault {
  name: string;
  lastsMs: number;
  /** Whether nothing at all is answered meanwhile, which readiness has to say. */
  isTotal: boolean;
  begin(): void | Promise<void>;
  end(): void | Promise<void>;
}

interface Ready {
  status: string;
  ill: string[];
}

const CALLERS = 3;
const LOAD_BETWEEN_MS = 800;
/** A frozen connection is given up after some 15 s, and pauses between attempts grow up to 5 s. */
const BACK_WITHIN_MS = 30_000;

/** What the agents do has nothing to do with the stores: a few kinds are enough. */
const PLANS = agentPlans.filter(({ name }) => ['follow-up', 'coalesce', 'enqueue', 'failing'].includes(name));

/**
 * The whole service under a mixed load, while one of its stores fails again and again. It has to say so as long as that
 * lasts, to be back by itself, and in the end all books have to be right.
 *
 * @param part the name that readiness gives the store
 */
export async function failStore(
  part: 'eventLog' | 'documents',
  flags: readonly string[],
  faults: readonly StoreFault[],
): Promise<Verdicts> {
  const verdicts = new Verdicts();
  const folder = temporaryFolder();
  const journalFolder = subfolder(folder, 'journal');
  const server = new KillableServer(join(folder, 'data'), ['--max-runs', '8', ...flags]);
  await server.start();
  const { pid } = server;
  const { companyId, agents } = await registerAgents(server, journalFolder, PLANS);
  const load = new Load(server, agents, verdicts);
  load.start(CALLERS, new Dice(faults.length));
  try {
    for (const fault of faults) {
      await sleep(LOAD_BETWEEN_MS);
      await suffer(server, part, fault, verdicts);
    }
    await sleep(LOAD_BETWEEN_MS);
  } finally {
    await load.stop();
  }
  await settle(server, companyId, agents);
  await new Books(server, verdicts, companyId, agents, load, journalFolder).check();
  verdicts.expect('the server was never restarted', server.pid === pid, 'it was');
  verdicts.expect('wakeups were acknowledged', load.receipts.size > 0, JSON.stringify(load.counts));
  await server.end('SIGTERM');
  return verdicts;
}

async function suffer(
  server: KillableServer,
  part: string,
  fault: StoreFault,
  verdicts: Verdicts,
): Promise<void> {
  const look = () => server.api<Ready>('GET', '/health/ready');
  await fault.begin();
  for (const endsAt = Date.now() + fault.lastsMs; Date.now() < endsAt;) {
    const { status, body } = await look();
    if (!fault.isTotal || Date.now() > endsAt) continue;
    const name = `readiness names the ${part} as ill while there is none`;
    const isSaid = status === 503 && body.status === 'ill' && body.ill.includes(part);
    verdicts.expect(name, isSaid, `${fault.name}: ${status} ${JSON.stringify(body.ill)}`);
    await sleep(100);
  }
  await fault.end();
  const isWell = async () => ((await look()).status === 200 ? true : null);
  const problem = await waitUntil(isWell, `all is well after "${fault.name}"`, BACK_WITHIN_MS).then(
    () => null,
    async (error: unknown) => `${String(error)}: ${(await look()).bytes.toString()}`,
  );
  verdicts.judge('all is well again by itself', problem);
}
