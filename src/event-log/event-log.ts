import type { EventToAppend, Position, Revision, StoredEvent } from '../kernel/event';

/**
 * The event log port. A backend keeps streams of events under one global order, and passes the contract suite in
 * `test/contract/event-log.contract.ts`.
 */
export interface EventLog {
  /**
   * Appends all events or none, at exactly `expected` (`NO_STREAM` for a new stream; never "any"), and answers when
   * they are on disk. Sending the same events again at the same revision succeeds and writes nothing.
   *
   * @throws RevisionConflict the stream is at another revision; nothing was written
   * @throws AppendRefused    the events can never be taken as they are; nothing was written
   * @throws LogUnavailable   it is unknown whether the events were written: send the same bytes again, nothing else
   */
  append(stream: string, events: readonly EventToAppend[], expected: Revision): Promise<Appended>;

  /**
   * Events of one stream, in order, `from` inclusive. Backwards starts at `from`, or at the last event without it.
   * A stream that doesn't exist yields nothing.
   */
  read(stream: string, options?: ReadOptions): AsyncIterable<StoredEvent>;

  /**
   * The whole log after a position, for ever, in batches; live without a gap. Ends without error when `signal` aborts,
   * and with `FollowInterrupted` on a fault, after which the caller follows again from the last batch it handled; with
   * `PositionGone` before the first batch where the position means nothing on this log (after a migration).
   */
  follow(options: FollowOptions): AsyncIterable<FollowBatch>;

  /** Position of the last event on the log, chunk streams included; 0 for an empty log. */
  head(): Promise<Position>;

  /**
   * Lets a stream's events age out: older ones are no longer read, and at some later time they are gone for followers,
   * too, but for the last event of the stream. Setting the same again changes nothing.
   *
   * @param maxAgeSec counted from when each event was written; null: they stay for ever, as without it
   */
  setMaxAge(stream: string, maxAgeSec: number | null): Promise<void>;

  close(): Promise<void>;
}

export interface Appended {
  /** Revision of the last event. */
  revision: Revision;
  /** Position of the last event. */
  position: Position;
  /**
   * One position an event, in the order given. A backend that is told only the last one has to read them.
   *
   * @throws LogUnavailable
   */
  positions(): Promise<readonly Position[]>;
}

export interface ReadOptions {
  from?: Revision;
  limit?: number;
  direction?: 'forwards' | 'backwards';
  /** Nothing is answered from memory: for audits, which want to know what is stored. Default: false. */
  asStored?: boolean;
}

export interface FollowOptions {
  /**
   * Exclusive. 0, or a position that this log has told: of an event, of its head, or how far a follower had come. A
   * backend may know of no others.
   */
  after: Position;
  /** The event at `after`, which must be that of an event, comes as well. Default: false. */
  inclusive?: boolean;
  /** Which stream categories to leave out, or the only ones to take. Default: everything. */
  categories?: { only: readonly string[] } | { except: readonly string[] };
  /** Raw bytes may be left empty: for whoever does not look at them. Default: false. */
  withoutBytes?: boolean;
  /** As with `read`. */
  asStored?: boolean;
  signal: AbortSignal;
}

/**
 * Everything up to and including `reached` has been delivered, by this batch or an earlier one, or was filtered out.
 * `events` may be empty: then only the position moved.
 */
export interface FollowBatch {
  events: readonly StoredEvent[];
  reached: Position;
}

export class RevisionConflict extends Error {
  constructor(
    readonly stream: string,
    readonly expected: Revision,
    /** `NO_STREAM` where the stream does not exist. */
    readonly actual: Revision,
  ) {
    super(`${stream} is at revision ${actual}, not ${expected}`);
    this.name = 'RevisionConflict';
  }
}

export class LogUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogUnavailable';
  }
}

/** The events will never be taken as they are, by whomever they are sent again: a fault of ours, or of the operator's. */
export class AppendRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AppendRefused';
  }
}

/** The log was closed, by ourselves: there is nothing to wait for. */
export class LogClosed extends LogUnavailable {
  constructor() {
    super('the event log is closed');
    this.name = 'LogClosed';
  }
}

export class FollowInterrupted extends Error {
  constructor(
    message: string,
    /** False where following again cannot help (the log is closed, the position is gone). */
    readonly resumable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'FollowInterrupted';
  }
}

/** The position that is to be followed from is of a log that this one has taken the place of. Start anew at `head`. */
export class PositionGone extends FollowInterrupted {
  constructor(readonly head: Position) {
    super('the position is gone', false);
    this.name = 'PositionGone';
  }
}
