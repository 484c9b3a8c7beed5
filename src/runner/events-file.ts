import type { RunEventInput } from './run-event-writer';
import { pause } from '../kernel/pause';
import { openRegularFile } from './read-regular-file';
import type { ReportedEvent } from './reported-event';
import { maskedReported, parseReportedEvent } from './reported-event';
import { messageOf } from './run-failure';
import type { RunSecrets } from './run-secrets';

const POLL_MS = 100;
const MAX_LINE_BYTES = 64 * 1024;
/** Booked together at most. Events are larger than their lines by their frames, which are small. */
const MAX_READ_BYTES = 4 * MAX_LINE_BYTES;
const MAX_LINES_AT_ONCE = 200;
const LINE_FEED = 0x0a;

/** In the payload of every event from the file: where the next line begins, in bytes. */
export const NEXT_LINE_KEY = 'eventsFileOffset';
/** Lines that are booked of one run. Whoever has more to say says it in the result. */
export const MAX_LINES = 10_000;
/** `error` events about the lines of one run. */
export const MAX_COMPLAINTS = 5;

export interface EventsFileProgress {
  /** Where the first line begins that is not on the log yet, in bytes. */
  offset: number;
  /** How many events the lines have given so far. */
  lines: number;
  /** How many `error` events about lines are on the log. */
  complaints: number;
}

/** What the file gives: reports of the agent, and complaints about them. */
export type EventsFileEvent = ReportedEvent | RunEventInput<'error' | 'note'>;

interface Reading {
  bytes: Buffer;
  isAtEnd: boolean;
}

/** Books the lines that an agent appends to its events file as events of the run, each once, also after a restart. */
export class EventsFile {
  private offset: number;
  private lines: number;
  private complaints: number;
  /** In the middle of a line that is too long. */
  private isSkipping = false;
  private isGivenUp: boolean;

  constructor(
    /** `name` is what people know it by. */
    private readonly file: { path: string; name: string },
    progress: EventsFileProgress,
    private readonly secrets: Pick<RunSecrets, 'mask'>,
    private readonly book: (events: readonly EventsFileEvent[]) => Promise<void>,
  ) {
    this.offset = progress.offset;
    this.lines = progress.lines;
    this.isGivenUp = progress.lines > MAX_LINES;
    this.complaints = progress.complaints;
  }

  /** Books lines as they come, until `stop` aborts. */
  async follow(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.bookLines(false);
      await pause(POLL_MS, stop);
    }
  }

  /** Books what is left, the last line also without a line feed. */
  async drain(): Promise<void> {
    await this.bookLines(true);
  }

  private async bookLines(takesUnfinished: boolean): Promise<void> {
    while (!this.isGivenUp) {
      const reading = await this.read();
      if (reading === null) return;
      const { events, length } = this.takeLines(reading, takesUnfinished);
      await this.book(events);
      this.offset += length;
      if (length === 0) return;
    }
  }

  /** What is wrong with the file is the agent's doing: it is said once, and the file is left alone from then on. */
  private async read(): Promise<Reading | null> {
    try {
      return await readFrom(this.file.path, this.offset);
    } catch (error) {
      this.isGivenUp = true;
      const message = `The ${this.file.name} is read no further: ${messageOf(error)}`;
      await this.book([{ eventType: 'error', level: 'error', message }]);
      return null;
    }
  }

  private takeLines({ bytes, isAtEnd }: Reading, takesUnfinished: boolean) {
    const events: EventsFileEvent[] = [];
    let start = 0;
    for (let count = 0; count < MAX_LINES_AT_ONCE && start < bytes.length && !this.isGivenUp; count++) {
      const feed = bytes.indexOf(LINE_FEED, start);
      const line = bytes.subarray(start, feed < 0 ? bytes.length : feed);
      const isFinished = feed >= 0 || (takesUnfinished && isAtEnd);
      if (!isFinished && line.length <= MAX_LINE_BYTES) break;
      start += line.length + (feed < 0 ? 0 : 1);
      const added = this.toEvents(line, isFinished, this.offset + start);
      this.lines += added.length;
      events.push(...added);
    }
    return { events, length: start };
  }

  private toEvents(line: Buffer, isFinished: boolean, next: number): EventsFileEvent[] {
    const wasSkipping = this.isSkipping;
    this.isSkipping = !isFinished;
    if (wasSkipping) return [];
    if (this.lines >= MAX_LINES) return this.giveUp(next);
    if (line.length > MAX_LINE_BYTES) return this.complain(`longer than ${MAX_LINE_BYTES} bytes`, next);
    const text = line.toString().trim();
    if (text === '') return [];
    try {
      const event = maskedReported(parseReportedEvent(text), this.secrets.mask);
      return [{ ...event, payload: { ...event.payload, [NEXT_LINE_KEY]: next } }];
    } catch (error) {
      return this.complain(messageOf(error), next);
    }
  }

  private giveUp(next: number): EventsFileEvent[] {
    this.isGivenUp = true;
    const message = `The ${this.file.name} is read no further: it has more than ${MAX_LINES} lines`;
    return [{ eventType: 'note', level: 'warn', message, payload: { [NEXT_LINE_KEY]: next } }];
  }

  private complain(problem: string, next: number): EventsFileEvent[] {
    if (++this.complaints > MAX_COMPLAINTS) return [];
    const message = `A line of the ${this.file.name} was left out: ${problem}`;
    return [{ eventType: 'error', level: 'error', message, payload: { [NEXT_LINE_KEY]: next } }];
  }
}

async function readFrom(path: string, offset: number): Promise<Reading | null> {
  const file = openRegularFile(path);
  if (file === null) return null;
  try {
    const { size } = file.stat();
    if (size < offset) throw new Error('it has become shorter');
    const buffer = Buffer.alloc(Math.min(size - offset, MAX_READ_BYTES));
    const bytesRead = await file.read(buffer, buffer.length, offset);
    return { bytes: buffer.subarray(0, bytesRead), isAtEnd: offset + bytesRead >= size };
  } finally {
    file.close();
  }
}
