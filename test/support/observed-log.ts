import type {
  Appended,
  EventLog,
  FollowBatch,
  FollowOptions,
  ReadOptions,
} from '../../src/event-log/event-log';
import type { EventToAppend, Position, Revision, StoredEvent } from '../../src/kernel/event';

export interface AppendCall {
  stream: string;
  events: readonly EventToAppend[];
  expected: Revision;
}

/** A log that is watched, and that can be made to fail: each hook gets what the log itself would do. */
export class ObservedLog implements EventLog {
  readonly appends: AppendCall[] = [];
  readonly reads: string[] = [];
  /** The positions that were followed from. */
  readonly follows: Position[] = [];

  onAppend: (append: () => Promise<Appended>, call: AppendCall) => Promise<Appended> = (append) => append();
  onRead: (read: () => AsyncIterable<StoredEvent>, stream: string) => AsyncIterable<StoredEvent> = (read) =>
    read();
  onFollow: (follow: () => AsyncIterable<FollowBatch>, options: FollowOptions) => AsyncIterable<FollowBatch> =
    (follow) => follow();

  constructor(private readonly log: EventLog) {}

  async append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended> {
    const call = { stream, events: structuredClone(events), expected };
    this.appends.push(call);
    return this.onAppend(() => this.log.append(stream, events, expected), call);
  }

  read(stream: string, options?: ReadOptions): AsyncIterable<StoredEvent> {
    this.reads.push(stream);
    return this.onRead(() => this.log.read(stream, options), stream);
  }

  follow(options: FollowOptions): AsyncIterable<FollowBatch> {
    this.follows.push(options.after);
    return this.onFollow(() => this.log.follow(options), options);
  }

  head(): Promise<Position> {
    return this.log.head();
  }

  setMaxAge(stream: string, maxAgeSec: number | null): Promise<void> {
    return this.log.setMaxAge(stream, maxAgeSec);
  }

  close(): Promise<void> {
    return this.log.close();
  }
}
