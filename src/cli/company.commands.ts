import type { Command } from 'commander';
import type { CompanyDocument } from './api-client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, quietOption } from './client-command';
import { printDetails, printJson, printLines } from './output';
import { ago } from './text';

interface AddOptions extends ClientOptions {
  externalKey?: string;
  quiet?: boolean;
}

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
}

function show(company: CompanyDocument, { json }: ClientOptions): void {
  if (json) return printJson(company);
  const { id, name, externalKey, status, createdAt } = company;
  printDetails({ company: id, name, 'external key': externalKey, status, created: ago(createdAt) });
}
