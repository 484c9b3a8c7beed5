import type { RunView } from '../client';
import { dollars, printable, took } from './text';

/** How a run has ended, or what it is doing, in one line. */
export function outcomeText(run: RunView): string {
  const { status, startedAt, finishedAt, exitCode, signal, costMicros, error } = run;
  const time =
    startedAt === null ? '' : ` ${finishedAt === null ? 'for' : 'after'} ${took(startedAt, finishedAt)}`;
  const facts = [
    exitCode === null ? null : `exit code ${exitCode}`,
    signal && `signal ${signal}`,
    costMicros === null ? null : `cost ${dollars(costMicros)}`,
    error,
  ];
  return printable([status + time, ...facts.filter((fact) => fact !== null)].join(', '));
}
