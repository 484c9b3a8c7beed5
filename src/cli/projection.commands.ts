import type { Command } from 'commander';
import { Option } from 'commander';
import type { ConsumerAnswer, JobAnswer, ReveilleClient } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor } from './client-command';
import { CliError, ExitCode } from './failures';
import { printDetails, printJson, printLines, printTable, say } from './output';
import { comparisonLines, progressText, rebuiltText } from './projection-text';

interface JobOptions extends ClientOptions {
  all?: boolean;
  /** False with `--no-wait`. */
  wait: boolean;
  /** False with `--no-swap`. */
  swap?: boolean;
}

/** How often progress is told. */
const TELL_EVERY_MS = 2_000;

export function addProjectionCommands(program: Command): void {
  const projections = program
    .command('projections')
    .description('read models, and what else follows the log: list, compare, rebuild, swap, retry');
  clientCommand(projections, 'list', 'how far each has come, and which has stopped (the default)', {
    isDefault: true,
  }).action(list);
  jobCommand(projections, 'compare', 'whether the documents are what the log makes of them').addHelpText(
    'after',
    '\nThe exit code is 0 where they all are, and 1 where one is not. Documents that change meanwhile are compared as\n' +
      'they were; reads and writes go on.' +
      '\nWith --json the answer is {equal, items: [job]}, where a job has what was found as its `result`.',
  );
  const rebuild = jobCommand(projections, 'rebuild', 'make the documents anew from the log');
  rebuild.addOption(new Option('--no-swap', 'compare them with the live ones, and let them wait for a swap'));
  rebuild.addHelpText(
    'after',
    '\nReads are answered from the old documents until the new ones are complete. A rebuild goes on without this\n' +
      'command, and over a restart of the server; `projections cancel` ends it.' +
      '\nWith --json the answer is {items: [job]}.',
  );
  jobCommand(
    projections,
    'swap',
    'let the documents that a rebuild has made take the place of the live ones',
  );
  clientCommand(projections, 'retry <name>', 'let one that has stopped try again').action(retry);
  clientCommand(projections, 'cancel <name>', 'end the rebuild or comparison that goes on').action(cancel);
}

function jobCommand(projections: Command, kind: JobAnswer['kind'], description: string): Command {
  return clientCommand(projections, `${kind} [name]`, description)
    .option('--all', 'every projection, one after the other')
    .addOption(new Option('--no-wait', 'start it, and do not wait for its end'))
    .action((name: string | undefined, options: JobOptions) => perform(kind, name, options));
}

async function list(options: ClientOptions): Promise<void> {
  const answer = await clientFor(options).projections();
  if (options.json) return printJson(answer);
  printTable(
    [
      { title: 'NAME', of: ({ name }: ConsumerAnswer) => name },
      { title: 'KIND', of: ({ kind }: ConsumerAnswer) => kind },
      { title: 'STATUS', of: ({ status }: ConsumerAnswer) => status },
      { title: 'POSITION', of: ({ position }: ConsumerAnswer) => position, alignsRight: true },
      { title: 'LAG', of: ({ lag }: ConsumerAnswer) => lag, alignsRight: true },
      { title: 'JOB', of: ({ job }: ConsumerAnswer) => (job ? `${job.kind} ${progressText(job)}` : '-') },
      { title: 'REASON', of: ({ stoppedBy, ailment }: ConsumerAnswer) => stoppedBy ?? ailment ?? '' },
    ],
    answer.items,
  );
}

async function perform(
  kind: JobAnswer['kind'],
  name: string | undefined,
  options: JobOptions,
): Promise<void> {
  const api = clientFor(options);
  const items: JobAnswer[] = [];
  for (const projection of await namesOf(api, name, options)) {
    const started = await api.startProjectionJob(
      kind,
      projection,
      options.swap === false ? { swap: false } : undefined,
    );
    const job = options.wait ? await untilOver(api, started, options) : started;
    items.push(job);
    if (!options.json) tell(job);
  }
  const areAllWell = items.every(isWell);
  if (options.json) printJson(kind === 'compare' && options.wait ? { equal: areAllWell, items } : { items });
  if (options.wait && !areAllWell) process.exitCode = ExitCode.failed;
}

async function namesOf(
  api: ReveilleClient,
  name: string | undefined,
  { all }: JobOptions,
): Promise<string[]> {
  if ((name === undefined) === (all !== true)) {
    throw new CliError('name one projection, or say --all', ExitCode.usage);
  }
  if (name !== undefined) return [name];
  const { items } = await api.projections();
  return items.filter(({ kind }) => kind === 'projection').map((consumer) => consumer.name);
}

async function untilOver(api: ReveilleClient, started: JobAnswer, { json }: JobOptions): Promise<JobAnswer> {
  let job = started;
  let toldAtMs = Date.now();
  for await (job of api.followProjectionJob(started.id)) {
    if (json || Date.now() - toldAtMs < TELL_EVERY_MS) continue;
    say(`${job.kind} of ${job.projection}: ${progressText(job)}`);
    toldAtMs = Date.now();
  }
  return job;
}

/** A rebuild is there to make a difference. */
function isWell({ kind, status, result }: JobAnswer): boolean {
  return status === 'succeeded' && (kind !== 'compare' || result === null || result.equal);
}

function tell(job: JobAnswer): void {
  const { kind, projection, status, error, result } = job;
  if (status === 'failed' || status === 'cancelled') {
    printLines([
      `${projection}: the ${kind} ${status === 'failed' ? `has failed: ${error}` : 'was cancelled'}`,
    ]);
  } else if (status !== 'succeeded') printLines([`${projection}: ${kind} ${progressText(job)}`]);
  else if (result === null) printLines([rebuiltText(job)]);
  else {
    const waits = `${projection}: \`reveille projections swap ${projection}\` makes the rebuilt documents the live ones`;
    printLines([...comparisonLines(projection, result), ...(kind === 'rebuild' ? [waits] : [])]);
  }
}

async function retry(name: string, options: ClientOptions): Promise<void> {
  const consumer = await clientFor(options).retryProjection(name);
  if (options.json) return printJson(consumer);
  const { kind, status, position, lag, stoppedBy, ailment } = consumer;
  printDetails({ [kind]: name, status, position, lag, reason: stoppedBy ?? ailment });
}

async function cancel(name: string, options: ClientOptions): Promise<void> {
  const api = clientFor(options);
  const { items } = await api.projections();
  const going = items.find((consumer) => consumer.name === name)?.job;
  if (!going) throw new CliError(`no rebuild or comparison of ${name} is going on`, ExitCode.failed);
  const job = await api.cancelProjectionJob(going.id);
  if (options.json) printJson(job);
  else printLines([`${name}: the ${job.kind} is being cancelled`]);
}
