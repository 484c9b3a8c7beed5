import type { EventToAppend, Position, StoredEvent } from '../../kernel/event';
import { categoryOf, LOG_CATEGORY } from '../../kernel/streams';
import type { FollowBatch } from '../event-log';
import type { AppendOutcome, LogFilter, LogHead, StreamQuery } from './store-messages';
import { admits } from './store-messages';

/** How much is kept, about: seconds of the busiest node, and hours of a quiet one. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What an event takes beside its data: metadata, ids, objects. */
const EVENT_FRAME_BYTES = 1_000;
const NO_BYTES = new Uint8Array(0);
const MAX_PAGE_EVENTS = 1_000;
/** A page ends with the event that takes it past this, as one from the file does: followers hold pages in memory. */
const MAX_PAGE_BYTES = 1024 * 1024;

type AppendedOutcome = Extract<AppendOutcome, { kind: 'appended' }>;

export interface StreamEvents {
  events: readonly StoredEvent[];
  /** Whether nothing is left in this direction. */
  complete: boolean;
}

/**
 * The newest events of the log as they were appended, those of raw log bytes without the bytes: whoever follows the
 * log, and whoever looks at the end of a stream that was written a moment ago, need not ask the file. It answers null
 * where it cannot know all.
 */
export class RecentEvents {
  /** Everything behind `start`, in the order of the positions. */
  private events: StoredEvent[] = [];
  private bytes = 0;
  /** Of each stream its newest events, without a gap. */
  private readonly streams = new Map<string, StoredEvent[]>();
  /** Streams whose events age: what may be read of them depends on the time. */
  private readonly ageing = new Set<string>();

  private start: LogHead = 0;

  /** Begins anew: what lies at or before the head is known to the file only. */
  restartAt(head: LogHead): void {
    this.start = head;
    this.events = [];
    this.bytes = 0;
    this.streams.clear();
  }

  /** The stream has a maximum age: it is read from the file from now on, as those of raw log bytes always are. */
  hide(stream: string): void {
    if (categoryOf(stream) === LOG_CATEGORY) return;
    this.ageing.add(stream);
    this.streams.delete(stream);
  }

  /** To be told of every append that is on disk, in the order of the positions. What it has already is left alone. */
  add(
    stream: string,
    events: readonly EventToAppend[],
    { revision, positions, ages }: AppendedOutcome,
  ): void {
    if (ages) this.hide(stream);
    const first = revision - events.length + 1;
    const isOutput = categoryOf(stream) === LOG_CATEGORY;
    for (const [index, { id, type, data, metadata }] of events.entries()) {
      const position = BigInt(positions[index]!);
      const kept = isOutput && typeof data !== 'string' ? NO_BYTES : data;
      this.keep({ id, type, data: kept, metadata, stream, revision: first + index, position });
    }
    if (this.bytes > MAX_BYTES) this.forgetOldest();
  }

  /** The next events after a position, up to the head. */
  after(position: number, head: LogHead, { categories, withoutBytes }: LogFilter): FollowBatch | null {
    const needsBytes = !withoutBytes && admits(categories, LOG_CATEGORY);
    if (position < this.start || needsBytes || isBehind(head, this.events)) return null;
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (let index = this.indexAfter(BigInt(position)); index < this.events.length; index += 1) {
      const event = this.events[index]!;
      if (!admits(categories, categoryOf(event.stream))) continue;
      events.push(event);
      bytes += event.data.length;
      if (events.length === MAX_PAGE_EVENTS || bytes >= MAX_PAGE_BYTES)
        return { events, reached: event.position };
    }
    return { events, reached: BigInt(head) };
  }

  inStream({ stream, from, direction, maxRows, head }: StreamQuery): StreamEvents | null {
    const known = this.streams.get(stream);
    const [first, last] = [known?.[0], known?.at(-1)];
    if (!known || from < first!.revision || isBehind(head, known)) return null;
    if (direction === 'forwards') {
      const index = from - first!.revision;
      const events = known.slice(index, index + maxRows);
      return { events, complete: index + events.length >= known.length };
    }
    const end = Math.min(from, last!.revision) - first!.revision + 1;
    const events = known.slice(Math.max(0, end - maxRows), end).reverse();
    return { events, complete: events.at(-1)!.revision === 0 };
  }

  private keep(event: StoredEvent): void {
    const { stream, position, data } = event;
    const last = this.events.at(-1)?.position ?? BigInt(this.start);
    if (position <= last) return this.missed(position) ? this.restartAt(Number(last)) : undefined;
    this.events.push(event);
    this.bytes += data.length + EVENT_FRAME_BYTES;
    if (categoryOf(stream) === LOG_CATEGORY || this.ageing.has(stream)) return;
    const known = this.streams.get(stream);
    if (known) known.push(event);
    else this.streams.set(stream, [event]);
  }

  /** Whoever was not told of an event in its turn must not answer as if there were none: the file knows. */
  private missed(position: Position): boolean {
    return position > this.start && this.events[this.indexAfter(position) - 1]?.position !== position;
  }

  /** Index of the first event behind a position. */
  private indexAfter(position: bigint): number {
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.events[middle]!.position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private forgetOldest(): void {
    let count = 0;
    while (this.bytes > MAX_BYTES / 2) {
      const { stream, position, data } = this.events[count++]!;
      this.start = Number(position);
      this.bytes -= data.length + EVENT_FRAME_BYTES;
      const known = this.streams.get(stream);
      if (known && known.length > 1) known.shift();
      else this.streams.delete(stream);
    }
    this.events = this.events.slice(count);
  }
}

/** Whether the newest of these events are not acknowledged yet. */
function isBehind(head: LogHead, events: readonly StoredEvent[]): boolean {
  const last = events.at(-1);
  return last !== undefined && last.position > head;
}
