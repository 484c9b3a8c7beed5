import type { Command } from 'commander';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor, wholeNumber } from './client-command';
import { printDetails, printJson, printLines } from './output';

export function addOperationCommands(program: Command): void {
  clientCommand(program, 'tick', 'look at what is due, now; the server does so by itself, twice a second')
    .option('--now <time>', 'set the clock of a server that was started with --test-clock')
    .action(async (options: ClientOptions & { now?: string }) => {
      const ticked = await clientFor(options).tick({ now: options.now });
      const { checked, enqueued, skipped } = ticked;
      if (options.json) printJson(ticked);
      else printDetails({ due: `${checked}`, enqueued: `${enqueued}`, skipped: `${skipped}` });
    });
  clientCommand(program, 'reap', 'end the runs whose node is gone')
    .option('--stale-ms <ms>', 'how long a node must have given no sign of life', wholeNumber(0))
    .action(async (options: ClientOptions & { staleMs?: number }) => {
      const reaped = await clientFor(options).reap({ staleThresholdMs: options.staleMs });
      if (options.json) printJson(reaped);
      else printLines([`${reaped.reaped} ended`, ...reaped.runIds]);
    });
}
