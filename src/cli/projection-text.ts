import type { JobAnswer } from '../client';
import { printable, took } from './text';

type Comparison = NonNullable<JobAnswer['result']>;

/** How a job is doing: `queued`, `62 %, 35000 events/s`. */
export function progressText(job: JobAnswer): string {
  const { status, position, livePosition, eventsPerSec, ailment, documents } = job;
  if (status !== 'running') return status;
  const live = BigInt(livePosition);
  const percent = live === 0n ? 100n : (BigInt(position) * 100n) / live;
  const isFailing = ailment === null ? '' : `, tries again: ${printable(ailment)}`;
  if (documents > 0) return `${documents} documents compared${isFailing}`;
  return `${percent} %, ${eventsPerSec} events/s${isFailing}`;
}

export function rebuiltText(job: JobAnswer): string {
  const { projection, position, events, eventsPerSec, startedAt, finishedAt } = job;
  const speed = `${events} events in ${took(startedAt, finishedAt)}, ${eventsPerSec} events/s`;
  const done = job.kind === 'swap' ? 'swapped' : 'rebuilt up';
  return `${projection}: ${done} ${job.kind === 'swap' ? 'at' : 'to'} position ${position} (${speed})`;
}

/** What a comparison has found: one line, and one for each document that is named. */
export function comparisonLines(projection: string, found: Comparison): string[] {
  const { position, documents, checksums, differing, differences } = found;
  const where = `at position ${position}`;
  if (found.equal) {
    return [`${projection}: equal, ${documents.live} documents ${where} (sha256 ${checksums.live})`];
  }
  const lines = differences.map(({ id, kind, fields }) => {
    const inFields = fields.length > 0 ? `: ${fields.join(', ')}` : '';
    return printable(`  ${kind.padEnd(7)}  ${id}${inFields}`);
  });
  const counts = `${documents.live} documents are there, ${documents.rebuilt} should be`;
  const left = differing - differences.length;
  return [
    `${projection}: ${differing} documents differ ${where} (${counts})`,
    ...lines,
    ...(left > 0 ? [`  and ${left} more`] : []),
  ];
}
