import type { Revision } from '../../kernel/event';
import type { FollowOptions } from '../event-log';

/*
 * What passes between the log and those who write and read its files: plain values only, since the writer lives in a
 * thread of its own. A position is a number in here; it stays exact up to 2^53, which a writer of 100,000 events/s
 * reaches in 2,800 years.
 */

export interface EncodedEvent {
  id: string;
  type: string;
  /** `metadata.at` in milliseconds since the epoch. */
  atMs: number;
  /** JSON text. */
  metadata: string;
  data: string | Uint8Array;
}

export interface AppendRequest {
  stream: string;
  category: string;
  expected: Revision;
  events: readonly EncodedEvent[];
}

export interface MaxAgeRequest {
  stream: string;
  category: string;
  maxAgeSec: number | null;
}

/** Removes some of what has aged out, and gives some of the room back: one small step of many. */
export interface ScavengeRequest {
  /** Whose file it is about. */
  category: string;
  /** What the age of events is measured against. */
  nowMs: number;
  /** About how much is removed at most. */
  maxBytes: number;
}

export type WriteRequest = AppendRequest | MaxAgeRequest | ScavengeRequest;

export type AppendOutcome =
  /** `ages`: the stream has a maximum age. */
  | { kind: 'appended'; revision: Revision; positions: readonly number[]; ages: boolean }
  | { kind: 'conflict'; actual: Revision };

export interface Scavenged {
  /** How many events are gone, */
  events: number;
  /** and how large they were. */
  bytes: number;
}

export type WriteOutcome =
  | AppendOutcome
  | { kind: 'maxAgeSet' }
  | ({ kind: 'scavenged' } & Scavenged)
  /** The transaction failed, so it is unknown whether the events are on disk. */
  | { kind: 'failed'; cause: unknown };

/** Position of the last event on disk; 0 for an empty log. */
export type LogHead = number;

export interface EventRow {
  position: number;
  stream: string;
  revision: Revision;
  type: string;
  id: string;
  metadata: string;
  data: string | Uint8Array;
  /** What its file finds it by, where the reader has not itself chosen by that. */
  category?: string;
  atMs?: number;
}

export interface StreamQuery {
  stream: string;
  /** Inclusive. */
  from: Revision;
  direction: 'forwards' | 'backwards';
  maxRows: number;
  /** What is behind it was not acknowledged yet. */
  head: LogHead;
  /** What the age of events is measured against, in streams that have a maximum age. */
  nowMs: number;
}

export interface StreamPage {
  rows: EventRow[];
  /** Whether nothing is left in this direction. */
  complete: boolean;
}

export type CategoryFilter = FollowOptions['categories'];
export type LogFilter = Pick<FollowOptions, 'categories' | 'withoutBytes' | 'asStored'>;

export function admits(categories: CategoryFilter, category: string): boolean {
  if (!categories) return true;
  return 'only' in categories ? categories.only.includes(category) : !categories.except.includes(category);
}

/** Everything up to and including `reached` is in `rows`, or was filtered out. */
export interface LogPage {
  rows: EventRow[];
  reached: number;
}
