import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { BudgetRequest, BudgetView } from '../client';
import type { CompanyOptions } from './client-command';
import { clientCommand, clientFor, companyOf, companyOption, wholeNumber } from './client-command';
import { CliError, ExitCode } from './failures';
import { printDetails, printJson } from './output';
import { dollars } from './text';

const MICROS_PER_USD = 1_000_000;

interface BudgetOptions extends CompanyOptions {
  agent?: string;
}

interface SetOptions extends BudgetOptions {
  /** Micro-dollars. */
  usd?: number;
  tokens?: number;
  runs?: number;
  warnAt?: number;
  none?: boolean;
}

export function addBudgetCommands(program: Command): void {
  const budget = program.command('budget').description('what an agent or a company may spend in a month');
  const ofWhom = (usage: string, description: string) =>
    clientCommand(budget, usage, description)
      .addOption(new Option('--agent <id>', 'of this agent, not of the company'))
      .addOption(companyOption());
  ofWhom('get', 'show a budget, and what was spent of it').action(async (options: BudgetOptions) => {
    const api = clientFor(options);
    const { agent } = options;
    show(
      await (agent === undefined ? api.companyBudget(companyOf(options)) : api.agentBudget(agent)),
      options,
    );
  });
  ofWhom('set', 'replace a budget: a limit that is not said is none')
    .option('--usd <dollars>', 'money, to six digits after the point', micros)
    .option('--tokens <n>', 'input, output and cached input together', wholeNumber(0))
    .option('--runs <n>', 'starts', wholeNumber(0))
    .option('--warn-at <share>', 'when to warn: 0.8 is at 80 % of a limit', share)
    .addOption(new Option('--none', 'no budget any more').conflicts(['usd', 'tokens', 'runs', 'warnAt']))
    .addHelpText('after', '\nExample: reveille budget set --agent ID --usd 25 --runs 500')
    .action(async (options: SetOptions) => {
      const api = clientFor(options);
      const body = requestOf(options);
      const { agent } = options;
      const changed =
        agent === undefined
          ? await api.putCompanyBudget(companyOf(options), body)
          : await api.putAgentBudget(agent, body);
      show(changed, options);
    });
}

function requestOf({ usd, tokens, runs, warnAt, none }: SetOptions): BudgetRequest {
  if (!none && usd === undefined && tokens === undefined && runs === undefined) {
    throw new CliError('give --usd, --tokens or --runs, or --none for no budget', ExitCode.usage);
  }
  return { monthlyMicros: usd, monthlyTokens: tokens, monthlyRuns: runs, warnAt };
}

function micros(text: string): number {
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) {
    throw new InvalidArgumentError('It must be an amount of dollars, as 25 or 0.50.');
  }
  return Math.round(Number(text) * MICROS_PER_USD);
}

function share(text: string): number {
  const value = /^\d(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be above 0 and at most 1: 0.8 is 80 %.');
}

function show(budget: BudgetView, { json }: BudgetOptions): void {
  if (json) return printJson(budget);
  const { companyId, agentId, month, state, stoppedBy, resumesAt, spent, warnAt } = budget;
  printDetails({
    ...(agentId === null ? { company: companyId } : { agent: agentId }),
    month: `${month} (UTC)`,
    state,
    'stopped by': stoppedBy.length === 0 ? null : `the budget of the ${stoppedBy.join(', and of the ')}`,
    'goes on': resumesAt,
    money: used(dollars(spent.micros), budget.monthlyMicros, dollars),
    tokens: used(`${spent.tokens}`, budget.monthlyTokens, String),
    runs: used(`${spent.runs}`, budget.monthlyRuns, String),
    'warns at': `${Math.round(warnAt * 100)} %`,
  });
}

function used(amount: string, limit: number | null, shown: (limit: number) => string): string {
  return limit === null ? `${amount}, no limit` : `${amount} of ${shown(limit)}`;
}
