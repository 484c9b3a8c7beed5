import { join } from 'node:path';
import { LOG_CATEGORY, categoryOf } from '../../kernel/streams';
import type { Database } from '../../sqlite/sqlite';
import { openDatabase } from '../../sqlite/sqlite';
import { EventFile } from './event-file';
import type {
  AppendOutcome,
  AppendRequest,
  CategoryFilter,
  LogPage,
  StreamPage,
  StreamQuery,
} from './store-messages';

/** Pages until SQLite folds its write-ahead log back. Rarely is best for small events; with chunks it would stall. */
const LOG_CHECKPOINT_PAGES = 16_000;
const CHUNK_CHECKPOINT_PAGES = 1_000;

/** How far one call looks for events that pass a filter, so that a strict one holds nothing up (some 5 ms). */
const MAX_SCANNED_POSITIONS = 20_000;

/**
 * The log in two files under one sequence of positions: `runlog.db` for the streams of raw log bytes, which are large
 * and age out, and `log.db` for everything else. Synchronous, the only writer of its folder, and unaware of the thread
 * it is in.
 */
export class SqliteEventStore {
  private readonly files: readonly EventFile[];
  private readonly events: EventFile;
  private readonly chunks: EventFile;
  private committedHead: number;
  /** Never handed out twice, also not after a failed commit: what failed may come back with the next start. */
  private lastTaken: number;

  static open(folder: string): SqliteEventStore {
    return new SqliteEventStore(
      openDatabase(join(folder, 'log.db'), 'FULL', LOG_CHECKPOINT_PAGES),
      openDatabase(join(folder, 'runlog.db'), 'FULL', CHUNK_CHECKPOINT_PAGES),
    );
  }

  constructor(events: Database, chunks: Database) {
    this.events = new EventFile(events);
    this.chunks = new EventFile(chunks);
    this.files = [this.events, this.chunks];
    this.committedHead = Math.max(...this.files.map((file) => file.lastPosition()));
    this.lastTaken = this.committedHead;
  }

  /** Position of the last event on disk; 0 for an empty log. */
  get head(): number {
    return this.committedHead;
  }

  /** One transaction a file. Where one fails, its appends do; those of the other file don't. */
  appendGroup(requests: readonly AppendRequest[]): AppendOutcome[] {
    const outcomes = new Array<AppendOutcome>(requests.length);
    for (const file of this.files) {
      const indexes = [...requests.keys()].filter((index) => this.fileOf(requests[index]!.category) === file);
      const own = indexes.map((index) => requests[index]!);
      this.appendToFile(file, own).forEach((outcome, index) => (outcomes[indexes[index]!] = outcome));
    }
    return outcomes;
  }

  readStream(query: StreamQuery): StreamPage {
    return this.fileOf(categoryOf(query.stream)).readStream(query);
  }

  /** The next events of the whole log, both files merged. Where nothing is left, `reached` stays at `after`. */
  readAfter(after: number, categories?: CategoryFilter): LogPage {
    if (after >= this.head) return { rows: [], reached: after };
    const upTo = Math.min(this.head, after + MAX_SCANNED_POSITIONS);
    if (!admits(categories, LOG_CATEGORY)) return this.events.readAfter(after, upTo, categories);

    const chunks = this.chunks.readAfter(after, upTo);
    const events = this.events.readAfter(after, chunks.reached, categories);
    // A full page of events ends before the chunks do; what of them lies behind it comes with the next page.
    const rows = [...events.rows, ...chunks.rows.filter(({ position }) => position <= events.reached)];
    return { rows: rows.sort((a, b) => a.position - b.position), reached: events.reached };
  }

  setMaxAge(stream: string, maxAgeSec: number): void {
    this.fileOf(categoryOf(stream)).setMaxAge(stream, maxAgeSec);
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  private appendToFile(file: EventFile, requests: readonly AppendRequest[]): AppendOutcome[] {
    if (requests.length === 0) return [];
    try {
      let lastWritten = this.committedHead;
      const outcomes = file.appendGroup(requests, () => (lastWritten = ++this.lastTaken));
      this.committedHead = lastWritten;
      return outcomes;
    } catch (cause) {
      return requests.map(() => ({ kind: 'failed', cause }));
    }
  }

  private fileOf(category: string): EventFile {
    return category === LOG_CATEGORY ? this.chunks : this.events;
  }
}

function admits(categories: CategoryFilter, category: string): boolean {
  if (!categories) return true;
  return 'only' in categories ? categories.only.includes(category) : !categories.except.includes(category);
}
