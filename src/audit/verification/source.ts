import type { EventLog } from '../../event-log/event-log';
import type { Position, StoredEvent } from '../../kernel/event';
import type { Checkpoint } from '../domain/statement';

/** What is verified, in the order of the log: events, and the checkpoints that were signed after them. */
export interface Batch {
  items: readonly Item[];
  /** Everything up to here has been looked at. */
  reached: Position;
}

export type Item =
  | { kind: 'event'; event: StoredEvent }
  | { kind: 'checkpoint'; checkpoint: Checkpoint }
  /** A checkpoint that nobody can read. */
  | { kind: 'broken'; event: StoredEvent; reason: string };

/** A log, or what was exported of one. */
export interface Source {
  /** From behind a position to the end, as that is now. */
  items(after: Position, signal: AbortSignal): AsyncIterable<Batch>;
  /** Position of the end. */
  head(): Promise<Position>;
  /** Reads a stream again, where it has gone on since its checkpoint. */
  read: EventLog['read'];
  /** Reads a stream to its end, however far `items` has come. */
  lookUp: EventLog['read'];
}
