import { cpSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Dice } from '../support/dice';
import { waitUntilGone } from '../support/jest/marked-processes';
import { EchoCompany, expectWork, untilEnded } from './echo-company';
import type { LogAudit } from './log-audit';
import { auditLog } from './log-audit';
import { problemOf, readModelsProblem } from './read-models';
import type { FaultRun } from './scenario';
import { count } from './scenario';
import { KillableServer } from './killable-server';
import type { Verdicts } from './verdicts';

const CUTS = 24;
/** A start takes a second: a short run has fewer of them. */
const SERVED_CUTS_OF_A_SHORT_RUN = 4;
const LONG_RUN_ROUNDS = 50;
const WAKEUPS = 60;
const AGENTS_END_MS = 10_000;

const WRITE_AHEAD_LOGS = ['log.db-wal', 'runlog.db-wal'] as const;

interface Cut {
  files: readonly (typeof WRITE_AHEAD_LOGS)[number][];
  /** How much of each file stays, of 1. */
  share: number;
  /** The rest is there as zeros, as after a power loss, instead of gone. */
  isZeroed: boolean;
}

/** The end of the log is torn off, anywhere: what is left is a whole log, and a server goes on with it. */
export async function tornTail(run: FaultRun): Promise<void> {
  const { folder, dice, verdicts, faults, say } = run;
  const [original, copy] = [join(folder, 'data'), join(folder, 'copy')];
  await killedInTheMiddle(original);
  const whole = await auditOfCopy(original, copy);
  const servedEvery = run.rounds >= LONG_RUN_ROUNDS ? 1 : CUTS / SERVED_CUTS_OF_A_SHORT_RUN;
  const survivors: { share: number; events: number }[] = [];
  for (const [index, cut] of planCuts(dice).entries()) {
    const audit = await auditOfCopy(original, copy, cut);
    checkPrefix(cut, audit, whole, verdicts);
    if (cut.files.includes('log.db-wal')) survivors.push({ share: cut.share, events: audit.events.length });
    count(faults, 'torn tail of the log');
    if (index % servedEvery === 0) {
      await serveWhatIsLeft(original, copy, cut, audit, verdicts);
      say(
        `cut ${index + 1} of ${CUTS}: ${describe(cut)}; ${audit.events.length} of ${whole.events.length} events`,
      );
    }
  }
  survivors.sort((a, b) => a.share - b.share);
  const isMonotone = survivors.every(({ events }, index) => events >= (survivors[index - 1]?.events ?? 0));
  const problem = survivors.map(({ share, events }) => `${share}: ${events}`).join(', ');
  verdicts.expect('a tear takes nothing that was written before it', isMonotone, problem);
}

/** Leaves a data folder whose log is for the most part still in its write-ahead files. */
async function killedInTheMiddle(dataDir: string): Promise<void> {
  const server = new KillableServer(dataDir);
  await server.start();
  const company = await EchoCompany.open(server);
  for (let index = 0; index < WAKEUPS; index++) await company.wake();
  await untilEnded(server, company.receipts[WAKEUPS / 2]!);
  await server.end('SIGKILL');
  await waitUntilGone(join(dataDir, 'runs'), AGENTS_END_MS);
}

function planCuts(dice: Dice): Cut[] {
  const choices = [['log.db-wal'], ['log.db-wal'], ['runlog.db-wal'], WRITE_AHEAD_LOGS] as const;
  return Array.from({ length: CUTS }, () => ({
    files: dice.oneOf(choices),
    // The last bytes are what is torn off most often.
    share: dice.upTo(2) === 0 ? 1 - dice.upTo(20_000) / 1_000_000 : dice.upTo(1_000_000) / 1_000_000,
    isZeroed: dice.upTo(2) === 0,
  }));
}

async function auditOfCopy(original: string, copy: string, cut?: Cut): Promise<LogAudit> {
  copyTorn(original, copy, cut);
  return auditLog(copy);
}

function copyTorn(original: string, copy: string, cut?: Cut): void {
  rmSync(copy, { recursive: true, force: true });
  cpSync(original, copy, { recursive: true });
  for (const name of cut?.files ?? []) {
    const path = join(copy, 'stores', name);
    const { size } = statSync(path);
    truncateSync(path, Math.floor(size * cut!.share));
    if (cut!.isZeroed) truncateSync(path, size);
  }
}

function checkPrefix(cut: Cut, audit: LogAudit, whole: LogAudit, verdicts: Verdicts): void {
  const where = describe(cut);
  const name = 'a torn log opens as a gap-free prefix whose chains hold';
  verdicts.judge(name, audit.breaks.length === 0 ? null : `${where}: ${audit.breaks.slice(0, 3).join('; ')}`);
  for (const [file, kind] of [
    ['log.db-wal', 'events'],
    ['runlog.db-wal', 'chunks'],
  ] as const) {
    const [left, all] = [audit[kind], whole[kind]];
    const isPrefix = left.every((id, index) => id === all[index]);
    const isEnough = cut.files.includes(file) || left.length === all.length;
    const problem = `${where}: ${left.length} of ${all.length} ${kind}, a prefix: ${isPrefix}`;
    verdicts.expect('a torn log loses what was torn off, and nothing else', isPrefix && isEnough, problem);
  }
}

/** @param audit what is left, as the server is going to find it */
async function serveWhatIsLeft(
  original: string,
  copy: string,
  cut: Cut,
  audit: LogAudit,
  verdicts: Verdicts,
): Promise<void> {
  copyTorn(original, copy, cut);
  const server = new KillableServer(copy);
  const judge = async (name: string, work: () => Promise<void>) => {
    const problem = await problemOf(work);
    verdicts.judge(name, problem && `${describe(cut)}: ${problem}`);
  };
  await server.start();
  await judge('a server with a torn log is well', async () => void (await server.get('/health/ready')));
  await judge('a server with a torn log goes on working', () => expectWork(server));
  await judge('wakeups that are left on a torn log come to their end', async () => {
    for (const id of audit.watch.wakeups.keys()) await untilEnded(server, id);
  });
  const name = 'read models know nothing that was torn off';
  const problem = await readModelsProblem(server);
  verdicts.judge(name, problem && `${describe(cut)}: ${problem}`);
  await server.end('SIGTERM');
}

function describe({ files, share, isZeroed }: Cut): string {
  return `${files.join(' and ')} ${isZeroed ? 'zeroed' : 'cut'} at ${(share * 100).toFixed(2)} %`;
}
