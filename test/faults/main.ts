/**
 * Lets things go wrong and counts what is lost: nothing must be.
 *
 *   npm run test:faults [-- --rounds=100] [--seed=N] [--only=TEXT] [--json]
 *
 * The same seed throws the same plan. Where something is lost, the data folders are kept. The last line counts checks.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Dice } from '../support/dice';
import { findMarkedProcesses } from '../support/jest/marked-processes';
import { ensureBuilt } from '../support/reveille-process';
import { damagedFiles } from './damaged-files';
import { fullDisk } from './full-disk';
import { faultRounds } from './rounds';
import type { FaultRun } from './scenario';
import { tornTail } from './torn-tail';
import { Verdicts } from './verdicts';

const scenarios: Readonly<Record<string, (run: FaultRun) => Promise<void>>> = {
  'rounds of faults under load': faultRounds,
  'a torn tail of the log': tornTail,
  'damaged files': damagedFiles,
  'a full disk': fullDisk,
};

const DEFAULT_ROUNDS = '100';

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: DEFAULT_ROUNDS },
      seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  });
  const [rounds, seed] = [options.rounds, options.seed].map(wholeNumber) as [number, number];
  const folder = mkdtempSync(join(tmpdir(), 'reveille-faults-'));
  process.env.TMPDIR = folder;
  const verdicts = new Verdicts();
  const faults = new Map<string, number>();
  const dice = new Dice(seed);
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  say(`seed ${seed}, ${rounds} rounds, data in ${folder}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => leave(folder));
  await ensureBuilt();
  for (const [name, scenario] of Object.entries(scenarios)) {
    const run = { rounds, folder: join(folder, slug(name)), dice: dice.fork(), verdicts, faults, say };
    if (!name.includes(options.only)) continue;
    say(`\n== ${name}`);
    mkdirSync(run.folder);
    const failure = await scenario(run).then(
      () => null,
      (error: Error) => error.stack ?? error.message,
    );
    verdicts.judge(`${name}: comes to its end`, failure);
    endProcesses(run.folder);
  }
  const keptIn = verdicts.losses > 0 ? folder : null;
  if (keptIn === null) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  const report = { seed, rounds, faults, verdicts, keptIn };
  process.stdout.write(
    options.json ? `${asJson(report)}\n` : `${asText(report)}\n${verdicts.closingLine()}\n`,
  );
  if (keptIn !== null) process.exitCode = 1;
}

/** Servers and agents, where a scenario broke off. */
function endProcesses(folder: string): void {
  for (const { pid } of findMarkedProcesses(`${folder}/`)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Interrupted: nothing that has been started stays. */
function leave(folder: string): void {
  endProcesses(folder);
  process.exit(1);
}

interface Report {
  seed: number;
  rounds: number;
  faults: ReadonlyMap<string, number>;
  verdicts: Verdicts;
  /** Null where there is nothing to look into. */
  keptIn: string | null;
}

function asJson({ seed, rounds, faults, verdicts, keptIn }: Report): string {
  const report = { seed, rounds, faults: Object.fromEntries(faults), ...verdicts.toJSON() };
  return JSON.stringify({ ...report, losses: verdicts.losses, keptIn }, null, 2);
}

function asText({ seed, rounds, faults, verdicts, keptIn }: Report): string {
  const total = [...faults.values()].reduce((sum, times) => sum + times, 0);
  return [
    '',
    ...[...faults].map(([kind, times]) => `${`${times}`.padStart(7)}  ${kind}`),
    '',
    verdicts.table(),
    '',
    `seed ${seed}: ${rounds} rounds, ${total} faults, ${verdicts.losses} losses`,
    ...(keptIn === null ? [] : [`what is left of it is in ${keptIn}`]),
  ].join('\n');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`not a whole number: ${text}`);
  return Number(text);
}

function slug(name: string): string {
  return name.replace(/\W+/g, '-');
}

void main();
