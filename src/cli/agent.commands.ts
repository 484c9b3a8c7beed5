import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { AgentRequest, AgentView } from './api-client';
import type { ClientOptions, CompanyOptions } from './client-command';
import {
  clientCommand,
  clientFor,
  collect,
  companyOf,
  companyOption,
  jsonObject,
  quietOption,
  wholeNumber,
} from './client-command';
import { CliError, ExitCode } from './failures';
import { printDetails, printJson, printLines, printTable } from './output';
import { ago, dollars } from './text';

interface AddOptions extends CompanyOptions {
  configFile?: string;
  adapter?: string;
  command?: string;
  arg?: string[];
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string;
  policy?: Record<string, unknown>;
  externalKey?: string;
  requiresApproval?: boolean;
  quiet?: boolean;
}

const statusCommands = {
  pause: 'pause an agent: its runs are ended, and what waits is held',
  resume: 'resume a paused agent',
  approve: 'approve an agent that was registered with --requires-approval',
  terminate: 'terminate an agent for good: its runs are ended, and what waits is cancelled',
} as const;

export function addAgentCommands(program: Command): void {
  const agent = program.command('agent').description('what can be woken');
  addRegistration(agent);

  clientCommand(agent, 'list', 'list the agents of a company')
    .addOption(companyOption())
    .option('--status <status>', 'only those: pending_approval, idle, running, error, paused or terminated')
    .option('--limit <n>', 'at most so many', wholeNumber(1), 100)
    .addOption(quietOption())
    .action(async (options: CompanyOptions & { status?: string; limit: number; quiet?: boolean }) => {
      const api = clientFor(options);
      const [company, { status, limit }] = [companyOf(options), options];
      const page = await collect(limit, (range) => api.agents(company, { status, ...range }));
      if (options.json) return printJson(page);
      if (options.quiet) return printLines(page.items.map(({ id }) => id));
      printTable(columns, page.items);
    });

  clientCommand(agent, 'show <id>', 'show an agent').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).agent(id), options);
  });

  for (const change of Object.keys(statusCommands) as (keyof typeof statusCommands)[]) {
    clientCommand(agent, `${change} <id>`, statusCommands[change]).action(
      async (id: string, options: ClientOptions) => {
        show(await clientFor(options).changeAgentStatus(id, change), options);
      },
    );
  }
}

function addRegistration(agent: Command): void {
  clientCommand(agent, 'add [name]', 'register an agent')
    .addOption(companyOption())
    .option('--config-file <file>', 'the whole registration as JSON; the name and other options come on top')
    .option('--adapter <type>', 'how it is executed (default: process)')
    .option('--command <command>', 'the program that is the agent')
    .option('--arg <argument>', 'an argument of the program; may be repeated', collectArgument)
    .option('--cwd <folder>', "where it works (default: a folder of the run's own)")
    .option('--env <name=value>', 'a variable of its environment; may be repeated', collectVariable)
    .option(
      '--stdin <text>',
      'what it reads from its standard input; {{context.x}} is filled in, as in --arg',
    )
    .option(
      '--policy <json>',
      'when it may be woken, e.g. {"maxConcurrentRuns": 2, "timeoutSec": 60}',
      jsonObject,
    )
    .option('--external-key <key>', 'your own name for it: registering it again answers the same agent')
    .option('--requires-approval', 'it cannot be woken before `agent approve`')
    .addOption(quietOption())
    .addHelpText(
      'after',
      "\nExample: reveille agent add hello --company ID --command sh --arg=-c --arg='echo hi'",
    )
    .action(async (name: string | undefined, options: AddOptions) => {
      const request = registration(name, options);
      const added = await clientFor(options).registerAgent(companyOf(options), request);
      if (options.quiet) printLines([added.id]);
      else show(added, options);
    });
}

/** What the file says, and over it what the options say; the rest is the server's to check. */
function registration(name: string | undefined, options: AddOptions): AgentRequest {
  const { configFile, adapter, command, arg, cwd, env, stdin, policy, externalKey, requiresApproval } =
    options;
  const file: Partial<AgentRequest> = configFile === undefined ? {} : readRegistration(configFile);
  if (configFile === undefined && name === undefined)
    throw new CliError('the name is missing', ExitCode.usage);
  if (configFile === undefined && command === undefined) {
    throw new CliError('--command <command> is missing (or --config-file)', ExitCode.usage);
  }
  // The server has another working folder than whoever types a path.
  const invocation = { command, args: arg, cwd: cwd === undefined ? undefined : resolve(cwd), env, stdin };
  return {
    ...file,
    ...givenOf({ name, externalKey, requiresApproval }),
    adapterType: adapter ?? file.adapterType ?? 'process',
    adapterConfig: { ...file.adapterConfig, ...givenOf(invocation) },
    ...(policy && { runtimeConfig: { heartbeat: policy } }),
  } as AgentRequest;
}

function readRegistration(file: string): Partial<AgentRequest> {
  try {
    return jsonObject(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CliError(`--config-file: ${file}: ${(error as Error).message}`, ExitCode.usage);
  }
}

function givenOf(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function collectArgument(argument: string, before: string[] = []): string[] {
  return [...before, argument];
}

function collectVariable(assignment: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be of the form NAME=VALUE.');
  return { ...before, [assignment.slice(0, equals)]: assignment.slice(equals + 1) };
}

const columns = [
  { title: 'AGENT', of: ({ id }: AgentView) => id },
  { title: 'NAME', of: ({ name }: AgentView) => name },
  { title: 'STATUS', of: ({ status }: AgentView) => status },
  { title: 'ADAPTER', of: ({ adapterType }: AgentView) => adapterType },
  { title: 'RUNNING', of: ({ activeRunIds }: AgentView) => `${activeRunIds.length}`, alignsRight: true },
  { title: 'LAST RUN', of: ({ lastHeartbeatAt }: AgentView) => ago(lastHeartbeatAt) },
  {
    title: 'THIS MONTH',
    of: ({ spentMonthMicros }: AgentView) => dollars(spentMonthMicros),
    alignsRight: true,
  },
];

function show(agent: AgentView & { cancelledRuns?: string[] }, { json }: ClientOptions): void {
  if (json) return printJson(agent);
  const { heartbeat } = agent.runtimeConfig;
  printDetails({
    agent: agent.id,
    name: agent.name,
    'external key': agent.externalKey,
    company: agent.companyId,
    status: agent.statusReason === null ? agent.status : `${agent.status} (${agent.statusReason})`,
    'running now': listed(agent.activeRunIds),
    'runs ended': listed(agent.cancelledRuns ?? []),
    'last run': ago(agent.lastHeartbeatAt),
    'this month': dollars(agent.spentMonthMicros),
    adapter: `${agent.adapterType} ${JSON.stringify(agent.adapterConfig)}`,
    'when busy': `${heartbeat.whenBusy}, at most ${heartbeat.maxConcurrentRuns} at once`,
    created: ago(agent.createdAt),
  });
}

function listed(ids: readonly string[]): string | null {
  return ids.length === 0 ? null : ids.join(', ');
}
