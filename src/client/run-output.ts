import { bodyBytes } from './body';
import type { Connection } from './connection';
import { path } from './connection';
import type { LogAnswer, LogPlace, Page, RunEventView, RunView } from './types';
import type { Waiting } from './until';
import { isFinalRun, Pace } from './until';

/** The least that the server answers with. */
const PROBE_BYTES = 4;
const EVENTS_AT_ONCE = 1_000;

/** The calls that following a run is made of. */
interface Runs {
  run(runId: string): Promise<RunView>;
  runEvents(runId: string, query: { afterSeq: number; limit: number }): Promise<Page<RunEventView>>;
  log(runId: string, place: LogPlace, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array>;
  logPage(runId: string, query: LogPlace & { limitBytes: number }): Promise<LogAnswer>;
}

/** The bytes of a log that are there when the server gets the request. */
export function logBytes(
  connection: Connection,
  runId: string,
  place: LogPlace,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const call = { query: { ...place }, headers: { accept: 'text/plain' }, signal };
  return bodyBytes(connection, path`/v1/runs/${runId}/log`, call);
}

/** A run's output, every byte once, until the log is closed and read to its end. */
export async function* followRunLog(
  api: Runs,
  runId: string,
  place: LogPlace,
  waiting: Waiting,
): AsyncGenerator<Uint8Array> {
  const pace = new Pace(waiting);
  let { offset } = place;
  for (;;) {
    try {
      for await (const bytes of api.log(runId, { ...place, offset }, waiting.signal)) {
        offset += bytes.length;
        pace.answered(true);
        yield bytes;
      }
      const { totalBytes, eof } = await api.logPage(runId, { ...place, offset, limitBytes: PROBE_BYTES });
      if (eof && totalBytes === offset) return;
      pace.answered(totalBytes > offset);
      if (totalBytes > offset) continue;
    } catch (error) {
      await pace.failed(error);
      continue;
    }
    await pace.rest();
  }
}

/** A run's events after `afterSeq`, each once, until the run is over. */
export async function* followRunEvents(
  api: Runs,
  runId: string,
  afterSeq: number,
  waiting: Waiting,
): AsyncGenerator<RunEventView> {
  const pace = new Pace(waiting);
  let seq = afterSeq;
  for (;;) {
    try {
      // Asked before the events are read: once the run is over, they are all there.
      const isOver = isFinalRun((await api.run(runId)).status);
      const { items, nextCursor } = await api.runEvents(runId, { afterSeq: seq, limit: EVENTS_AT_ONCE });
      pace.answered(items.length > 0);
      for (const event of items) {
        seq = event.seq;
        yield event;
      }
      if (nextCursor !== null) continue;
      if (isOver) return;
    } catch (error) {
      await pace.failed(error);
      continue;
    }
    await pace.rest();
  }
}
