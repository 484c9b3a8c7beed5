import { mkdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../kernel/clock';
import { systemClock } from '../../kernel/clock';
import type { EventToAppend, Position, Revision, StoredEvent } from '../../kernel/event';
import type { Appended, EventLog, FollowBatch, FollowOptions, ReadOptions } from '../event-log';
import { FollowInterrupted, LogClosed, LogUnavailable, RevisionConflict } from '../event-log';
import { CommitSignal } from './commit-signal';
import { decodeRow, encodeAppend } from './event-encoding';
import { GroupCommit } from './group-commit';
import { SqliteEventStore } from './sqlite-event-store';

const MAX_STREAM_PAGE_ROWS = 256;
const LAST_REVISION: Revision = Number.MAX_SAFE_INTEGER;

/**
 * The event log of a single node, in files of its own: no server, on disk before an append is answered, and followers
 * hear of a commit inside the process. Only one instance may have a folder open.
 */
export class EmbeddedEventLog implements EventLog {
  private readonly commits = new CommitSignal();
  private readonly group: GroupCommit;
  private closing: Promise<void> | undefined;

  /** Opens the log in a folder, which is made where it is missing. */
  static async open(folder: string): Promise<EmbeddedEventLog> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new EmbeddedEventLog(SqliteEventStore.open(folder));
  }

  /** @param clock what the age of events is measured with, in streams that have a maximum age */
  constructor(
    private readonly store: SqliteEventStore,
    private readonly clock: Clock = systemClock,
  ) {
    this.group = new GroupCommit((requests) => {
      const outcomes = store.appendGroup(requests);
      this.commits.wakeAll();
      return outcomes;
    });
  }

  async append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended> {
    const request = encodeAppend(stream, events, expected);
    this.assertOpen();
    const outcome = await this.group.submit(request);
    switch (outcome.kind) {
      case 'appended':
        return { revision: outcome.revision, positions: outcome.positions.map(BigInt) };
      case 'conflict':
        throw new RevisionConflict(stream, expected, outcome.actual);
      case 'failed':
        throw new LogUnavailable(`the events for ${stream} could not be written`, { cause: outcome.cause });
    }
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<StoredEvent> {
    const { direction = 'forwards', limit = Infinity } = options;
    let from = options.from ?? (direction === 'forwards' ? 0 : LAST_REVISION);
    let left = limit;
    while (left > 0) {
      const maxRows = Math.min(left, MAX_STREAM_PAGE_ROWS);
      const nowMs = this.clock.now().getTime();
      const query = { stream, from, direction, maxRows, nowMs };
      const { rows, complete } = this.guarded(() => this.store.readStream(query));
      yield* rows.map(decodeRow);
      left -= rows.length;
      if (complete || left <= 0) return;
      from = rows.at(-1)!.revision + (direction === 'forwards' ? 1 : -1);
      await nextTurn();
    }
  }

  async *follow({ after, categories, signal }: FollowOptions): AsyncGenerator<FollowBatch> {
    let reached = Number(after);
    while (!signal.aborted) {
      if (this.closing) throw new FollowInterrupted('the event log is closed', false);
      if (reached >= this.store.head) {
        await this.commits.next(signal);
        continue;
      }
      const page = this.readAfter(reached, categories);
      reached = page.reached;
      yield { events: page.rows.map(decodeRow), reached: BigInt(reached) };
      // Catching up is all synchronous work and microtasks: without this, nothing else would get its turn.
      if (reached < this.store.head) await nextTurn();
    }
  }

  async head(): Promise<Position> {
    return this.guarded(() => BigInt(this.store.head));
  }

  /**
   * Events whose `at` is longer ago are no longer read. They are not removed from the file, and followers still get
   * them.
   */
  async setMaxAge(stream: string, maxAgeSec: number): Promise<void> {
    this.guarded(() => this.store.setMaxAge(stream, maxAgeSec));
  }

  /** Commits what waits, then closes. */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    this.group.drain();
    this.store.close();
    this.commits.wakeAll();
  }

  private readAfter(after: number, categories: FollowOptions['categories']) {
    try {
      return this.store.readAfter(after, categories);
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
