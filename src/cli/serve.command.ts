import type { Command } from 'commander';
import { Option } from 'commander';
import type { SettingName } from '../config';
import { settingFlags } from '../config';
import type { StartServer } from './serve';
import { serve } from './serve';

type ServeFlags = Partial<Record<SettingName, string>> & { config?: string; demo?: boolean; once?: boolean };

export function addServeCommand(program: Command, startServer: StartServer): void {
  const command = program.command('serve').description('start a server');
  for (const { flag, env, about, byDefault } of settingFlags()) {
    const explained = `${about} (or ${env}; default: ${byDefault || 'none'})`;
    if (flag === '--adapters') command.option(`${flag} <value>`, explained, collect);
    else command.option(`${flag} <value>`, explained);
  }
  command
    .option('--config <file>', 'a JSON object of settings, under what flags and environment say')
    .option('--demo', 'make a demo company, wake its agents, and tell what happens')
    .addOption(
      new Option('--once', 'with --demo: stop after it; the exit code is 0 only if all went as told'),
    )
    .action(async ({ config: configFile, demo = false, once = false, ...flags }: ServeFlags) => {
      if (once && !demo) command.error('error: --once needs --demo');
      process.exitCode = await serve(startServer, { flags, configFile, demo, once });
    });
}

/** A flag that may be repeated. */
function collect(value: string, before?: string): string {
  return before === undefined ? value : `${before},${value}`;
}
