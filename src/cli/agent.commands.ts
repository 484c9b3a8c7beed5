import type { Command } from 'commander';
import { Option } from 'commander';
import type { AgentStatus, AgentView, RuntimeStateView } from '../client';
import type { ConfigurationOptions, RegistrationOptions } from './agent-registration';
import { addConfigurationOptions, patchOf, registrationOf } from './agent-registration';
import type { ClientOptions, CompanyOptions } from './client-command';
import {
  clientCommand,
  clientFor,
  collect,
  companyOf,
  companyOption,
  quietOption,
  wholeNumber,
} from './client-command';
import { printDetails, printJson, printLines, printTable } from './output';
import { ago, dollars } from './text';

const statuses: AgentStatus[] = ['pending_approval', 'idle', 'running', 'error', 'paused', 'terminated'];

const statusCommands = {
  pause: 'pause an agent: its runs are ended, and what waits is held',
  resume: 'resume a paused agent',
  approve: 'approve an agent that was registered with --requires-approval',
  terminate: 'terminate an agent for good: its runs are ended, and what waits is cancelled',
} as const;

export function addAgentCommands(program: Command): void {
  const agent = program.command('agent').description('what can be woken');
  addRegistration(agent);
  addList(agent);
  clientCommand(agent, 'show <id>', 'show an agent').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).agent(id), options);
  });
  addUpdate(agent);
  for (const change of Object.keys(statusCommands) as (keyof typeof statusCommands)[]) {
    clientCommand(agent, `${change} <id>`, statusCommands[change]).action(
      async (id: string, options: ClientOptions) => {
        show(await clientFor(options).changeAgentStatus(id, change), options);
      },
    );
  }
  addStateCommands(agent);
}

function addRegistration(agent: Command): void {
  const command = clientCommand(agent, 'add [name]', 'register an agent').addOption(companyOption());
  addConfigurationOptions(command)
    .option('--external-key <key>', 'your own name for it: registering it again answers the same agent')
    .option('--requires-approval', 'it cannot be woken before `agent approve`')
    .addOption(quietOption())
    .addHelpText(
      'after',
      "\nExample: reveille agent add hello --company ID --command sh --arg=-c --arg='echo hi'",
    )
    .action(
      async (
        name: string | undefined,
        options: RegistrationOptions & CompanyOptions & { quiet?: boolean },
      ) => {
        const request = registrationOf({ ...options, name });
        const added = await clientFor(options).registerAgent(companyOf(options), request);
        if (options.quiet) printLines([added.id]);
        else show(added, options);
      },
    );
}

function addUpdate(agent: Command): void {
  const command = clientCommand(
    agent,
    'update <id>',
    'change how an agent is configured: what is not said stays',
  );
  addConfigurationOptions(command)
    .option('--name <name>', 'what it is called')
    .option('--if-version <n>', 'only if that is its version (see `agent show --json`)', wholeNumber(1))
    .addHelpText(
      'after',
      '\nExample: reveille agent update ID --policy \'{"timeoutSec": 60, "retry": null}\'',
    )
    .action(async (id: string, options: ConfigurationOptions & ClientOptions & { ifVersion?: number }) => {
      show(await clientFor(options).patchAgent(id, patchOf(options), options.ifVersion), options);
    });
}

function addList(agent: Command): void {
  clientCommand(agent, 'list', 'list the agents of a company')
    .addOption(companyOption())
    .addOption(new Option('--status <status>', 'only those').choices(statuses))
    .option('--limit <n>', 'at most so many', wholeNumber(1), 100)
    .addOption(quietOption())
    .action(async (options: CompanyOptions & { status?: AgentStatus; limit: number; quiet?: boolean }) => {
      const api = clientFor(options);
      const [company, { status, limit }] = [companyOf(options), options];
      const page = await collect(limit, (range) => api.agents(company, { status, ...range }));
      if (options.json) return printJson(page);
      if (options.quiet) return printLines(page.items.map(({ id }) => id));
      printTable(columns, page.items);
    });
}

function addStateCommands(agent: Command): void {
  const task = () => new Option('--task-key <key>', 'of one of its tasks');
  type TaskOptions = ClientOptions & { taskKey?: string };
  clientCommand(agent, 'state <id>', 'what an agent carries from run to run: session, last error, totals')
    .addOption(task())
    .action(async (id: string, options: TaskOptions) => {
      const { taskKey } = options;
      showState(await clientFor(options).runtimeState(id, { taskKey }), options);
    });
  clientCommand(agent, 'reset-session <id>', 'forget session, state and last error of an agent')
    .addOption(task())
    .action(async (id: string, options: TaskOptions) => {
      const { taskKey } = options;
      showState(await clientFor(options).resetSession(id, { taskKey }), options);
    });
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
    'timer due': agent.nextDueAt,
    'this month': dollars(agent.spentMonthMicros),
    adapter: `${agent.adapterType} ${JSON.stringify(agent.adapterConfig)}`,
    'when busy': `${heartbeat.whenBusy}, at most ${heartbeat.maxConcurrentRuns} at once`,
    created: ago(agent.createdAt),
  });
}

function showState(state: RuntimeStateView, { json }: ClientOptions): void {
  if (json) return printJson(state);
  printDetails({
    agent: state.agentId,
    task: state.taskKey,
    session: state.sessionDisplayId ?? '-',
    state: state.stateJson === null ? null : JSON.stringify(state.stateJson),
    'last run': state.lastRunId === null ? '-' : `${state.lastRunId} ${state.lastRunStatus}`,
    'last error': state.lastError,
    tokens: `${state.totalInputTokens} in (${state.totalCachedInputTokens} cached), ${state.totalOutputTokens} out`,
    cost: dollars(state.totalCostMicros),
    updated: ago(state.updatedAt),
  });
}

function listed(ids: readonly string[]): string | null {
  return ids.length === 0 ? null : ids.join(', ');
}
