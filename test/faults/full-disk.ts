import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent, Company, Woken } from '../e2e/http/client';
import { eventually } from '../support/eventually';
import { killCommands } from '../support/reveille-process';
import { EchoCompany, expectWork, untilEnded } from './echo-company';
import { auditLog } from './log-audit';
import type { Behaviour } from './plan';
import { quiet } from './plan';
import { problemOf, readModelsProblem } from './read-models';
import { adapterConfig } from './rounds';
import type { FaultRun } from './scenario';
import { count, subfolder } from './scenario';
import type { Answer } from './killable-server';
import { KillableServer } from './killable-server';
import type { Verdicts } from './verdicts';

const DISK_MB = 64;
const BALLAST_BLOCK = Buffer.alloc(64 * 1024, 1);
const PATIENCE_MS = 60_000;
/** Asked while nothing fits any more. */
const REQUESTS_WHILE_FULL = 40;
/** What tells a client that it is not his doing, and worth another try. */
const STATUS_OF_A_FULL_DISK = [503, 507];

const flood: Behaviour = { ...quiet, form: 'binary', bytes: 2_000_000, writes: 100, pauseMs: 20 };

/** The disk is full, because of an agent and for other reasons, and has room again later. */
export async function fullDisk(run: FaultRun): Promise<void> {
  const reason = whyNoSmallDisk();
  if (reason !== null) return run.verdicts.skip('a full disk', reason);
  const disk = subfolder(run.folder, 'disk');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', disk]);
  const unmount = () => void execFileSync('umount', ['--lazy', disk]);
  // Also where the program is interrupted.
  process.once('exit', unmount);
  const server = new KillableServer(join(disk, 'data'));
  try {
    await server.start();
    await fillAndFree(run, server, disk);
  } finally {
    await killCommands();
    process.off('exit', unmount);
    unmount();
  }
}

function whyNoSmallDisk(): string | null {
  if (process.platform !== 'linux') return 'only Linux has a tmpfs';
  return process.getuid?.() === 0 ? null : 'only root can mount a small disk';
}

async function fillAndFree(
  { folder, verdicts, faults, say }: FaultRun,
  server: KillableServer,
  disk: string,
) {
  const company = await EchoCompany.open(server);
  for (let index = 0; index < 10; index++) await company.wake();
  const flooding = await startFlood(server, subfolder(folder, 'journal'));
  await eventually(() => expectShort(server), PATIENCE_MS);
  const ballast = join(disk, 'ballast');
  const refused = await untilRefused(company, () => fill(ballast));
  count(faults, 'full disk');
  say(`full: ${refused.status} ${refused.bytes.toString()}`);
  await checkWhileFull(company, server, verdicts);
  rmSync(ballast);
  verdicts.judge(
    'with room on the disk again the server goes on by itself',
    await problemOf(async () => {
      await eventually(() => expectWork(server), PATIENCE_MS);
      await untilEnded(server, flooding);
      await eventually(() => server.get('/health/ready'), PATIENCE_MS);
    }),
  );
  const lost = await problemOf(() => company.untilAllEnded());
  verdicts.judge('what was acknowledged before or while the disk was full comes to its end', lost);
  verdicts.judge('read models are right after the disk was full', await readModelsProblem(server));
  say(`${company.receipts.length} wakeups acknowledged`);
  await server.end('SIGTERM');
  const { breaks } = await auditLog(server.dataDir);
  verdicts.judge('the log is whole after the disk was full', breaks.slice(0, 3).join('; ') || null);
}

/** An agent that writes more than the disk can hold. Answers its wakeup. */
async function startFlood(server: KillableServer, journalFolder: string): Promise<string> {
  const company = await server.expect<Company>(201, 'POST', '/v1/companies', { name: 'Flood' });
  const agent = await server.expect<Agent>(201, 'POST', `/v1/companies/${company.id}/agents`, {
    name: 'Flood',
    adapterType: 'process',
    adapterConfig: adapterConfig({ behaviour: flood }, journalFolder),
  });
  const { wakeup } = await server.expect<Woken>(202, 'POST', `/v1/agents/${agent.id}/wakeups`, {});
  return wakeup.id;
}

interface Ready {
  disk: { freeBytes: number; isShort: boolean };
}

async function expectShort(server: KillableServer): Promise<void> {
  const { body } = await server.api<Ready>('GET', '/health/ready');
  if (!body.disk.isShort) throw new Error(`${body.disk.freeBytes} bytes are free`);
}

async function untilRefused(company: EchoCompany, fillAgain: () => void): Promise<Answer<unknown>> {
  return eventually(async () => {
    fillAgain();
    const answer = await company.wake();
    if (answer.status === 202) throw new Error('the disk is full, and wakeups are still taken');
    return answer;
  }, PATIENCE_MS);
}

async function checkWhileFull(
  company: EchoCompany,
  server: KillableServer,
  verdicts: Verdicts,
): Promise<void> {
  // At once: each is answered only after the server has tried for a while.
  const answers = await Promise.all(Array.from({ length: REQUESTS_WHILE_FULL }, () => company.wake()));
  for (const { status, contentType, bytes } of answers) {
    if (status === 202) continue;
    const isPlain = STATUS_OF_A_FULL_DISK.includes(status) && contentType.includes('problem+json');
    verdicts.expect('a full disk is told plainly', isPlain, `${status} ${bytes.toString()}`);
  }
  const live = await server.api('GET', '/health/live');
  verdicts.expect('a server whose disk is full answers', live.status === 200, `${live.status}`);
  const ready = await server.api<Ready>('GET', '/health/ready');
  const says = ready.status === 503 && ready.body.disk.isShort;
  verdicts.expect('a server whose disk is full says so', says, `${ready.status} ${ready.bytes.toString()}`);
}

/** Takes what is left, down to the last block. */
function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (;;) writeSync(file, BALLAST_BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
