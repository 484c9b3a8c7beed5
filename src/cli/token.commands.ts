import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { TokenRequest, TokenView } from '../client';
import type { CompanyOptions } from './client-command';
import { clientCommand, clientFor, collect, companyOf, companyOption, wholeNumber } from './client-command';
import { printDetails, printJson, printLines, printTable } from './output';
import { ago } from './text';

const DAY_MS = 24 * 3_600_000;
const ROLES = ['viewer', 'operator', 'admin', 'agent'] as const satisfies TokenRequest['role'][];

interface CreateOptions extends CompanyOptions {
  role: TokenRequest['role'];
  agent?: string;
  /** ISO 8601. */
  expires?: string;
  quiet?: boolean;
}

export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('who may do what in a company');

  clientCommand(token, 'create <name>', 'make a token: it is shown once, and never again')
    .addOption(companyOption())
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('viewer'))
    .option('--agent <id>', 'with the role agent: which one')
    .option('--expires <when>', 'a time (ISO 8601), or so many days: 30d (default: 90d)', endOf)
    .addOption(new Option('-q, --quiet', 'print the token only').conflicts('json'))
    .addHelpText('after', '\nExample: export REVEILLE_TOKEN=$(reveille token create ci --role operator -q)')
    .action(async (name: string, options: CreateOptions) => {
      const { role, agent: agentId, expires: expiresAt } = options;
      const made = await clientFor(options).createToken(companyOf(options), {
        name,
        role,
        agentId,
        expiresAt,
      });
      if (options.json) return printJson(made);
      if (options.quiet) return printLines([made.token]);
      printDetails({ token: made.token, ...detailsOf(made) });
    });

  clientCommand(token, 'list', "list a company's tokens: what they may do, never what they are")
    .addOption(companyOption())
    .option('--limit <n>', 'at most so many', wholeNumber(1), 100)
    .action(async (options: CompanyOptions & { limit: number }) => {
      const api = clientFor(options);
      const company = companyOf(options);
      const page = await collect(options.limit, (range) => api.tokens(company, range));
      if (options.json) return printJson(page);
      printTable(
        [
          { title: 'ID', of: ({ id }: TokenView) => id },
          { title: 'NAME', of: ({ name }: TokenView) => name },
          { title: 'ROLE', of: ({ role }: TokenView) => role },
          { title: 'STATUS', of: statusOf },
          { title: 'EXPIRES', of: ({ expiresAt }: TokenView) => expiresAt },
          { title: 'CREATED', of: ({ createdAt }: TokenView) => ago(createdAt) },
        ],
        page.items,
      );
    });

  clientCommand(token, 'revoke <id>', 'revoke a token, at once: what is open with it is closed')
    .addOption(companyOption())
    .action(async (id: string, options: CompanyOptions) => {
      const revoked = await clientFor(options).revokeToken(companyOf(options), id);
      if (options.json) printJson(revoked);
      else printDetails(detailsOf(revoked));
    });
}

function detailsOf(token: TokenView): Record<string, string | null> {
  const { id, name, role, agentId, expiresAt } = token;
  return { id, name, role, agent: agentId, expires: expiresAt, status: statusOf(token) };
}

function statusOf({ revokedAt, expiresAt }: TokenView): string {
  if (revokedAt !== null) return 'revoked';
  return Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid';
}

function endOf(text: string): string {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  const end = days === undefined ? new Date(text) : new Date(Date.now() + Number(days) * DAY_MS);
  if (Number.isNaN(end.getTime()))
    throw new InvalidArgumentError('It must be a time (ISO 8601), or days as in 30d.');
  return end.toISOString();
}
