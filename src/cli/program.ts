import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config';
import { addAgentCommands } from './agent.commands';
import { addCompanyCommands } from './company.commands';
import { CliError, ExitCode } from './failures';
import { say } from './output';
import { addRunCommands } from './run.commands';
import type { StartServer } from './serve';
import { addServeCommand } from './serve.command';
import { addWakeCommand } from './wake.command';

const exitCodesHelp = `
Exit codes:
  0  done
  1  what was asked for has failed or was refused; with \`wake --wait\`: the run did not succeed
  2  wrong usage, or a wrong setting
  3  the server cannot be reached, or does not let you in`;

/** Does what the arguments say, and leaves its outcome in the exit code of the process. Never throws. */
export async function runProgram(args: readonly string[], startServer: StartServer): Promise<void> {
  try {
    await createProgram(startServer).parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

function createProgram(startServer: StartServer): Command {
  const program = new Command('reveille')
    .description('Wakes AI agents, runs them, and remembers everything.')
    .version(ownVersion())
    .exitOverride()
    .addHelpText('after', exitCodesHelp);
  addServeCommand(program, startServer);
  addCompanyCommands(program);
  addAgentCommands(program);
  addWakeCommand(program);
  addRunCommands(program);
  return program;
}

function report(error: unknown): ExitCode {
  // It has been printed already, and help that was asked for is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof CliError) {
    say(`error: ${error.message}`);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    say(`error: ${error.message}`);
    return ExitCode.usage;
  }
  say(`This is a fault of Reveille's own: ${error instanceof Error ? error.stack : String(error)}`);
  return ExitCode.failed;
}

function ownVersion(): string {
  const description = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(description) as { version: string }).version;
}
