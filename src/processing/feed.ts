import type { DomainEvent, Position, Recorded } from '../kernel/event';
import { decode } from '../kernel/event';
import { LOG_CATEGORY } from '../kernel/streams';
import type { EventLog, FollowBatch } from '../event-log/event-log';
import { pause } from '../kernel/pause';
import { steadyFollow } from './steady-follow';

/** What a consumer wants to be handed, and when. */
export interface Subscription {
  /** It is not woken for batches that have none of these, nor anything unreadable. Default: all concern it. */
  handles?: readonly string[];
  /**
   * Waited for between the arrival of something new and its delivery: all that has come by then is one batch. Default:
   * nothing.
   */
  gather?: () => Promise<void>;
  /** Waited for before it is told how far the log has come with what does not concern it. */
  rest?: () => Promise<void>;
}

/** What a consumer is handed: decoded events in order, and how far the log has been followed. */
export interface Batch {
  events: readonly Recorded[];
  reached: Position;
}

const EVERYTHING_BUT_LOG_BYTES = { except: [LOG_CATEGORY] };
/** How much may wait for a slow consumer before it has to read the log for itself. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** What an event takes beside its data: metadata, ids, objects. */
const EVENT_FRAME_BYTES = 700;

/**
 * Reads the log once, without log bytes, for all consumers of this node. A consumer that starts behind the feed, or
 * falls too far behind it, reads the log for itself until it has caught up.
 */
export class Feed {
  private readonly attached = new Set<WaitingBatches>();
  private position: Position | null = null;
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private interruption: Error | null = null;

  constructor(
    private readonly log: EventLog,
    private readonly onInterrupted: (error: unknown) => void,
  ) {}

  /** Why nothing comes although the log goes on to `head`; null where there is no reason to think so. */
  ailmentBefore(head: Position): string | null {
    const isBehind = this.position !== null && this.position < head;
    return isBehind ? (this.interruption?.message ?? null) : null;
  }

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
  async *subscribe(after: Position, signal: AbortSignal, wanted: Subscription = {}): AsyncGenerator<Batch> {
    if (this.position === null) throw new Error('the feed has not been started');
    const ended = AbortSignal.any([signal, this.stopped.signal]);
    let reached = after;
    while (!ended.aborted) {
      // Attached before reading, so that nothing falls between what is read here and what the feed brings.
      const waiting = new WaitingBatches(ended, wanted);
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

  /**
   * The log after one position and up to another one that it has reached, read apart from the live batches.
   *
   * @throws Error where the log can no longer be followed from the position
   */
  async *range(after: Position, upTo: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    for await (const { events, reached } of this.catchUp(after, upTo, signal)) {
      if (reached <= upTo) yield { events, reached };
      else yield { events: events.filter(({ position }) => position <= upTo), reached: upTo };
    }
  }

  private async *catchUp(after: Position, until: Position, ended: AbortSignal): AsyncGenerator<Batch> {
    if (after >= until) return;
    for await (const batch of this.steadily(after, ended)) {
      yield batch;
      if (batch.reached >= until) return;
    }
    // Going on with what the feed brings would leave a gap that nobody sees.
    if (!ended.aborted) throw new Error(`the log could not be followed from ${after} to ${until}`);
  }

  private async run(): Promise<void> {
    for await (const batch of this.steadily(this.position!, this.stopped.signal)) {
      this.position = batch.reached;
      this.interruption = null;
      for (const waiting of this.attached) waiting.push(batch);
    }
  }

  private async *steadily(after: Position, signal: AbortSignal): AsyncGenerator<SizedBatch> {
    const options = { after, categories: EVERYTHING_BUT_LOG_BYTES, signal };
    const onInterrupted = (error: unknown) => {
      this.interruption = error instanceof Error ? error : new Error('unknown', { cause: error });
      this.onInterrupted(error);
    };
    for await (const batch of steadyFollow(this.log, options, onInterrupted)) yield decodeBatch(batch);
  }
}

/** A batch, and how much memory it takes, about. */
interface SizedBatch extends Batch {
  bytes: number;
}

/** Consumers that catch up side by side are handed the same batches, which are decoded for the first of them. */
const decoded = new WeakMap<FollowBatch, SizedBatch>();

function decodeBatch(batch: FollowBatch): SizedBatch {
  const known = decoded.get(batch);
  if (known) return known;
  const { events, reached } = batch;
  const bytes = events.reduce((sum, { data }) => sum + data.length + EVENT_FRAME_BYTES, 0);
  const sized = { events: events.map((stored) => decode<DomainEvent>(stored)), reached, bytes };
  decoded.set(batch, sized);
  return sized;
}

function newerThan(position: Position, events: readonly Recorded[]): readonly Recorded[] {
  const first = events[0];
  return first && first.position > position ? events : events.filter((event) => event.position > position);
}

/** See `Subscription.rest`, where a consumer has none of its own. */
const REST_MS = 50;

/** What the feed has brought and the consumer has not taken. Ends, with what it holds, when it has become too much. */
class WaitingBatches implements AsyncIterable<Batch> {
  private batches: SizedBatch[] = [];
  private bytes = 0;
  private overflown = false;
  private isResting = false;
  private readonly handles: ReadonlySet<string> | null;
  private wake: () => void = () => undefined;

  constructor(
    private readonly ended: AbortSignal,
    private readonly wanted: Subscription,
  ) {
    this.handles = wanted.handles ? new Set(wanted.handles) : null;
  }

  push(batch: SizedBatch): void {
    if (this.overflown) return;
    const last = this.batches.at(-1);
    if (!this.concerns(batch)) {
      const { reached } = batch;
      if (last) this.batches[this.batches.length - 1] = { ...last, reached };
      else this.batches.push({ events: [], reached, bytes: 0 });
      return this.wakeAfterRest();
    }
    if (this.bytes + batch.bytes > MAX_WAITING_BYTES) {
      this.overflown = true;
    } else {
      this.batches.push(batch);
      this.bytes += batch.bytes;
    }
    this.wake();
  }

  private concerns({ events }: Batch): boolean {
    const { handles } = this;
    if (!handles) return events.length > 0;
    return events.some(({ event, unreadable }) => handles.has(event.type) || unreadable !== undefined);
  }

  /** Many batches that do not concern it are one. */
  private wakeAfterRest(): void {
    if (this.isResting) return;
    this.isResting = true;
    const { rest = () => pause(REST_MS, this.ended) } = this.wanted;
    void rest().then(() => {
      this.isResting = false;
      this.wake();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const wakeUp = () => this.wake();
    this.ended.addEventListener('abort', wakeUp);
    try {
      while (!this.ended.aborted) {
        if (this.batches.length === 0) {
          if (this.overflown) return;
          await new Promise<void>((resolve) => (this.wake = resolve));
        }
        // Also where more has come while the last batch was handled: under load that is always so.
        if (!this.overflown) await this.wanted.gather?.();
        const batch = this.merged();
        if (batch) yield batch;
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
    this.bytes = 0;
    if (rest.length === 0) return first;
    return { events: [first, ...rest].flatMap(({ events }) => events), reached: rest.at(-1)!.reached };
  }
}
