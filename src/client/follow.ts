import type { CloseReason } from '../live/live-events';
import type { ErrorCode } from '../kernel/errors';
import { Patience } from './backoff';
import type { Connection } from './connection';
import { path } from './connection';
import { isTemporary, ReveilleError } from './reveille-error';
import { serverSentEvents } from './sse';
import type { FollowQuery, LiveMessage, Page, ReadyView, RunView } from './types';
import { FOLLOW_PATIENCE_MS, isFinalRun } from './until';

/** The server says something every 15 s: a connection that is silent for longer is dead. */
const SILENCE_MS = 45_000;
const FROM_THE_BEGINNING = '0';
/** Said by the server as the last thing on a connection. */
const CLOSED = 'live.closed';
/** Past all events of a run: what is asked for is only that the last one is there. */
const PAST_ALL = 2 ** 31;

/** The calls that following is made of. */
interface Api {
  run(runId: string): Promise<RunView>;
  runEvents(runId: string, query: { afterSeq: number; limit: number }): Promise<unknown>;
  liveMessages(companyId: string, query: FollowQuery): Promise<Page<LiveMessage>>;
  ready(): Promise<ReadyView>;
}

/** What happens in a company, for as long as somebody wants to know. */
export async function* followFeed(
  api: Api,
  connection: Connection,
  companyId: string,
  query: FollowQuery,
): AsyncGenerator<LiveMessage> {
  const attempts = new Patience(FOLLOW_PATIENCE_MS, isTemporary);
  const { signal } = query;
  let { after } = query;
  for (;;) {
    try {
      // Where it begins must be known, or what happens before the first message could be lost with the connection.
      after ??= (await api.ready()).eventLog.head ?? undefined;
      const messages = stream(connection, companyId, { ...query, after }, () => attempts.succeeded());
      for await (const message of messages) {
        after = message.cursor;
        yield message;
      }
    } catch (error) {
      await attempts.afterFailure(error, null, signal);
    }
  }
}

/** What happens in a run, until it is over. */
export async function* followRun(
  api: Api,
  connection: Connection,
  runId: string,
  { after = FROM_THE_BEGINNING, logs = false, signal }: FollowQuery,
): AsyncGenerator<LiveMessage> {
  const attempts = new Patience(FOLLOW_PATIENCE_MS, isTemporary);
  let cursor = after;
  for (;;) {
    try {
      signal?.throwIfAborted();
      const { companyId, status } = await api.run(runId);
      const query = { runId, logs, signal };
      const isOver = isFinalRun(status);
      // Asked for the end of its events, the server answers when the last one is there.
      if (isOver) await api.runEvents(runId, { afterSeq: PAST_ALL, limit: 1 });
      const messages = isOver
        ? recorded(api, companyId, { ...query, after: cursor })
        : stream(connection, companyId, { ...query, after: cursor }, () => attempts.succeeded());
      let hasEnded = false;
      for await (const message of messages) {
        cursor = message.cursor;
        yield message;
        if (hasEnded && isLifecycle(message)) return;
        hasEnded ||= message.type === 'heartbeat.run.status' && isFinalRun(message.payload.status);
      }
      if (isOver) return;
    } catch (error) {
      await attempts.afterFailure(error, null, signal);
    }
  }
}

/** The line that closes a run comes after the status that it ends with. */
function isLifecycle(message: LiveMessage): boolean {
  return message.type === 'heartbeat.run.event' && message.payload.eventType === 'lifecycle';
}

/** What has happened by now, page by page. */
async function* recorded(api: Api, companyId: string, query: FollowQuery): AsyncGenerator<LiveMessage> {
  for (let after = query.after; ;) {
    const { items, nextCursor } = await api.liveMessages(companyId, { ...query, after });
    yield* items;
    if (nextCursor === null) return;
    after = nextCursor;
  }
}

/** Messages as they come, until the connection ends. @throws ReveilleError, `unreachable` where it just ended */
async function* stream(
  connection: Connection,
  companyId: string,
  { signal: outer, ...query }: FollowQuery,
  onOpen: () => void,
): AsyncGenerator<LiveMessage> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('the server has fallen silent')), SILENCE_MS);
  };
  const signal = outer ? AbortSignal.any([outer, silence.signal]) : silence.signal;
  try {
    heard();
    const address = path`/v1/companies/${companyId}/events`;
    const response = await connection.open(address, {
      query,
      headers: { accept: 'text/event-stream' },
      signal,
    });
    onOpen();
    for await (const { event, data } of serverSentEvents(
      response.body as ReadableStream<Uint8Array>,
      heard,
    )) {
      if (event === CLOSED) throw closed(data);
      yield JSON.parse(data) as LiveMessage;
    }
    throw new ReveilleError('unreachable', 'the server has ended the stream', null);
  } catch (error) {
    throw connection.failure(error, outer);
  } finally {
    clearTimeout(timer);
  }
}

/** What the server has said before it ended a stream. Most reasons pass by themselves. */
function closed(data: string): ReveilleError {
  const { reason, ...details } = JSON.parse(data) as { reason: CloseReason };
  const gone: ErrorCode = 'position_gone';
  if (reason === gone) return new ReveilleError(gone, 'the log no longer has the position', null, details);
  if (reason === 'token_revoked' || reason === 'token_expired') {
    const refused: ErrorCode = 'unauthorized';
    return new ReveilleError(refused, `the server has ended the stream: ${reason}`, null, { reason });
  }
  return new ReveilleError('unreachable', `the server has ended the stream: ${reason}`, null, { reason });
}
