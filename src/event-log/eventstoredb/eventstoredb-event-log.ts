import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  FORWARDS,
  NO_STREAM as NO_STREAM_YET,
  START,
} from '@eventstore/db-client';
import type { EventToAppend, Position, Revision, StoredEvent } from '../../kernel/event';
import { BEFORE_FIRST_POSITION, NO_STREAM } from '../../kernel/event';
import { categoryOf, LOG_CATEGORY } from '../../kernel/streams';
import type { Appended, EventLog, FollowBatch, FollowOptions, ReadOptions } from '../event-log';
import { AppendRefused, FollowInterrupted, LogClosed, LogUnavailable } from '../event-log';
import { AllSubscription } from './all-subscription';
import { guardBatchStream } from './batch-stream';
import { inTime } from './deadline';
import { decodeEvent, encodeEvent, logPosition } from './event-encoding';
import { appendFailure, failure, isMissingStream } from './failures';
import type { ReadAll } from './log-tail';
import { LogTail } from './log-tail';
import { Slots } from './slots';
import { StreamNames } from './stream-names';

/** The client has no deadline of its own for appends: while a node is frozen they hang. */
const ANSWER_MS = 5_000;
/** Until when the server may work on an append. It is told by our clock, and its own may be another one. */
const SERVER_WORKS_MS = 60_000;
const PAGE_EVENTS = 256;
/** One connection carries about 100 streams, and the next one hangs: followers and readers share them. */
const MAX_FOLLOWERS = 60;
const MAX_READERS = 24;

/**
 * The event log on EventStoreDB or KurrentDB, one node or a cluster. One instance a process: the client's table of
 * pending appends is one for all clients of the process.
 */
export class EventstoredbEventLog implements EventLog {
  private readonly closing = new AbortController();
  private readonly tail: LogTail;
  private readonly followers = new Set<AllSubscription>();
  private readonly readers = new Slots(MAX_READERS);
  private readonly appending = new Set<Promise<unknown>>();
  /**
   * Streams that may be sent again what they have been sent. Of several events that it had, a server need not tell the
   * position of the last one.
   */
  private readonly repeated = new Set<string>();
  private closed: Promise<void> | undefined;

  private constructor(
    private readonly client: EventStoreDBClient,
    private readonly names: StreamNames,
    /** Then reads ask for the leader: after an election the one before still answers, from what it has. */
    private readonly isCluster: boolean,
  ) {
    guardBatchStream(client);
    const readAll: ReadAll = {
      backwards: (from, maxCount) => this.readAllBackwards(from, maxCount),
      forwards: (from, maxCount) => this.readAllForwards(from, maxCount),
    };
    this.tail = new LogTail(readAll, (name) => names.read(name) !== null);
  }

  /**
   * @param url `esdb://…` for nodes, `esdb+discover://…` for a cluster by name
   * @param namespace keeps installations apart that share a server
   * @throws LogUnavailable where no node answers within 5 s
   */
  static async open(url: string, namespace = ''): Promise<EventstoredbEventLog> {
    const log = new EventstoredbEventLog(
      EventStoreDBClient.connectionString(withKeepAlive(url)),
      new StreamNames(namespace),
      /^esdb\+discover:|,/.test(url.split('?')[0]!),
    );
    try {
      await log.head();
      return log;
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  async append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended> {
    this.assertOpen();
    if (events.length === 0) throw new AppendRefused(`an append to ${stream} without events`);
    const expectedRevision = expected === NO_STREAM ? NO_STREAM_YET : BigInt(expected);
    const sending = this.client.appendToStream(this.names.write(stream), events.map(encodeEvent), {
      expectedRevision,
      deadline: SERVER_WORKS_MS,
    });
    this.appending.add(sending);
    const isOver = () => void this.appending.delete(sending);
    sending.then(isOver, isOver);
    const revision = expected + events.length;
    try {
      const told = (await inTime(sending, ANSWER_MS)).position?.commit;
      const isSure = events.length === 1 || !this.repeated.delete(stream);
      const position = (isSure ? told : undefined) ?? (await this.positionsOf(stream, revision, 1))[0]!;
      if (categoryOf(stream) === LOG_CATEGORY) this.tellFollowers(position);
      const positions = async () =>
        events.length === 1 ? [position] : this.positionsOf(stream, expected + 1, events.length);
      return { revision, position, positions };
    } catch (error) {
      const failed = appendFailure(error, stream, expected);
      if (failed instanceof LogUnavailable && events.length > 1) this.repeated.add(stream);
      throw failed;
    }
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<StoredEvent> {
    const { direction = 'forwards', limit = Infinity } = options;
    const step = direction === 'forwards' ? 1 : -1;
    let from = options.from;
    for (let left = limit; left > 0;) {
      const page = await this.readPage(stream, direction, from, Math.min(left, PAGE_EVENTS));
      yield* page.flatMap((event) => decodeEvent(event, this.names) ?? []);
      left -= page.length;
      const last = page.at(-1)?.event?.revision;
      if (last === undefined || page.length < PAGE_EVENTS) return;
      from = Number(last) + step;
      if (from < 0) return;
    }
  }

  async *follow({ after, inclusive, categories, signal }: FollowOptions): AsyncGenerator<FollowBatch> {
    this.assertFollowable();
    if (this.followers.size >= MAX_FOLLOWERS) {
      throw new FollowInterrupted(`more than ${MAX_FOLLOWERS} followers at once`, true);
    }
    const ended = AbortSignal.any([signal, this.closing.signal]);
    const from = inclusive ? await this.positionBefore(after) : after;
    const subscription = new AllSubscription(this.client, this.tail, from, categories, this.names, ended);
    this.followers.add(subscription);
    try {
      yield* subscription.batches();
    } catch (error) {
      if (!ended.aborted)
        throw new FollowInterrupted('the event log could not be followed', true, { cause: error });
    } finally {
      this.followers.delete(subscription);
      await subscription.end();
    }
    if (!signal.aborted) this.assertFollowable();
  }

  async head(): Promise<Position> {
    this.assertOpen();
    try {
      // Each page of the search has its deadline. All of them may take long, once: among the events of others.
      const head = await this.tail.head();
      this.tellFollowers(head);
      return head;
    } catch (error) {
      throw failure(error, 'the head of the event log could not be read');
    }
  }

  async setMaxAge(stream: string, maxAgeSec: number | null): Promise<void> {
    this.assertOpen();
    const metadata = maxAgeSec === null ? {} : { maxAge: maxAgeSec };
    try {
      await inTime(this.client.setStreamMetadata(this.names.write(stream), metadata), ANSWER_MS);
    } catch (error) {
      throw failure(error, `the maximum age of ${stream} may or may not have been set`);
    }
  }

  /** Lets pending appends be answered: `dispose` would reject them, and those of nobody else's concern with them. */
  close(): Promise<void> {
    this.closed ??= this.finish();
    return this.closed;
  }

  private async finish(): Promise<void> {
    this.closing.abort();
    const pending = Promise.allSettled([...this.appending]);
    await inTime(pending, ANSWER_MS).catch(() => undefined);
    await this.client.dispose();
  }

  private async readPage(
    stream: string,
    direction: 'forwards' | 'backwards',
    from: Revision | undefined,
    maxCount: number,
  ) {
    this.assertOpen();
    const fromRevision = from === undefined ? (direction === 'forwards' ? START : END) : BigInt(from);
    try {
      return await this.collect(() =>
        this.client.readStream(this.names.write(stream), {
          ...{ direction: direction === 'forwards' ? FORWARDS : BACKWARDS, fromRevision, maxCount },
          requiresLeader: this.isCluster,
        }),
      );
    } catch (error) {
      if (isMissingStream(error)) return [];
      throw failure(error, `${stream} could not be read`);
    }
  }

  private readAllBackwards(from: Position | null, maxCount: number): Promise<AllStreamResolvedEvent[]> {
    const fromPosition = from === null ? END : logPosition(from);
    const options = { direction: BACKWARDS, fromPosition, maxCount, requiresLeader: this.isCluster } as const;
    return this.collect(() => this.client.readAll(options));
  }

  private readAllForwards(from: Position, maxCount: number): Promise<AllStreamResolvedEvent[]> {
    const fromPosition = from === BEFORE_FIRST_POSITION ? START : logPosition(from);
    const options = { direction: FORWARDS, fromPosition, maxCount, requiresLeader: this.isCluster } as const;
    return this.collect(() => this.client.readAll(options));
  }

  /**
   * Of the event before this one, whosever it is. One less would not do: positions are places in a file, and a node
   * reads from those only at which an event begins.
   *
   * @throws FollowInterrupted
   */
  private async positionBefore(position: Position): Promise<Position> {
    if (position === BEFORE_FIRST_POSITION) return position;
    try {
      const page = await this.readAllBackwards(position, 2);
      const positions = page.map(({ event }) => event!.position.commit);
      return positions.find((one) => one < position) ?? BEFORE_FIRST_POSITION;
    } catch (error) {
      throw new FollowInterrupted('the event log could not be read', true, { cause: error });
    }
  }

  /** A read that is cut off in time leaves no stream open on the connection. */
  private async collect<E>(open: () => AsyncIterable<E> & { cancel(): Promise<void> }): Promise<E[]> {
    const giveBack = await this.readers.take(ANSWER_MS);
    const reading = open();
    const all = (async () => {
      const events: E[] = [];
      for await (const event of reading) events.push(event);
      return events;
    })();
    let hasAnswered = true;
    try {
      return await inTime(all, ANSWER_MS);
    } catch (error) {
      // That there is no such stream is an answer, too.
      hasAnswered = isMissingStream(error);
      void reading.cancel().catch(() => undefined);
      throw error;
    } finally {
      giveBack(hasAnswered);
    }
  }

  /** The answer to an append has the position of its last event only. @throws LogUnavailable */
  private async positionsOf(stream: string, from: Revision, count: number): Promise<Position[]> {
    const positions: Position[] = [];
    for await (const { position } of this.read(stream, { from, limit: count })) positions.push(position);
    if (positions.length !== count) throw new LogUnavailable(`the events for ${stream} cannot be read back`);
    return positions;
  }

  /** Of what they leave out they hear nothing from the server, or late. */
  private tellFollowers(position: Position): void {
    for (const follower of this.followers) follower.look(position);
  }

  private assertOpen(): void {
    if (this.closing.signal.aborted) throw new LogClosed();
  }

  private assertFollowable(): void {
    if (this.closing.signal.aborted) throw new FollowInterrupted('the event log is closed', false);
  }
}

/** A node that has frozen is given up after 15 s instead of 20, unless the operator says otherwise. */
function withKeepAlive(url: string): string {
  if (/[?&]keepAliveTimeout=/i.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}keepAliveTimeout=5000`;
}
