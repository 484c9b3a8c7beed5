import type { Command } from 'commander';
import type { CompanyView } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, quietOption } from './client-command';
import { printDetails, printJson, printLines } from './output';
import { ago } from './text';

interface AddOptions extends ClientOptions {
  externalKey?: string;
  quiet?: boolean;
}

const statusCommands = {
  pause: 'the kill switch: its runs are ended, and nothing of it is woken until it is resumed',
  resume: 'resume a paused company',
} as const;

export function addCompanyCommands(program: Command): void {
  const company = program.command('company').description('tenants: everything belongs to one');

  clientCommand(company, 'add <name>', 'register a company')
    .option('--external-key <key>', 'your own name for it: registering it again answers the same company')
    .addOption(quietOption())
    .action(async (name: string, options: AddOptions) => {
      const { externalKey, quiet } = options;
      const company = await clientFor(options).registerCompany({ name, externalKey });
      if (quiet) printLines([company.id]);
      else show(company, options);
    });

  clientCommand(company, 'show <id>', 'show a company').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).company(id), options);
  });

  for (const change of Object.keys(statusCommands) as (keyof typeof statusCommands)[]) {
    clientCommand(company, `${change} <id>`, statusCommands[change]).action(
      async (id: string, options: ClientOptions) => {
        show(await clientFor(options).changeCompanyStatus(id, change), options);
      },
    );
  }
}

function show(company: CompanyView, { json }: ClientOptions): void {
  if (json) return printJson(company);
  const { id, name, externalKey, status, createdAt } = company;
  printDetails({ company: id, name, 'external key': externalKey, status, created: ago(createdAt) });
}
