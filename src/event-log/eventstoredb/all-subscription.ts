import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AllStreamResolvedEvent,
  AllStreamSubscription,
  EventStoreDBClient,
  SubscribeToAllOptions,
} from '@eventstore/db-client';
import { START, streamNameFilter } from '@eventstore/db-client';
import type { Position, StoredEvent } from '../../kernel/event';
import { BEFORE_FIRST_POSITION } from '../../kernel/event';
import type { FollowBatch, FollowOptions } from '../event-log';
import { decodeEvent, logPosition } from './event-encoding';
import type { LogTail } from './log-tail';
import type { StreamNames } from './stream-names';

const MAX_BATCH_EVENTS = 500;
/** How many events of a subscription wait here for its reader, who may be slow; the others wait on the server. */
const BUFFERED_EVENTS = 200;
/** So long what comes right after a batch is gathered for the next one. */
const GATHER_MS = 5;
/** How many events the server looks at before it says how far it has come without finding one that passes. */
const SEARCH_WINDOW = 32;
/** So long a position that is known may wait for the server to tell of it. */
const LOOK_MS = 15;
/** Where there was something in between, which is on its way. */
const LOOK_AGAIN_MS = 100;
/** Of a file. What is larger is no place, but says "the end", wherever that is. */
const LARGEST_POSITION = 2n ** 63n - 1n;

/**
 * One subscription to the whole log. It doesn't come back by itself: whoever reads it follows again from the last batch
 * that it handled.
 */
export class AllSubscription {
  private readonly passes: (stream: string) => boolean;
  private readonly subscription: AllStreamSubscription;
  private reached: Position;
  /** Said by the server when all events before it had been handed over, to us or to the buffer of the subscription. */
  private checkpoint: Position = BEFORE_FIRST_POSITION;
  /** Known from elsewhere to be on the log. */
  private seen: Position = BEFORE_FIRST_POSITION;
  private lookTimer: NodeJS.Timeout | undefined;
  private error: Error | null = null;
  private hasEnded = false;
  private wake: () => void = () => undefined;

  constructor(
    client: EventStoreDBClient,
    private readonly tail: LogTail,
    after: Position,
    categories: FollowOptions['categories'],
    private readonly names: StreamNames,
    private readonly ended: AbortSignal,
  ) {
    this.reached = after;
    this.passes = (name) => names.passes(name, categories);
    const options: SubscribeToAllOptions = {
      fromPosition: after === BEFORE_FIRST_POSITION ? START : logPosition(after),
      filter: streamNameFilter({
        regex: names.filter(categories),
        maxSearchWindow: SEARCH_WINDOW,
        checkpointInterval: 1,
        checkpointReached: (_subscription, { commit }) => {
          if (commit <= LARGEST_POSITION) this.notice(commit);
        },
      }),
    };
    this.subscription = client.subscribeToAll(options, { highWaterMark: BUFFERED_EVENTS });
    this.subscription.on('error', (error: Error) => this.finish(error));
    for (const event of ['end', 'close']) this.subscription.on(event, () => this.finish(null));
    this.subscription.on('readable', () => this.wake());
    // Now nothing comes for as long as nothing is written: what was left out at the end has to be seen by ourselves.
    this.subscription.on('caughtUp', () => void this.lookAtHead());
  }

  /** @throws what ended the subscription, unless that was ourselves */
  async *batches(): AsyncGenerator<FollowBatch> {
    const wakeUp = () => this.wake();
    let lastBatchMs = -Infinity;
    this.ended.addEventListener('abort', wakeUp);
    try {
      while (!this.ended.aborted) {
        const changed = new Promise<void>((resolve) => (this.wake = resolve));
        const batch = this.take();
        if (batch) {
          this.reached = batch.reached;
          lastBatchMs = performance.now();
          yield batch;
        } else if (this.error !== null || this.hasEnded) {
          throw this.error ?? new Error('the subscription has ended');
        } else {
          await changed;
          // Events come one by one. Where many do, they wait for each other: each batch costs its readers a write.
          if (performance.now() - lastBatchMs < GATHER_MS) await sleep(GATHER_MS);
        }
      }
    } finally {
      this.ended.removeEventListener('abort', wakeUp);
    }
  }

  /** The position is on the log, and its event may be one that this subscription leaves out. */
  look(position: Position): void {
    if (position > this.seen) this.seen = position;
    if (position > this.reached) this.lookIn(LOOK_MS);
  }

  async end(): Promise<void> {
    clearTimeout(this.lookTimer);
    if (!this.hasEnded) await this.subscription.unsubscribe().catch(() => undefined);
    this.subscription.destroy();
  }

  /** All that has come, as one batch; null where nothing has moved. */
  private take(): FollowBatch | null {
    const events: StoredEvent[] = [];
    let reached = this.reached;
    for (let count = 0; count < MAX_BATCH_EVENTS; count++) {
      const resolved = this.subscription.read() as AllStreamResolvedEvent | null;
      if (resolved === null) {
        // Only now have all events been handled that came before the checkpoint.
        if (this.checkpoint > reached) reached = this.checkpoint;
        break;
      }
      const { position } = resolved.event!;
      // The server repeats nothing, but a checkpoint may have taken us further than the event it came before.
      if (position.commit <= reached) continue;
      reached = position.commit;
      const event = this.passes(resolved.event!.streamId) ? decodeEvent(resolved, this.names) : null;
      if (event) events.push(event);
    }
    return reached > this.reached ? { events, reached } : null;
  }

  private async lookNow(): Promise<void> {
    this.lookTimer = undefined;
    const { seen, reached } = this;
    if (seen <= reached || this.hasEnded || this.ended.aborted) return;
    // A fault shows in the subscription itself; the next look tries again.
    const isEmpty = await this.tail.isEmptyBetween(reached, seen, this.passes).catch(() => false);
    if (isEmpty) this.notice(seen);
    else this.lookIn(LOOK_AGAIN_MS);
  }

  private lookIn(ms: number): void {
    this.lookTimer ??= setTimeout(() => void this.lookNow(), ms).unref();
  }

  private async lookAtHead(): Promise<void> {
    const head = await this.tail.head().catch(() => null);
    if (head !== null) this.look(head);
  }

  private notice(position: Position): void {
    if (position > this.checkpoint) this.checkpoint = position;
    this.wake();
  }

  private finish(error: Error | null): void {
    this.error ??= error;
    this.hasEnded = true;
    this.wake();
  }
}
