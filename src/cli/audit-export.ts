import type { FileHandle } from 'node:fs/promises';
import { open, rename } from 'node:fs/promises';
import type { ExportEnd } from '../audit/domain/export';
import type { ReveilleClient } from '../client';
import { CliError, ExitCode } from './failures';
import { printLines } from './output';
import { ProgressBar, shareOf } from './progress-bar';
import { stopSignals } from './stop-signal';
import { byteCount } from './text';

/** A line has one event, or the heads of one company in one checkpoint. */
const LONGEST_LINE_BYTES = 16 * 1024 * 1024;
/** Longer than what stands before an event's data in a line. */
const LINE_BEGIN_BYTES = 400;

/**
 * Writes an export beside its place, and puts it there when it is whole. What an earlier call has left is gone on with,
 * behind its last whole line.
 */
export async function exportCompany(api: ReveilleClient, companyId: string, out: string): Promise<void> {
  const draft = `${out}.part`;
  const { stop } = stopSignals();
  // So that the export ends with a checkpoint that covers all of it.
  await api.signCheckpoint();
  const { head } = await api.projections();
  const file = await open(draft, 'a+').catch((error: Error) => {
    throw new CliError(`cannot write ${draft}: ${error.message}`, ExitCode.failed);
  });
  const bar = new ProgressBar('exporting');
  let written = 0;
  try {
    const after = await cutToWholeLines(file);
    for await (const bytes of api.exportCompany({ companyId, after: after ?? undefined }, stop)) {
      await file.write(bytes);
      written += bytes.length;
      const position = lastPosition(Buffer.from(bytes));
      if (position) bar.show(shareOf(position, head), byteCount(written));
    }
    await file.sync();
  } catch (error) {
    bar.clear();
    if (!stop.aborted) throw error;
    throw new CliError('stopped; begun again, it goes on where it was', ExitCode.failed);
  } finally {
    await file.close();
  }
  bar.clear();
  await rename(draft, out);
  printLines([out]);
}

/** Removes a line that was cut off, and the end, if there is one. Answers the last position; null: it begins anew. */
async function cutToWholeLines(file: FileHandle): Promise<string | null> {
  const { size } = await file.stat();
  const from = Math.max(0, size - LONGEST_LINE_BYTES);
  const { buffer: tail } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  const end = tail.lastIndexOf(10) + 1;
  const begin = end === 0 ? 0 : tail.lastIndexOf(10, end - 2) + 1;
  const last = end === 0 ? {} : (JSON.parse(tail.toString('utf8', begin, end)) as Partial<ExportEnd>);
  // The head alone has no position, and comes again.
  const { kind, position = null } = last;
  await file.truncate(position === null ? 0 : from + (kind === 'end' ? begin : end));
  return position;
}

/** Of the last line that begins in the bytes; null where none does. */
function lastPosition(bytes: Buffer): string | null {
  const begin = bytes.lastIndexOf('{"kind":"');
  if (begin < 0) return null;
  const text = bytes.toString('utf8', begin, begin + LINE_BEGIN_BYTES);
  return /^\{"kind":"\w+","position":"(\d+)"/.exec(text)?.[1] ?? null;
}
