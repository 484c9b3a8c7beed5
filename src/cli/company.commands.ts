import type { Command } from 'commander';
import { Option } from 'commander';
import type { CompanyView } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, quietOption, wholeNumber } from './client-command';
import { CliError, ExitCode } from './failures';
import { printDetails, printJson, printLines } from './output';
import { ago } from './text';

interface AddOptions extends ClientOptions {
  externalKey?: string;
  /** null: for ever. */
  logRetentionDays?: number | null;
  quiet?: boolean;
}

interface SetOptions extends ClientOptions {
  logRetentionDays?: number | null;
}

const statusCommands = {
  pause: 'the kill switch: its runs are ended, and nothing of it is woken until it is resumed',
  resume: 'resume a paused company',
} as const;

export function addCompanyCommands(program: Command): void {
  const company = program.command('company').description('tenants: everything belongs to one');

  clientCommand(company, 'add <name>', 'register a company')
    .option('--external-key <key>', 'your own name for it: registering it again answers the same company')
    .addOption(retentionOption())
    .addOption(quietOption())
    .action(async (name: string, options: AddOptions) => {
      const { externalKey, logRetentionDays, quiet } = options;
      const company = await clientFor(options).registerCompany({ name, externalKey, logRetentionDays });
      if (quiet) printLines([company.id]);
      else show(company, options);
    });

  clientCommand(company, 'show <id>', 'show a company').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).company(id), options);
  });

  clientCommand(company, 'set <id>', 'change how long the output of its runs is kept, of past ones, too')
    .addOption(retentionOption())
    .action(async (id: string, options: SetOptions) => {
      const { logRetentionDays } = options;
      if (logRetentionDays === undefined) throw new CliError('give --log-retention-days', ExitCode.usage);
      show(await clientFor(options).patchCompany(id, { logRetentionDays }), options);
    });

  for (const change of Object.keys(statusCommands) as (keyof typeof statusCommands)[]) {
    clientCommand(company, `${change} <id>`, statusCommands[change]).action(
      async (id: string, options: ClientOptions) => {
        show(await clientFor(options).changeCompanyStatus(id, change), options);
      },
    );
  }
}

function retentionOption(): Option {
  const about = 'days after its end for which the output of a run is kept, or `forever`';
  return new Option('--log-retention-days <n>', about).argParser((text) =>
    text === 'forever' ? null : wholeNumber(1)(text),
  );
}

function show(company: CompanyView, { json }: ClientOptions): void {
  if (json) return printJson(company);
  const { id, name, externalKey, status, createdAt, logRetentionDays } = company;
  printDetails({
    ...{ company: id, name, 'external key': externalKey, status, created: ago(createdAt) },
    'keeps output':
      logRetentionDays === null
        ? 'for ever'
        : `for ${logRetentionDays} ${logRetentionDays === 1 ? 'day' : 'days'} after a run`,
  });
}
