import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config';
import { ownVersion } from '../version';
import { addAgentCommands } from './agent.commands';
import { addBudgetCommands } from './budget.commands';
import { ReveilleError } from '../client';
import { addAuditCommands } from './audit.commands';
import { addCompanyCommands } from './company.commands';
import { addCostCommands } from './cost.commands';
import { addEventsCommand } from './events.command';
import { CliError, ExitCode, explained } from './failures';
import type { MigrateLog } from './migrate.command';
import { addMigrateCommand } from './migrate.command';
import { addOperationCommands } from './operation.commands';
import { say } from './output';
import { addProjectionCommands } from './projection.commands';
import { addRunCommands } from './run.commands';
import type { StartServer } from './serve';
import { addServeCommand } from './serve.command';
import { addSecretCommands } from './secret.commands';
import { addStatusCommand } from './status.command';
import { printable } from './text';
import { addTokenCommands } from './token.commands';
import { addWakeCommands } from './wake.command';
import { addWakeupCommands } from './wakeup.commands';

const exitCodesHelp = `
Exit codes:
  0  done
  1  what was asked for has failed or was refused; with \`wake --wait\`: the run did not succeed;
     with \`projections compare\`: a document is not what the log makes of it; with \`audit verify\`: something is
     not what was written
  2  wrong usage, or a wrong setting
  3  the server cannot be reached, or does not let you in`;

/** Does what the arguments say, and leaves its outcome in the exit code of the process. Never throws. */
export async function runProgram(
  args: readonly string[],
  startServer: StartServer,
  migrateLog: MigrateLog,
): Promise<void> {
  try {
    await createProgram(startServer, migrateLog).parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

function createProgram(startServer: StartServer, migrateLog: MigrateLog): Command {
  const program = new Command('reveille')
    .description('Wakes AI agents, runs them, and remembers everything.')
    .version(ownVersion())
    .exitOverride()
    .addHelpText('after', exitCodesHelp);
  program.commandsGroup('The server:');
  addServeCommand(program, startServer);
  addStatusCommand(program);
  addOperationCommands(program);
  addProjectionCommands(program);
  addAuditCommands(program);
  addMigrateCommand(program, migrateLog);
  program.commandsGroup('Who is there:');
  addCompanyCommands(program);
  addAgentCommands(program);
  addSecretCommands(program);
  addTokenCommands(program);
  program.commandsGroup('Waking agents, and what becomes of it:');
  addWakeCommands(program);
  addWakeupCommands(program);
  addRunCommands(program);
  addEventsCommand(program);
  program.commandsGroup('Money:');
  addCostCommands(program);
  addBudgetCommands(program);
  return program;
}

function report(error: unknown): ExitCode {
  // It has been printed already, and help that was asked for is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof ReveilleError) return report(explained(error));
  if (error instanceof CliError) {
    say(`error: ${printable(error.message)}`);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    say(`error: ${printable(error.message)}`);
    return ExitCode.usage;
  }
  say(`This is a fault of Reveille's own: ${error instanceof Error ? error.stack : String(error)}`);
  return ExitCode.failed;
}
