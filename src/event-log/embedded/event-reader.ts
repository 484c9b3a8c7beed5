import { categoryOf, LOG_CATEGORY } from '../../kernel/streams';
import { openToRead } from '../../sqlite/sqlite';
import { EventFileReader } from './event-file-reader';
import { chunksFile, eventsFile, isChunkCategory } from './event-files';
import type { LogFilter, LogHead, LogPage, StreamPage, StreamQuery } from './store-messages';
import { admits } from './store-messages';

/** How far one call looks for events that pass a filter, so that a strict one holds nothing up (some 5 ms). */
const MAX_SCANNED_POSITIONS = 20_000;

/**
 * Reads both files of the log as one, beside their writer and without holding it up. In the thread that asks: a page
 * costs about as much to read as it would to be handed over from another one.
 */
export class EventReader {
  private readonly events: EventFileReader;
  private readonly chunks: EventFileReader;

  /** Once the writer has made the files. */
  constructor(folder: string) {
    this.events = new EventFileReader(openToRead(eventsFile(folder)));
    this.chunks = new EventFileReader(openToRead(chunksFile(folder)));
  }

  readStream(query: StreamQuery): StreamPage {
    return (isChunkCategory(categoryOf(query.stream)) ? this.chunks : this.events).readStream(query);
  }

  /** The next events of the whole log, both files merged. Where nothing is left, `reached` stays at `after`. */
  readAfter(after: number, head: LogHead, { categories, withoutBytes }: LogFilter = {}): LogPage {
    if (after >= head) return { rows: [], reached: after };
    const upTo = Math.min(head, after + MAX_SCANNED_POSITIONS);
    if (!admits(categories, LOG_CATEGORY)) return this.events.readAfter(after, upTo, { categories });

    const chunks = this.chunks.readAfter(after, upTo, { withoutBytes });
    const events = this.events.readAfter(after, chunks.reached, { categories });
    // A full page of events ends before the chunks do; what of them lies behind it comes with the next page.
    const rows = [...events.rows, ...chunks.rows.filter(({ position }) => position <= events.reached)];
    return { rows: rows.sort((a, b) => a.position - b.position), reached: events.reached };
  }

  /**
   * Whether there is an event at the position, or was one that has aged out. What has aged out is long past, and stands
   * before the ends of both files; what a file has lost with its end does not.
   */
  has(position: number): boolean {
    if (this.events.has(position) || this.chunks.has(position)) return true;
    return position < Math.min(this.events.lastPosition(), this.chunks.lastPosition());
  }

  needsScavenging(nowMs: number): boolean {
    return this.chunks.needsScavenging(nowMs);
  }

  close(): void {
    this.events.close();
    this.chunks.close();
  }
}
