import type { Database } from '../../sqlite/sqlite';
import { openDatabase } from '../../sqlite/sqlite';
import type { Writer } from '../../sqlite/writer';
import { EventFileWriter } from './event-file-writer';
import { chunksFile, eventsFile, isChunkCategory } from './event-files';
import type { LogHead, WriteOutcome, WriteRequest } from './store-messages';

/** Pages until SQLite folds its write-ahead log back. Rarely is best for small events; with chunks it would stall. */
const LOG_CHECKPOINT_PAGES = 16_000;
const CHUNK_CHECKPOINT_PAGES = 1_000;

/** Writes both files of the log, and gives out the positions. The only writer of its folder. */
export class EventWriter implements Writer<WriteRequest, WriteOutcome, LogHead> {
  private readonly files: readonly EventFileWriter[];
  private readonly events: EventFileWriter;
  private readonly chunks: EventFileWriter;
  private head: LogHead;
  /** Never handed out twice, also not after a failed commit: what failed may come back with the next start. */
  private lastTaken: number;

  static open(folder: string): EventWriter {
    return new EventWriter(
      openDatabase(eventsFile(folder), 'FULL', LOG_CHECKPOINT_PAGES),
      openDatabase(chunksFile(folder), 'FULL', CHUNK_CHECKPOINT_PAGES, true),
    );
  }

  constructor(events: Database, chunks: Database) {
    this.events = new EventFileWriter(events);
    this.chunks = new EventFileWriter(chunks);
    this.files = [this.events, this.chunks];
    this.head = Math.max(...this.files.map((file) => file.lastPosition()));
    this.lastTaken = this.head;
  }

  get state(): LogHead {
    return this.head;
  }

  /** One transaction a file. Where one fails, its appends do; those of the other file don't. */
  write(requests: readonly WriteRequest[]): WriteOutcome[] {
    const outcomes = new Array<WriteOutcome>(requests.length);
    for (const file of this.files) {
      const indexes = [...requests.keys()].filter((index) => this.fileOf(requests[index]!) === file);
      const own = indexes.map((index) => requests[index]!);
      this.writeToFile(file, own).forEach((outcome, index) => (outcomes[indexes[index]!] = outcome));
    }
    return outcomes;
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  private writeToFile(file: EventFileWriter, requests: readonly WriteRequest[]): WriteOutcome[] {
    if (requests.length === 0) return [];
    try {
      let lastWritten = this.head;
      const outcomes = file.writeGroup(requests, () => (lastWritten = ++this.lastTaken));
      this.head = lastWritten;
      return outcomes;
    } catch (cause) {
      return requests.map(() => ({ kind: 'failed', cause }));
    }
  }

  private fileOf({ category }: WriteRequest): EventFileWriter {
    return isChunkCategory(category) ? this.chunks : this.events;
  }
}
