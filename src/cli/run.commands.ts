import type { Command } from 'commander';
import { Option } from 'commander';
import type { OutputStream, ReveilleClient, RunEventView, RunStatus, RunView } from '../client';
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
import { messageLine } from './events.command';
import { ExitCode } from './failures';
import { printOutput, printDetails, printJson, printLines, printTable } from './output';
import { outcomeText } from './run-text';
import { ago, byteCount, clockTime, dollars, printable, took } from './text';

const statuses: RunStatus[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out'];

interface ListOptions extends CompanyOptions {
  agent?: string;
  status?: RunStatus;
  limit: number;
  quiet?: boolean;
}

interface EventsOptions extends ClientOptions {
  follow?: boolean;
  after: number;
  limit: number;
}

interface LogOptions extends ClientOptions {
  follow?: boolean;
  stream?: OutputStream;
  offset: number;
}

export function addRunCommands(program: Command): void {
  clientCommand(program, 'runs', 'list the runs of a company, newest first')
    .addOption(companyOption())
    .option('--agent <id>', 'only those of this agent')
    .addOption(new Option('--status <status>', 'only those').choices(statuses))
    .option('--limit <n>', 'at most so many', wholeNumber(1), 20)
    .addOption(quietOption())
    .action(list);

  const run = program.command('run').description('single executions');
  clientCommand(run, 'show <id>', 'show a run').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).run(id), options);
  });
  clientCommand(run, 'cancel <id>', 'end a run; does not wait until it has ended').action(
    async (id: string, options: ClientOptions) => show(await clientFor(options).cancelRun(id), options),
  );
  clientCommand(
    run,
    'follow <id>',
    'what happens in a run, until it is over; the exit code is 0 only if it succeeded',
  )
    .option('--logs', 'also what it writes')
    .option('--after <cursor>', 'only what came after that message')
    .action(follow);
  clientCommand(run, 'events <id>', 'what happened in a run')
    .option('-f, --follow', 'go on until the run is over; with --json one event a line')
    .option('--after <seq>', 'only what came after that number', wholeNumber(0), 0)
    .option('--limit <n>', 'at most so many (without --follow)', wholeNumber(1), 1_000)
    .action(events);
  clientCommand(run, 'log <id>', 'what a run has written, byte for byte')
    .addOption(new Option('-f, --follow', 'go on until the run has written all').conflicts('json'))
    .addOption(new Option('--stream <stream>', 'only this one (default: both)').choices(['stdout', 'stderr']))
    .option('--offset <bytes>', 'begin there', wholeNumber(0), 0)
    .action(log);
}

async function list(options: ListOptions): Promise<void> {
  const api = clientFor(options);
  const [company, { agent: agentId, status, limit }] = [companyOf(options), options];
  const page = await collect(limit, (range) => api.runs(company, { agentId, status, ...range }));
  if (options.json) return printJson(page);
  if (options.quiet) return printLines(page.items.map(({ id }) => id));
  const names = await agentNames(api, page.items);
  printTable(
    [
      { title: 'RUN', of: ({ id }: RunView) => id },
      { title: 'AGENT', of: (run: RunView) => names.get(run.agentId ?? '') ?? '-' },
      { title: 'STATUS', of: ({ status }: RunView) => status },
      { title: 'SOURCE', of: ({ invocationSource }: RunView) => invocationSource ?? '-' },
      { title: 'QUEUED', of: ({ queuedAt }: RunView) => ago(queuedAt) },
      { title: 'TOOK', of: (run: RunView) => took(run.startedAt, run.finishedAt), alignsRight: true },
      { title: 'EXIT', of: ({ exitCode }: RunView) => `${exitCode ?? '-'}`, alignsRight: true },
      { title: 'COST', of: ({ costMicros }: RunView) => dollars(costMicros), alignsRight: true },
      { title: 'ERROR', of: ({ error }: RunView) => error ?? '' },
    ],
    page.items,
  );
}

async function agentNames(api: ReveilleClient, runs: readonly RunView[]): Promise<Map<string, string>> {
  const ids = new Set(runs.flatMap(({ agentId }) => agentId ?? []));
  const agents = await Promise.all([...ids].map((id) => api.agent(id)));
  return new Map(agents.map(({ id, name }) => [id, name]));
}

async function follow(
  runId: string,
  options: ClientOptions & { logs?: boolean; after?: string },
): Promise<void> {
  const api = clientFor(options);
  const { logs, after, json } = options;
  for await (const message of api.follow(runId, { logs, after })) {
    printLines([json ? JSON.stringify(message) : messageLine(message)]);
  }
  const { status } = await api.run(runId);
  process.exitCode = status === 'succeeded' ? ExitCode.ok : ExitCode.failed;
}

async function events(runId: string, options: EventsOptions): Promise<void> {
  const api = clientFor(options);
  const { follow, after, limit, json } = options;
  if (follow) {
    for await (const event of api.followRunEvents(runId, after)) {
      printLines([json ? JSON.stringify(event) : eventLine(event)]);
    }
    return;
  }
  const page = await collect(limit, ({ limit: pageLimit, cursor }) =>
    api.runEvents(runId, { afterSeq: cursor === undefined ? after : Number(cursor), limit: pageLimit }),
  );
  if (json) printJson(page);
  else printLines(page.items.map(eventLine));
}

function eventLine({ seq, at, eventType, message }: RunEventView): string {
  return `${String(seq).padStart(4)}  ${clockTime(at)}  ${eventType.padEnd(14)}  ${printable(message)}`;
}

async function log(runId: string, options: LogOptions): Promise<void> {
  const api = clientFor(options);
  const { stream, offset } = options;
  if (options.json) return printJson(await api.logPage(runId, { stream, offset }));
  const place = { stream, offset };
  const output = options.follow ? api.followLog(runId, place) : api.log(runId, place);
  await printOutput(output);
}

function show(run: RunView, { json }: ClientOptions): void {
  if (json) return printJson(run);
  const { usage } = run;
  printDetails({
    run: run.id,
    agent: run.agentId,
    outcome: outcomeText(run),
    'to be ended': run.finishedAt === null ? run.endCause : null,
    'woken by': [run.invocationSource, run.triggerDetail].filter(Boolean).join(', '),
    wakeups: `${run.coalescedCount + 1}`,
    attempt: run.attempt === 1 ? null : `${run.attempt}, of run ${run.retryOfRunId}`,
    queued: ago(run.queuedAt),
    started: run.startedAt && ago(run.startedAt),
    tokens: usage && `${usage.inputTokens} in (${usage.cachedInputTokens} cached), ${usage.outputTokens} out`,
    session: run.sessionIdAfter ?? run.sessionIdBefore,
    result: run.resultJson === null ? null : JSON.stringify(run.resultJson),
    log: run.logBytes === null ? null : `${byteCount(run.logBytes)}: reveille run log ${run.id}`,
  });
}
