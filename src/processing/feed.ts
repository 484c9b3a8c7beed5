import type { DomainEvent, Position, Recorded } from '../kernel/event';
import { decode } from '../kernel/event';
import { LOG_CATEGORY } from '../kernel/streams';
import type { EventLog, FollowBatch } from '../event-log/event-log';
import { FollowInterrupted } from '../event-log/event-log';
import { pause } from './pause';

/** What a consumer is handed: decoded events in order, and how far the log has been followed. */
export interface Batch {
  events: readonly Recorded[];
  reached: Position;
}

const EVERYTHING_BUT_LOG_BYTES = { except: [LOG_CATEGORY] };
/** How many events may wait for a slow consumer before it has to read the log for itself. */
const MAX_WAITING_EVENTS = 20_000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5_000;

/**
 * Reads the log once, without log bytes, for all consumers of this node. A consumer that starts behind the feed, or
 * falls too far behind it, reads the log for itself until it has caught up.
 */
export class Feed {
  private readonly attached = new Set<WaitingBatches>();
  private position: Position | null = null;
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly log: EventLog,
    private readonly onInterrupted: (error: unknown) => void,
  ) {}

  /** Starts to read at the head: consumers catch up to it by themselves. */
  async start(): Promise<void> {
    this.position = await this.log.head();
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  /**
   * All batches after a position, live and without a gap, until the feed or the consumer is stopped.
   *
   * @throws Error where the log can no longer be followed from the position
   */
  async *subscribe(after: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    if (this.position === null) throw new Error('the feed has not been started');
    const ended = AbortSignal.any([signal, this.stopped.signal]);
    let reached = after;
    while (!ended.aborted) {
      // Attached before reading, so that nothing falls between what is read here and what the feed brings.
      const waiting = new WaitingBatches(ended);
      this.attached.add(waiting);
      const handover = this.position;
      try {
        for await (const batch of this.catchUp(reached, handover, ended)) {
          yield batch;
          reached = batch.reached;
        }
        for await (const batch of waiting) {
          if (batch.reached <= reached) continue;
          yield { events: newerThan(reached, batch.events), reached: batch.reached };
          reached = batch.reached;
        }
      } finally {
        this.attached.delete(waiting);
      }
    }
  }

  private async *catchUp(after: Position, until: Position, ended: AbortSignal): AsyncGenerator<Batch> {
    if (after >= until) return;
    for await (const batch of this.followWithRetries(after, ended)) {
      yield batch;
      if (batch.reached >= until) return;
    }
    // Going on with what the feed brings would leave a gap that nobody sees.
    if (!ended.aborted) throw new Error(`the log could not be followed from ${after} to ${until}`);
  }

  private async run(): Promise<void> {
    for await (const batch of this.followWithRetries(this.position!, this.stopped.signal)) {
      this.position = batch.reached;
      for (const waiting of this.attached) waiting.push(batch);
    }
  }

  private async *followWithRetries(after: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    let retryMs = FIRST_RETRY_MS;
    let reached = after;
    while (!signal.aborted) {
      try {
        const options = { after: reached, categories: EVERYTHING_BUT_LOG_BYTES, signal };
        for await (const batch of this.log.follow(options)) {
          yield decodeBatch(batch);
          reached = batch.reached;
          retryMs = FIRST_RETRY_MS;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.onInterrupted(error);
        if (error instanceof FollowInterrupted && !error.resumable) return;
        await pause(retryMs * (0.5 + Math.random() / 2), signal);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }
}

function decodeBatch(batch: FollowBatch): Batch {
  return { events: batch.events.map((stored) => decode<DomainEvent>(stored)), reached: batch.reached };
}

function newerThan(position: Position, events: readonly Recorded[]): readonly Recorded[] {
  const first = events[0];
  return first && first.position > position ? events : events.filter((event) => event.position > position);
}

/** What the feed has brought and the consumer has not taken. Ends, with what it holds, when it has become too much. */
class WaitingBatches implements AsyncIterable<Batch> {
  private batches: Batch[] = [];
  private eventCount = 0;
  private overflown = false;
  private wake: () => void = () => undefined;

  constructor(private readonly ended: AbortSignal) {}

  push(batch: Batch): void {
    if (this.overflown) return;
    const last = this.batches.at(-1);
    if (batch.events.length === 0 && last) {
      this.batches[this.batches.length - 1] = { events: last.events, reached: batch.reached };
    } else if (this.eventCount + batch.events.length > MAX_WAITING_EVENTS) {
      this.overflown = true;
    } else {
      this.batches.push(batch);
      this.eventCount += batch.events.length;
    }
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const wakeUp = () => this.wake();
    this.ended.addEventListener('abort', wakeUp);
    try {
      while (!this.ended.aborted) {
        const batch = this.merged();
        if (batch) yield batch;
        else if (this.overflown) return;
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      this.ended.removeEventListener('abort', wakeUp);
    }
  }

  /** Everything that waits, as one batch: a consumer that is slow gets larger ones. */
  private merged(): Batch | undefined {
    const [first, ...rest] = this.batches;
    if (!first) return undefined;
    this.batches = [];
    this.eventCount = 0;
    if (rest.length === 0) return first;
    return { events: [first, ...rest].flatMap(({ events }) => events), reached: rest.at(-1)!.reached };
  }
}
