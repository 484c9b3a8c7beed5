import type { Command } from 'commander';
import type { SecretView } from '../client';
import type { CompanyOptions } from './client-command';
import {
  clientCommand,
  clientFor,
  collect,
  companyOf,
  companyOption,
  readInput,
  wholeNumber,
} from './client-command';
import { printDetails, printJson, printTable } from './output';
import { ago } from './text';

export function addSecretCommands(program: Command): void {
  const secret = program.command('secret').description('values for agents, kept outside the log');

  clientCommand(secret, 'put <name>', 'set a secret; its value comes on standard input')
    .addOption(companyOption())
    .option('--file <file>', 'read the value from there instead')
    .addHelpText(
      'after',
      '\nOne line break at the end is not part of the value. An agent is given it with' +
        "\n`agent add … --secret-env NAME=SECRET`. Example: printf %s 'the value' | reveille secret put api-key",
    )
    .action(async (name: string, options: CompanyOptions & { file?: string }) => {
      const company = companyOf(options);
      const value = readInput(options.file ?? '-').replace(/\r?\n$/, '');
      const secret = await clientFor(options).putSecret(company, name, value);
      if (options.json) printJson(secret);
      else printDetails({ secret: secret.name, updated: ago(secret.updatedAt) });
    });

  clientCommand(secret, 'list', "list the names of a company's secrets")
    .addOption(companyOption())
    .option('--limit <n>', 'at most so many', wholeNumber(1), 100)
    .action(async (options: CompanyOptions & { limit: number }) => {
      const api = clientFor(options);
      const company = companyOf(options);
      const page = await collect(options.limit, (range) => api.secrets(company, range));
      if (options.json) return printJson(page);
      printTable(
        [
          { title: 'SECRET', of: ({ name }: SecretView) => name },
          { title: 'UPDATED', of: ({ updatedAt }: SecretView) => ago(updatedAt) },
        ],
        page.items,
      );
    });
}
