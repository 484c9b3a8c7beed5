import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../kernel/clock';
import { systemClock } from '../../kernel/clock';
import type { EventToAppend, Position, Revision, StoredEvent } from '../../kernel/event';
import type { Appended, EventLog, FollowBatch, FollowOptions, ReadOptions } from '../event-log';
import { FollowInterrupted, LogClosed, LogUnavailable, RevisionConflict } from '../event-log';
import { categoryOf, LOG_CATEGORY } from '../../kernel/streams';
import { GroupCommit } from '../../sqlite/group-commit';
import type { Writer, WriterAccess } from '../../sqlite/writer';
import { WriterThread } from '../../sqlite/writer-thread';
import { CommitSignal } from './commit-signal';
import { bytesOf, chunkBuffers, decodeRow, encodeAppend } from './event-encoding';
import { EventReader } from './event-reader';
import type { StreamEvents } from './recent-events';
import { RecentEvents } from './recent-events';
import { RecentPages } from './recent-pages';
import type {
  LogFilter,
  LogHead,
  Scavenged,
  StreamQuery,
  WriteOutcome,
  WriteRequest,
} from './store-messages';

const MAX_STREAM_PAGE_ROWS = 256;
const LAST_REVISION: Revision = Number.MAX_SAFE_INTEGER;
const WRITER_PROGRAM = join(__dirname, 'event-writer.thread');

export interface EmbeddedEventLogOptions {
  /** What the age of events is measured with, in streams that have a maximum age. */
  clock?: Clock;
  /** Told when the thread that writes has died; another one takes its place. */
  onFault?: (error: unknown) => void;
  /** The writer, where it is not to be in a thread of its own: for tests that make it fail. */
  writer?: Writer<WriteRequest, WriteOutcome, LogHead>;
}

/**
 * The event log of a single node, in files of its own: no server, on disk before an append is answered, and followers
 * hear of a commit inside the process. A thread writes, so that nobody here waits for the disk; what was written is
 * read here. Only one instance may have a folder open.
 */
export class EmbeddedEventLog implements EventLog {
  private readonly commits = new CommitSignal();
  private readonly group: GroupCommit<WriteRequest, WriteOutcome>;
  private writer!: WriterAccess<WriteRequest, WriteOutcome>;
  private reader!: EventReader;
  private readonly recent = new RecentEvents();
  /** What an append was made of, until it is answered. */
  private readonly underWay = new Map<WriteRequest, readonly EventToAppend[]>();
  private readonly pages = new RecentPages();
  private known: LogHead = 0;
  private closing: Promise<void> | undefined;

  /** Opens the log in a folder, which is made where it is missing. */
  static async open(folder: string, options: EmbeddedEventLogOptions = {}): Promise<EmbeddedEventLog> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const log = new EmbeddedEventLog(options.clock ?? systemClock);
    log.writer = await log.openWriter(folder, options);
    log.reader = new EventReader(folder);
    return log;
  }

  private constructor(private readonly clock: Clock) {
    this.group = new GroupCommit((requests) => this.writer.write(requests), bytesOf);
  }

  async append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended> {
    const request = encodeAppend(stream, events, expected);
    this.underWay.set(request, events);
    const outcome = await this.write(request).finally(() => this.underWay.delete(request));
    switch (outcome.kind) {
      case 'appended':
        return appendedAt(outcome.revision, outcome.positions.map(BigInt));
      case 'conflict':
        throw new RevisionConflict(stream, expected, outcome.actual);
      case 'maxAgeSet':
      case 'scavenged':
        throw new Error(`an append to ${stream} was taken for something else`);
    }
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<StoredEvent> {
    const { direction = 'forwards', limit = Infinity, asStored = false } = options;
    let from = options.from ?? (direction === 'forwards' ? 0 : LAST_REVISION);
    let left = limit;
    while (left > 0) {
      const maxRows = Math.min(left, MAX_STREAM_PAGE_ROWS);
      const nowMs = this.clock.now().getTime();
      const query = { stream, from, direction, maxRows, head: this.known, nowMs };
      const { events, complete } = this.guarded(
        () => (asStored ? null : this.recent.inStream(query)) ?? this.readStream(query),
      );
      yield* events;
      left -= events.length;
      if (complete || left <= 0) return;
      from = events.at(-1)!.revision + (direction === 'forwards' ? 1 : -1);
      await nextTurn();
    }
  }

  async *follow({ after, inclusive, signal, ...filter }: FollowOptions): AsyncGenerator<FollowBatch> {
    let reached = Number(after) - (inclusive ? 1 : 0);
    while (!signal.aborted) {
      if (this.closing) throw new FollowInterrupted('the event log is closed', false);
      if (reached >= this.known) {
        await this.commits.next(signal);
        continue;
      }
      const read = () => this.readAfter(reached, filter);
      const page = filter.asStored ? read() : this.pages.get(reached, filter, read);
      reached = Number(page.reached);
      yield page;
      // Catching up is all synchronous work and microtasks: without this, nothing else would get its turn.
      if (reached < this.known) await nextTurn();
    }
  }

  async head(): Promise<Position> {
    this.assertOpen();
    if (!this.writer.isUp) throw new LogUnavailable('the thread that writes the event log has ended');
    return BigInt(this.known);
  }

  /** Whether there is an event at the position, or was one that has aged out. It can be missing where the log has lost its end. */
  has(position: Position): boolean {
    return this.guarded(() => this.reader.has(Number(position)));
  }

  /**
   * The age of an event is that of its `at`. Streams of raw log bytes are removed from their file (`EmbeddedLogUpkeep`) once all
   * of their events have aged out.
   */
  async setMaxAge(stream: string, maxAgeSec: number | null): Promise<void> {
    this.recent.hide(stream);
    await this.write({ stream, category: categoryOf(stream), maxAgeSec });
  }

  /** Whether there is something for `scavenge` to do. */
  get needsScavenging(): boolean {
    return this.guarded(() => this.reader.needsScavenging(this.clock.now().getTime()));
  }

  /**
   * Takes one step of removing what has aged out, and of giving its room back to the disk. Appends of the same moment
   * are written together with it.
   *
   * @param maxBytes about how much it removes, and how much room it gives back
   * @throws LogUnavailable
   */
  async scavenge(maxBytes: number): Promise<Scavenged> {
    const outcome = await this.write({ category: LOG_CATEGORY, nowMs: this.clock.now().getTime(), maxBytes });
    if (outcome.kind !== 'scavenged') throw new Error('a step of scavenging was taken for something else');
    this.pages.clear();
    return outcome;
  }

  /** Commits what waits, then closes. */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async openWriter(
    folder: string,
    { writer, onFault = () => undefined }: EmbeddedEventLogOptions,
  ): Promise<WriterAccess<WriteRequest, WriteOutcome>> {
    const onWritten = (requests: readonly WriteRequest[], outcomes: readonly WriteOutcome[]) =>
      this.remember(requests, outcomes);
    const onState = (head: LogHead) => this.moveHead(head);
    const onOpened = (head: LogHead) => this.recent.restartAt(head);
    const transfer = chunkBuffers;
    if (!writer) {
      return WriterThread.open({
        program: WRITER_PROGRAM,
        folder,
        transfer,
        onWritten,
        onState,
        onOpened,
        onFault,
      });
    }
    onOpened(writer.state);
    onState(writer.state);
    const write = async (requests: readonly WriteRequest[]) => {
      const outcomes = writer.write(requests);
      onWritten(requests, outcomes);
      onState(writer.state);
      return outcomes;
    };
    return { isUp: true, write, close: async () => writer.close() };
  }

  private async finish(): Promise<void> {
    await this.group.drain();
    this.pages.clear();
    this.reader.close();
    await this.writer.close();
    this.commits.wakeAll();
  }

  /** @throws LogUnavailable */
  private async write(request: WriteRequest): Promise<Exclude<WriteOutcome, { kind: 'failed' }>> {
    this.assertOpen();
    const outcome = await this.group
      .submit(request)
      .catch((cause: unknown) => ({ kind: 'failed', cause }) as const);
    if (outcome.kind !== 'failed') return outcome;
    const what = 'stream' in request ? request.stream : 'the event log';
    throw new LogUnavailable(`${what} could not be written`, { cause: outcome.cause });
  }

  /** Before anybody hears of a group, its events are among the recent ones. Its positions go file by file. */
  private remember(requests: readonly WriteRequest[], outcomes: readonly WriteOutcome[]): void {
    const appended = requests.flatMap((request, index) => {
      const [events, outcome] = [this.underWay.get(request), outcomes[index]!];
      const isAppended = events && 'events' in request && outcome.kind === 'appended';
      return isAppended ? [{ stream: request.stream, events, outcome }] : [];
    });
    appended.sort((a, b) => a.outcome.positions[0]! - b.outcome.positions[0]!);
    for (const { stream, events, outcome } of appended) this.recent.add(stream, events, outcome);
  }

  private moveHead(head: LogHead): void {
    if (head <= this.known) return;
    this.known = head;
    this.commits.wakeAll();
  }

  private readStream(query: StreamQuery): StreamEvents {
    const { rows, complete } = this.reader.readStream(query);
    return { events: rows.map(decodeRow), complete };
  }

  private readAfter(after: number, filter: LogFilter): FollowBatch {
    try {
      const recent = filter.asStored ? null : this.recent.after(after, this.known, filter);
      if (recent) return recent;
      const { rows, reached } = this.reader.readAfter(after, this.known, filter);
      return { events: rows.map(decodeRow), reached: BigInt(reached) };
    } catch (cause) {
      throw new FollowInterrupted('the event log could not be read', true, { cause });
    }
  }

  private guarded<Answer>(use: () => Answer): Answer {
    this.assertOpen();
    try {
      return use();
    } catch (cause) {
      throw new LogUnavailable('the event log could not be used', { cause });
    }
  }

  private assertOpen(): void {
    if (this.closing) throw new LogClosed();
  }
}

function appendedAt(revision: Revision, positions: readonly Position[]): Appended {
  return { revision, position: positions.at(-1)!, positions: () => Promise.resolve(positions) };
}
