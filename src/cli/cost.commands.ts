import type { Command } from 'commander';
import { Option } from 'commander';
import type { CostsView, Grouping, PriceTableRequest, PriceTableView } from '../client';
import type { CompanyOptions } from './client-command';
import { clientCommand, clientFor, companyOf, companyOption, jsonObject, readInput } from './client-command';
import { CliError, ExitCode } from './failures';
import { printJson, printLines, printTable } from './output';
import { dollars } from './text';

const groupings: Grouping[] = ['agent', 'model', 'source', 'day', 'month', 'run', 'provider'];

type CostGroup = CostsView['items'][number];
type ModelPrice = PriceTableView['prices'][number];

interface CostsOptions extends CompanyOptions {
  from?: string;
  to?: string;
  by: Grouping;
}

export function addCostCommands(program: Command): void {
  clientCommand(program, 'costs', 'what a company has spent')
    .addOption(companyOption())
    .option('--from <time>', 'a date (its beginning, in UTC), or a time with its zone')
    .option('--to <time>', 'the same, exclusive')
    .addOption(new Option('--by <group>', 'what a line stands for').choices(groupings).default('day'))
    .action(costs);

  const prices = program.command('prices').description('what models cost a company');
  clientCommand(prices, 'show', "show a company's own prices: they go before the built-in ones")
    .addOption(companyOption())
    .action(async (options: CompanyOptions) => {
      showPrices(await clientFor(options).prices(companyOf(options)), options);
    });
  clientCommand(
    prices,
    'set <file>',
    "replace a company's own prices by those of a JSON file (`-`: standard input)",
  )
    .addOption(companyOption())
    .addHelpText(
      'after',
      '\nThe file is what `prices show --json` prints: {"prices": [{"provider", "model", "validFrom",' +
        '\n"inputMicros", "outputMicros", "cachedInputMicros"}]}, in micro-dollars per million tokens.',
    )
    .action(async (file: string, options: CompanyOptions) => {
      const company = companyOf(options);
      showPrices(await clientFor(options).putPrices(company, readPrices(file)), options);
    });
}

async function costs(options: CostsOptions): Promise<void> {
  const { from, to, by } = options;
  const spent = await clientFor(options).costs(companyOf(options), { from, to, groupBy: by });
  if (options.json) return printJson(spent);
  const number = (title: string, of: (group: CostGroup) => string) => ({ title, of, alignsRight: true });
  printTable(
    [
      { title: by.toUpperCase(), of: ({ key }: CostGroup) => key },
      number('COST', ({ costMicros }) => dollars(costMicros)),
      number('RUNS', ({ runs }) => `${runs}`),
      number('UNPRICED', ({ unpricedRuns }) => `${unpricedRuns}`),
      number('INPUT', ({ inputTokens }) => `${inputTokens}`),
      number('CACHED', ({ cachedInputTokens }) => `${cachedInputTokens}`),
      number('OUTPUT', ({ outputTokens }) => `${outputTokens}`),
    ],
    spent.items,
  );
  printLines([`total ${dollars(spent.totalMicros)}`]);
}

function readPrices(file: string): PriceTableRequest {
  try {
    return jsonObject(readInput(file)) as PriceTableRequest;
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${file}: ${(error as Error).message}`, ExitCode.usage);
  }
}

function showPrices(table: PriceTableView, { json }: CompanyOptions): void {
  if (json) return printJson(table);
  const price = (title: string, of: (price: ModelPrice) => number) => ({
    title,
    of: (row: ModelPrice) => dollars(of(row)),
    alignsRight: true,
  });
  printTable(
    [
      { title: 'PROVIDER', of: ({ provider }: ModelPrice) => provider },
      { title: 'MODEL', of: ({ model }: ModelPrice) => model },
      { title: 'FROM', of: ({ validFrom }: ModelPrice) => validFrom.slice(0, 10) },
      price('INPUT/M', ({ inputMicros }) => inputMicros),
      price('CACHED/M', ({ cachedInputMicros }) => cachedInputMicros),
      price('OUTPUT/M', ({ outputMicros }) => outputMicros),
    ],
    table.prices,
  );
}
