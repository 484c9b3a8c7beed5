import type { Command } from 'commander';
import { Option } from 'commander';
import type { ReveilleClient, RunView, WakeAnswer, WakeRequest, WakeupView } from '../client';
import { hasSucceeded } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, jsonObject, wholeNumber } from './client-command';
import { decisionText } from './decision';
import { ExitCode } from './failures';
import { printOutput, printJson, printLines, say } from './output';
import { outcomeText } from './run-text';
import { printable } from './text';

interface WakeOptions extends ClientOptions {
  reason?: string;
  payload?: Record<string, unknown>;
  context?: Record<string, unknown>;
  key?: string;
  source?: WakeRequest['source'];
  notBefore?: string;
  priority?: number;
  taskKey?: string;
  coalesceKey?: string;
  wait?: boolean;
  follow?: boolean;
}

const LOWEST_PRIORITY = -1_000_000;
const sources: NonNullable<WakeRequest['source']>[] = ['timer', 'assignment', 'on_demand', 'automation'];

export function addWakeCommands(program: Command): void {
  addWakeCommand(program, 'wake', 'wake an agent');
  addWakeCommand(
    program,
    'invoke',
    'wake an agent by hand: a circuit that its failures have opened lets it pass',
  );
}

function addWakeCommand(program: Command, name: 'wake' | 'invoke', description: string): void {
  clientCommand(program, `${name} <agent-id>`, description)
    .option('--reason <text>', 'why')
    .option('--payload <json>', 'what it is about', jsonObject)
    .option('--context <json>', 'what the agent finds in its context file', jsonObject)
    .option('--key <key>', 'idempotency key: a repeat within 24 h is answered like the first request')
    .addOption(new Option('--source <source>', 'what asks for it (default: on_demand)').choices(sources))
    .option('--not-before <time>', 'wait until then: ISO 8601, with its zone')
    .option('--priority <n>', 'queued runs of a higher one start first', wholeNumber(LOWEST_PRIORITY))
    .option('--task-key <key>', 'the task whose session the run continues')
    .option('--coalesce-key <key>', 'wakeups of one key become one run (default: the whole agent)')
    .option('--wait', 'wait for the end; the exit code is 0 only if the run succeeded')
    .addOption(new Option('--follow', 'print its output as it comes; waits like --wait').conflicts('json'))
    .action((agentId: string, options: WakeOptions) => wake(agentId, options, name === 'invoke'))
    .addHelpText(
      'after',
      '\nWith --follow standard output is what the agent writes, and everything else is said on standard error.' +
        '\nWith --wait, --json answers when all is over: {wakeup, run, position}, as without it.',
    );
}

async function wake(agentId: string, options: WakeOptions, invoke: boolean): Promise<void> {
  const { json, wait, follow } = options;
  const api = clientFor(options);
  const answer = await api.wake(agentId, requestOf(options), { invoke });
  if (!wait && !follow) {
    if (json) printJson(answer);
    else printLines([decisionText(answer)]);
    return;
  }
  const tell = follow ? say : (line: string) => printLines([line]);
  if (!json) tell(decisionText(answer));
  if (follow) await printRunOutput(api, answer);
  const wakeup = await api.untilSettled(answer.wakeup.id);
  const run = wakeup.runId === null ? null : await api.run(wakeup.runId);
  if (json) printJson({ wakeup, run, position: answer.position });
  else tell(endText(wakeup, run));
  process.exitCode = hasSucceeded(wakeup) ? ExitCode.ok : ExitCode.failed;
}

function requestOf(options: WakeOptions): WakeRequest {
  const { reason, payload, context, key, source, notBefore, priority, taskKey, coalesceKey } = options;
  return {
    reason,
    payload,
    contextSnapshot: context,
    idempotencyKey: key,
    source,
    notBefore,
    priority,
    taskKey,
    coalesceKey,
  };
}

async function printRunOutput(api: ReveilleClient, { wakeup }: WakeAnswer): Promise<void> {
  const { runId } = await api.untilRun(wakeup.id);
  if (runId === null) return;
  await printOutput(api.followLog(runId));
}

function endText(wakeup: WakeupView, run: RunView | null): string {
  if (run) return outcomeText(run);
  return printable(`${wakeup.status}: ${wakeup.error ?? wakeup.skipReason ?? 'there was no run'}`);
}
