import type { EventLog } from '../event-log/event-log';
import type { RunFinished } from '../agents/domain/agent.events';
import type { Position, Revision, StoredEvent } from '../kernel/event';
import { decode } from '../kernel/event';
import { agentStream, LOG_CATEGORY, runLogStream, runStream } from '../kernel/streams';
import type { Cursor } from './cursor';
import { handledBefore, isAfter, placeOf } from './cursor';
import { LiveMessage } from './live-message';
import { messagesOf } from './live-messages';
import type { LiveScope } from './live-scope';
import { concerns } from './live-scope';

/** Everything of the scope up to and including `reached` is in `messages`, or was in those before. */
export interface ReplayBatch {
  messages: LiveMessage[];
  reached: Position;
}

const BATCH_EVENTS = 200;

/**
 * The messages of a scope that come after a cursor, from the log, until `until` has been reached. The same ones as
 * those who were there have been told.
 *
 * @throws FollowInterrupted, LogUnavailable
 */
export async function* replay(
  log: EventLog,
  scope: LiveScope,
  after: Cursor,
  until: Position,
  signal: AbortSignal,
): AsyncGenerator<ReplayBatch> {
  const from = handledBefore(after);
  if (from >= until) return;
  const batches =
    scope.runId === null ? ofLog(log, scope, after, until, signal) : ofRun(log, scope, from, until);
  for await (const { events, reached } of batches) {
    if (signal.aborted) return;
    const messages: LiveMessage[] = [];
    for (const event of events) {
      if (event.metadata.companyId !== scope.companyId) continue;
      const told = messagesOf(event);
      const gaps =
        scope.logs && event.type === 'RunFinished' ? await agedOutGaps(log, event, told.length) : [];
      // One message alone stands behind all parts of its event.
      const all = told.length > 1 ? [...told, ...gaps] : [...gaps, ...told];
      messages.push(...all.filter((one) => concerns(scope, one) && isAfter(one.cursor, after)));
    }
    yield { messages, reached };
    if (reached >= until) return;
  }
}

/** In the place of the output of a run that is not kept any longer: with the messages of the run's end. @param told how many these are */
async function agedOutGaps(log: EventLog, finished: StoredEvent, told: number): Promise<LiveMessage[]> {
  if (finished.unreadable !== undefined) return [];
  const { companyId, agentId, runId, log: summary } = decode<RunFinished>(finished).event.data;
  if (summary === null || summary.logBytes === 0) return [];
  if ((await first(log.read(runLogStream(companyId, runId), { limit: 1 }))) !== null) return [];
  const { position, metadata } = finished;
  const origin = { position, companyId, at: metadata.at };
  const streams = (['stdout', 'stderr'] as const).filter((stream) => summary.logs[stream].bytes > 0);
  return streams.map((stream, index) => {
    const place = { runId, agentId, stream, from: 0, to: summary.logs[stream].bytes };
    const gap = { type: 'log.gap', payload: { ...place, reason: 'aged_out' } } as const;
    return new LiveMessage(gap, origin, (told > 1 ? told : 0) + index + 1);
  });
}

interface EventBatch {
  events: readonly StoredEvent[];
  reached: Position;
}

async function* ofLog(
  log: EventLog,
  { logs }: LiveScope,
  after: Cursor,
  until: Position,
  signal: AbortSignal,
): AsyncGenerator<EventBatch> {
  const categories = logs ? undefined : { except: [LOG_CATEGORY] };
  for await (const batch of log.follow({ ...placeOf(after), categories, signal })) {
    yield batch;
    if (batch.reached >= until) return;
  }
}

/** A run's events are on a few streams: reading these is cheaper than reading the whole log. */
async function* ofRun(
  log: EventLog,
  { companyId, agentId, runId, logs }: LiveScope,
  after: Position,
  until: Position,
): AsyncGenerator<EventBatch> {
  const streams = [agentStream(companyId, agentId!), runStream(companyId, runId!)];
  if (logs) streams.push(runLogStream(companyId, runId!));
  let events: StoredEvent[] = [];
  for await (const event of inOrder(streams.map((stream) => readAfter(log, stream, after)))) {
    if (event.position > until) break;
    events.push(event);
    if (events.length < BATCH_EVENTS) continue;
    yield { events, reached: event.position };
    events = [];
  }
  yield { events, reached: until };
}

/** Merges streams by position. */
async function* inOrder(streams: readonly AsyncGenerator<StoredEvent>[]): AsyncGenerator<StoredEvent> {
  try {
    const heads = await Promise.all(streams.map(async (stream) => ({ stream, next: await stream.next() })));
    for (;;) {
      let first: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.next.done) continue;
        if (!first || first.next.done || head.next.value.position < first.next.value.position) first = head;
      }
      if (!first || first.next.done) return;
      yield first.next.value;
      first.next = await first.stream.next();
    }
  } finally {
    await Promise.all(streams.map((stream) => stream.return(undefined)));
  }
}

async function* readAfter(log: EventLog, stream: string, after: Position): AsyncGenerator<StoredEvent> {
  const from = await firstRevisionAfter(log, stream, after);
  if (from !== null) yield* log.read(stream, { from });
}

/** Positions grow with revisions, so a binary search finds the place. */
async function firstRevisionAfter(log: EventLog, stream: string, after: Position): Promise<Revision | null> {
  const last = await first(log.read(stream, { direction: 'backwards', limit: 1 }));
  if (last === null || last.position <= after) return null;
  let [low, high] = [0, last.revision];
  while (low < high && after > 0n) {
    const middle = Math.floor((low + high) / 2);
    // What has aged out is not there: the one behind it stands for it.
    const event = await first(log.read(stream, { from: middle, limit: 1 }));
    if (event === null || event.position > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function first(events: AsyncIterable<StoredEvent>): Promise<StoredEvent | null> {
  for await (const event of events) return event;
  return null;
}
