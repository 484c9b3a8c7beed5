import type { Command } from 'commander';
import type { WakeupView } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, collect, quietOption, wholeNumber } from './client-command';
import { printDetails, printJson, printLines, printTable } from './output';
import { ago } from './text';

interface ListOptions extends ClientOptions {
  run?: string;
  limit: number;
  quiet?: boolean;
}

export function addWakeupCommands(program: Command): void {
  clientCommand(program, 'wakeups <agent-id>', "list an agent's wakeups, newest first")
    .option('--run <id>', 'only those that this run stands for')
    .option('--limit <n>', 'at most so many', wholeNumber(1), 20)
    .addOption(quietOption())
    .action(list);

  const wakeup = program.command('wakeup').description('the receipts of requests to wake an agent');
  clientCommand(wakeup, 'show <id>', 'show a wakeup').action(async (id: string, options: ClientOptions) => {
    show(await clientFor(options).wakeup(id), options);
  });
  clientCommand(wakeup, 'cancel <id>', 'cancel an open wakeup, and the run that it made').action(
    async (id: string, options: ClientOptions) => show(await clientFor(options).cancelWakeup(id), options),
  );
}

async function list(agentId: string, options: ListOptions): Promise<void> {
  const api = clientFor(options);
  const { run: runId, limit } = options;
  const page = await collect(limit, (range) => api.wakeups(agentId, { runId, ...range }));
  if (options.json) return printJson(page);
  if (options.quiet) return printLines(page.items.map(({ id }) => id));
  printTable(
    [
      { title: 'WAKEUP', of: ({ id }: WakeupView) => id },
      { title: 'STATUS', of: ({ status }: WakeupView) => status },
      { title: 'SOURCE', of: ({ source }: WakeupView) => source },
      { title: 'REQUESTED', of: ({ requestedAt }: WakeupView) => ago(requestedAt) },
      { title: 'RUN', of: ({ runId }: WakeupView) => runId ?? '-' },
      {
        title: 'REASON',
        of: (wakeup: WakeupView) => wakeup.skipReason ?? wakeup.error ?? wakeup.reason ?? '',
      },
    ],
    page.items,
  );
}

function show(wakeup: WakeupView, { json }: ClientOptions): void {
  if (json) return printJson(wakeup);
  const { runId, runStatus, payload } = wakeup;
  printDetails({
    wakeup: wakeup.id,
    agent: wakeup.agentId,
    status: wakeup.status,
    reason: wakeup.reason,
    'skipped because': wakeup.skipReason,
    error: wakeup.error,
    source: [wakeup.source, wakeup.triggerDetail].filter(Boolean).join(', '),
    run: runId === null ? null : `${runId} ${runStatus}`,
    payload: payload === null ? null : JSON.stringify(payload),
    'idempotency key': wakeup.idempotencyKey,
    'task key': wakeup.taskKey,
    due: wakeup.dueAt,
    deadline: wakeup.finishedAt === null ? wakeup.deadlineAt : null,
    requested: ago(wakeup.requestedAt),
    finished: wakeup.finishedAt && ago(wakeup.finishedAt),
  });
}
