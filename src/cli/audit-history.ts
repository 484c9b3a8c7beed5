import { open, rename } from 'node:fs/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { AsOfAnswer, WhyAnswer } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor } from './client-command';
import { CliError, ExitCode } from './failures';
import { printDetails, printJson, printLines } from './output';
import { outcomeText } from './run-text';
import { dollars, printable } from './text';

interface AsOfOptions extends ClientOptions {
  agent?: string;
  run?: string;
  company?: string;
  groupBy?: 'agent' | 'model' | 'source' | 'day' | 'month' | 'run' | 'provider';
  position?: string;
  at?: string;
}

export function addHistoryCommands(audit: Command): void {
  clientCommand(audit, 'as-of', 'an agent, a run, or the spend of a company as it was')
    .option('--agent <id>', 'an agent, with its runtime state')
    .option('--run <id>', 'a run')
    .option('--company <id>', 'what a company had spent')
    .addOption(
      new Option('--group-by <what>', 'of the spend').choices(['agent', 'model', 'source', 'day', 'month']),
    )
    .option('--position <position>', 'the last position that is in it')
    .option('--at <time>', 'ISO 8601: what came later is not in it')
    .action(asOf);
  clientCommand(audit, 'why', 'what led to a run or a wakeup, what was decided, and what came of it')
    .option('--run <id>', 'a run, with all the wakeups that it stands for')
    .option('--wakeup <id>', 'a wakeup, with the run that it became')
    .action(why);
  clientCommand(audit, 'bundle <run>', 'all about one run, in one file')
    .requiredOption('--out <file>', 'where it goes')
    .action(bundle);
}

async function asOf(options: AsOfOptions): Promise<void> {
  const { agent: agentId, run: runId, company: companyId, groupBy, position, at } = options;
  const named = [agentId, runId, companyId].filter((id) => id !== undefined);
  if (named.length !== 1) throw new CliError('name one of --agent, --run and --company', ExitCode.usage);
  if ((position === undefined) === (at === undefined))
    throw new CliError('name one of --position and --at', ExitCode.usage);
  const state = await clientFor(options).asOf({ agentId, runId, companyId, groupBy, position, at });
  if (options.json) printJson(state);
  else show(state);
}

function show({ position, at, agent, runtimeState, run, spend }: AsOfAnswer): void {
  const asOf = { 'as of': `${at}, position ${position}` };
  if (agent) {
    const { name, status, statusReason, lastHeartbeatAt, activeRunIds, version } = agent;
    printDetails({
      ...{ agent: agent.id, ...asOf, name, status, reason: statusReason },
      'last heartbeat': lastHeartbeatAt,
      'active runs': activeRunIds.join(', ') || null,
      ...{ version: `${version}`, session: runtimeState?.sessionId ?? null },
      'last run': runtimeState?.lastRunId ?? null,
      'spent in all': dollars(runtimeState?.totalCostMicros ?? 0),
    });
  }
  if (run) printDetails({ run: run.id, ...asOf, agent: run.agentId, outcome: outcomeText(run) });
  if (spend) {
    printDetails({ ...asOf, spent: dollars(spend.totalMicros) });
    printLines(
      spend.items.map(
        ({ key, costMicros, runs }) => `  ${printable(key)}  ${dollars(costMicros)}  ${runs} runs`,
      ),
    );
  }
}

async function why(options: ClientOptions & { run?: string; wakeup?: string }): Promise<void> {
  const { run: runId, wakeup: wakeupId } = options;
  if ((runId === undefined) === (wakeupId === undefined))
    throw new CliError('name one of --run and --wakeup', ExitCode.usage);
  const answer = await clientFor(options).why({ runId, wakeupId });
  if (options.json) printJson(answer);
  else printLines(storyLines(answer));
}

/** To be read from top to bottom by somebody who was not there. */
function storyLines({ companyId, agentId, runId, wakeupId, steps }: WhyAnswer): string[] {
  const subject = runId === null ? `wakeup ${wakeupId}` : `run ${runId}`;
  const lines = steps.map(({ at, role, text, position, eventId }) =>
    printable(`${at}  ${role.padEnd(11)}  ${text}  [${position}, ${eventId}]`),
  );
  return [`${subject} of agent ${agentId} (company ${companyId}); [position, event id]`, ...lines];
}

/** In its place only when it is whole. */
async function bundle(runId: string, options: ClientOptions & { out: string }): Promise<void> {
  const { out } = options;
  const draft = `${out}.part`;
  const file = await open(draft, 'w', 0o600).catch((error: Error) => {
    throw new CliError(`cannot write ${draft}: ${error.message}`, ExitCode.failed);
  });
  try {
    for await (const bytes of clientFor(options).bundle(runId)) await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, out);
  printLines([out]);
}
