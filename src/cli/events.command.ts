import type { Command } from 'commander';
import type { FollowQuery, LiveMessage } from '../client';
import type { CompanyOptions } from './client-command';
import { clientCommand, clientFor, collect, companyOf, companyOption, wholeNumber } from './client-command';
import { printJson, printLines } from './output';
import { clockTime, printable } from './text';

interface EventsOptions extends CompanyOptions {
  follow?: boolean;
  agent?: string;
  run?: string;
  logs?: boolean;
  after?: string;
  limit: number;
}

export function addEventsCommand(program: Command): void {
  clientCommand(program, 'events', 'what happens in a company')
    .addOption(companyOption())
    .option(
      '-f, --follow',
      'go on as it happens, from now on or behind --after; with --json one message a line',
    )
    .option('--agent <id>', 'only what concerns this agent')
    .option('--run <id>', 'only what concerns this run')
    .option('--logs', 'also what runs write')
    .option('--after <position>', 'a position, or the cursor of a message: only what came after it')
    .option('--limit <n>', 'at most so many (without --follow)', wholeNumber(1), 200)
    .action(events);
}

async function events(options: EventsOptions): Promise<void> {
  const api = clientFor(options);
  const { follow, agent: agentId, run: runId, logs = false, after, limit, json } = options;
  const company = companyOf(options);
  const query: FollowQuery = { agentId, runId, logs };
  if (follow) {
    for await (const message of api.followCompany(company, { ...query, after })) {
      printLines([json ? JSON.stringify(message) : messageLine(message)]);
    }
    return;
  }
  const page = await collect(limit, ({ limit: pageLimit, cursor = after }) =>
    api.liveMessages(company, { ...query, after: cursor, limit: pageLimit }),
  );
  if (json) printJson(page);
  else printLines(page.items.map(messageLine));
}

/** One message in one line: what it says of whom, by the names of the payload. */
export function messageLine({ cursor, at, type, payload }: LiveMessage): string {
  const facts = Object.entries(payload).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
  return printable(`${cursor.padStart(6)}  ${clockTime(at)}  ${type.padEnd(20)}  ${facts.join(' ')}`);
}
