import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommandOptions } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { readClientConfig } from '../config';
import { ADMIN_TOKEN_FILE } from '../data-folder';
import type { Page } from '../client';
import { ReveilleClient } from '../client';
import { CliError, ExitCode } from './failures';

/** The options that every command has that talks to a server. */
export interface ClientOptions {
  url?: string;
  token?: string;
  dataDir?: string;
  json?: boolean;
}

export interface CompanyOptions extends ClientOptions {
  company?: string;
}

/** The most that the server puts into one page. */
const PAGE_LIMIT = 200;

/** A command that talks to a server. @param usage its name and arguments, as commander reads them */
export function clientCommand(
  parent: Command,
  usage: string,
  description: string,
  options: CommandOptions = {},
): Command {
  const command = parent.command(usage, options).description(description);
  const add = (flags: string, about: string) =>
    command.addOption(new Option(flags, about).helpGroup('Options of every command that asks a server:'));
  add('--json', 'answer with the JSON of the API');
  add('--url <url>', 'address of the server (or REVEILLE_URL; default: http://127.0.0.1:7717)');
  add('--token <token>', 'who asks (or REVEILLE_TOKEN; default: the admin token in the data folder)');
  add('--data-dir <folder>', 'where the admin token is (or REVEILLE_DATA_DIR; default: ~/.reveille)');
  return command;
}

/** Reads what a command is given as a file, or with `-` on its standard input. @throws CliError */
export function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CliError(
      `cannot read ${file === '-' ? 'standard input' : file}: ${(error as Error).message}`,
      ExitCode.usage,
    );
  }
}

/** A script can keep the id in a variable. */
export function quietOption(): Option {
  return new Option('-q, --quiet', 'print ids only').conflicts('json');
}

export function companyOption(): Option {
  return new Option('--company <id>', 'the company (or REVEILLE_COMPANY_ID)');
}

export function clientFor(options: ClientOptions): ReveilleClient {
  process.stdout.on('error', leaveQuietly);
  const { url, token, dataDir } = readClientConfig(options);
  // Who types a command wants to know at once that nobody is there.
  return new ReveilleClient({ url, token: token ?? adminToken(dataDir), patienceMs: 0 });
}

/** @throws CliError where neither the option nor the environment names it */
export function companyOf(options: CompanyOptions): string {
  const { companyId } = readClientConfig(options);
  if (companyId === null)
    throw new CliError('--company <id> is missing (or REVEILLE_COMPANY_ID)', ExitCode.usage);
  return companyId;
}

/** Follows the cursors of a list until there are `limit` items, or no more. */
export async function collect<T>(
  limit: number,
  fetchPage: (page: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await fetchPage({ limit: Math.min(limit - items.length, PAGE_LIMIT), cursor });
    items.push(...page.items);
    if (page.nextCursor === null || items.length >= limit) return { items, nextCursor: page.nextCursor };
    cursor = page.nextCursor;
  }
}

/** For options and arguments: a whole number of at least `minimum`. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= minimum) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${minimum}.`);
  };
}

/** For options: a JSON object. */
export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new InvalidArgumentError('It must be a JSON object.');
}

/** A server that asks for no token leaves none. Who is asked for one is told by the server. */
function adminToken(dataDir: string): string | null {
  try {
    return readFileSync(join(dataDir, ADMIN_TOKEN_FILE), 'utf8').trim();
  } catch {
    return null;
  }
}

/** `reveille runs | head`: whoever reads has seen enough. */
function leaveQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(ExitCode.ok);
}
