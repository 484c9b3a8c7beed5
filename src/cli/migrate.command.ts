import type { Command } from 'commander';
import { Option } from 'commander';
import type { Logger } from 'pino';
import pino from 'pino';
import type { Config, SettingName } from '../config';
import { readConfig, settingFlags } from '../config';
import { DataFolderInUse } from '../data-folder';
import type { CopyProgress } from '../event-log/log-copy';
import type { LogMigrated } from '../event-log/migration';
import { DomainError } from '../kernel/errors';
import { StoreUnusable } from '../store-unusable';
import { CliError, ExitCode } from './failures';
import { printLines, say } from './output';
import { exitInTime, stopSignals } from './stop-signal';

/** How the composition root copies a log. Null where it had been done before. */
export type MigrateLog = (
  config: Config,
  logger: Logger,
  stop: AbortSignal,
  onProgress: (progress: CopyProgress) => void,
) => Promise<LogMigrated | null>;

type MigrateFlags = Partial<Record<SettingName, string>> & { config?: string };

/** Those that say what is copied, to where, and who has followed it. */
const SETTINGS: readonly string[] = [
  '--data-dir',
  '--eventstoredb-url',
  '--namespace',
  '--documents',
  '--mongodb-url',
  '--store-wait-sec',
  '--log-level',
];
const PROGRESS_EVERY_MS = 1_000;

export function addMigrateCommand(program: Command, migrateLog: MigrateLog): void {
  const command = program
    .command('migrate')
    .description('copy the event log of a data folder to EventStoreDB; the server has to be stopped')
    .addOption(new Option('--from <store>', 'where the log is').choices(['embedded']).makeOptionMandatory())
    .addOption(new Option('--to <store>', 'where it goes').choices(['eventstoredb']).makeOptionMandatory());
  for (const { flag, env, about } of settingFlags()) {
    if (SETTINGS.includes(flag)) command.option(`${flag} <value>`, `${about} (or ${env})`);
  }
  command
    .option('--config <file>', 'a JSON object of settings, under what flags and environment say')
    .addHelpText('after', migrateHelp)
    .action(async ({ config: configFile, from: _from, to, ...flags }: MigrateFlags & Ways) => {
      process.exitCode = await migrate(
        migrateLog,
        readConfig({ ...flags, eventLog: to }, undefined, configFile),
      );
    });
}

interface Ways {
  from: string;
  to: string;
}

const migrateHelp = `
It may be broken off at any point and begun again, and then goes on where it was. At its end it reads both logs side by
side. --documents and --mongodb-url are those that the server has used until now: what the sagas have done is noted, and
not done again. Read models are made anew by the first start with --event-log eventstoredb. Clients that come back with a
position of before are answered \`position_gone\`.`;

async function migrate(migrateLog: MigrateLog, config: Config): Promise<ExitCode> {
  const logger = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const { stop } = stopSignals();
  try {
    const migrated = await migrateLog(config, logger, stop, progressLines());
    printLines([migrated ? summaryOf(migrated) : 'the log had been migrated before: nothing to do']);
    return ExitCode.ok;
  } catch (error) {
    exitInTime();
    if (stop.aborted) throw new CliError('broken off; begun again, it goes on where it was', ExitCode.failed);
    throw understandable(error);
  }
}

function summaryOf({ events, streams }: LogMigrated): string {
  return `migrated ${events} events of ${streams} streams, and found them the same; serve with --event-log eventstoredb`;
}

/** A line a second, and one for each end. */
function progressLines(): (progress: CopyProgress) => void {
  let [startedAt, saidAt, doing] = [Date.now(), Date.now(), ''];
  return (progress) => {
    const now = Date.now();
    const { events, position, head } = progress;
    if (progress.doing !== doing) [startedAt, doing] = [now, progress.doing];
    if (now - saidAt < PROGRESS_EVERY_MS && position < head) return;
    saidAt = now;
    const perSecond = Math.round((events * 1_000) / Math.max(now - startedAt, 1));
    say(`${doing}: ${events} events, at position ${position} of ${head} (${perSecond}/s)`);
  };
}

function understandable(error: unknown): unknown {
  if (error instanceof DataFolderInUse) {
    return new CliError(`${error.message}: stop it first`, ExitCode.failed);
  }
  const isForOperator =
    error instanceof StoreUnusable || (error instanceof DomainError && error.code === 'log_unavailable');
  if (!isForOperator) return error;
  return new CliError(`${error.message}`, ExitCode.failed);
}
