import type { Command } from 'commander';
import type { ReadyView } from '../client';
import type { ClientOptions } from './client-command';
import { clientCommand, clientFor } from './client-command';
import { ExitCode } from './failures';
import { printDetails, printJson, printLines } from './output';
import { byteCount, clockTime, printable } from './text';

export function addStatusCommand(program: Command): void {
  clientCommand(program, 'status', 'whether the server does its work; the exit code is 0 only if it does')
    .alias('health')
    .action(async (options: ClientOptions) => {
      const readiness = await clientFor(options).ready();
      if (options.json) printJson(readiness);
      else show(readiness);
      process.exitCode = readiness.status === 'ok' ? ExitCode.ok : ExitCode.failed;
    });
}

function show(readiness: ReadyView): void {
  const { status, nodeId, eventLog, runs } = readiness;
  printDetails({
    status,
    node: nodeId,
    'event log': eventLog.head === null ? 'does not answer' : `position ${eventLog.head}`,
    runs: `${runs.active} running, ${runs.waiting} waiting, at most ${runs.max} at once`,
    draining: drainText(readiness),
  });
  printLines(ailments(readiness));
}

function drainText({ draining }: ReadyView): string | null {
  if (draining === null) return null;
  const { mode, since, until, runIds } = draining;
  const limit = until === null ? '' : `, at the latest until ${clockTime(until)}`;
  const waiting =
    mode === 'leave' ? 'leaves running agents alone' : `waits for ${runIds.length} to end${limit}`;
  return `since ${clockTime(since)}: starts none, ${waiting}`;
}

/** A line for each part that is ill: which, and why. */
function ailments({ ill, eventLog, documents, execution, dataFolder, disk, consumers }: ReadyView): string[] {
  const reasons = new Map([
    ['eventLog', eventLog.head === null ? 'does not answer' : 'cannot be followed'],
    ['documents', documents.status],
    ['execution', execution.status],
    ['dataFolder', dataFolder.status],
    ['disk', `only ${byteCount(disk?.freeBytes ?? null)} free`],
  ]);
  return ill.map((part) => {
    const reason = reasons.get(part);
    if (reason !== undefined) return `ill: ${part}: ${printable(reason)}`;
    const consumer = consumers.find(({ name }) => name === part);
    // A newer server may know of parts that this program does not.
    if (!consumer) return `ill: ${printable(part)}`;
    const { kind, stoppedBy, ailment } = consumer;
    return `ill: ${kind} ${part}: ${printable(stoppedBy === null ? ailment! : `stopped: ${stoppedBy}`)}`;
  });
}
