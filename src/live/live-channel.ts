import type { EventLog } from '../event-log/event-log';
import type { EventMetadata, Position, Recorded, StoredEvent } from '../kernel/event';
import type { Feed } from '../processing/feed';
import { steadyFollow } from '../processing/steady-follow';
import type { LiveMessage } from './live-message';
import { liveMessages, messagesOf } from './live-messages';
import type { LiveScope } from './live-scope';
import { concerns, roomOf, roomsOf } from './live-scope';

/** Whom a channel tells. Must not wait: others are behind it. */
export interface Listener {
  readonly scope: LiveScope;
  offer(message: LiveMessage): void;
  /** Nothing more comes from this channel: what follows has to be read from the log, or there is nothing to be had. */
  cutOff(): void;
}

/** Opens what a channel tells of: from where on, and in which batches. */
type OpenSource<E> = (
  signal: AbortSignal,
) => Promise<{ from: Position; batches: AsyncIterable<{ events: readonly E[]; reached: Position }> }>;

interface Opened {
  stop: AbortController;
  ready: Promise<void>;
  done: Promise<void>;
}

/** What happens on the log, told to everybody on this node who wants to know. It is read only while somebody does. */
export class LiveChannel<E extends { metadata: EventMetadata } = never> {
  private readonly rooms = new Map<string, Set<Listener>>();
  /** How many listeners a company's messages have. */
  private readonly companies = new Map<string, number>();
  private published: Position = 0n;
  private opened: Opened | null = null;

  private constructor(
    private readonly openSource: OpenSource<E>,
    private readonly messagesOf: (event: E) => LiveMessage[],
  ) {}

  /** Everything but what runs write, as the feed brings it. */
  static ofFeed(feed: Feed, log: EventLog): LiveChannel<Recorded> {
    return new LiveChannel(async (signal) => {
      const from = await log.head();
      return { from, batches: feed.subscribe(from, signal) };
    }, liveMessages);
  }

  /** Everything. Reads the log once more, so that what runs write comes in its place among the rest. */
  static withLogs(log: EventLog, onInterrupted: (error: unknown) => void): LiveChannel<StoredEvent> {
    return new LiveChannel(async (signal) => {
      const from = await log.head();
      return { from, batches: steadyFollow(log, { after: from, signal }, onInterrupted) };
    }, messagesOf);
  }

  /** From now on the listener is told. Answers the position up to which everybody has been told already. */
  async attach(listener: Listener): Promise<Position> {
    this.count(listener, 1);
    const room = roomOf(listener.scope);
    const listeners = this.rooms.get(room) ?? new Set();
    this.rooms.set(room, listeners.add(listener));
    this.opened ??= this.start();
    try {
      await this.opened.ready;
    } catch (error) {
      this.detach(listener);
      throw error;
    }
    return this.published;
  }

  detach(listener: Listener): void {
    const room = roomOf(listener.scope);
    const listeners = this.rooms.get(room);
    if (!listeners?.delete(listener)) return;
    if (listeners.size === 0) this.rooms.delete(room);
    this.count(listener, -1);
    if (this.rooms.size === 0) this.close();
  }

  /** Nobody is told anything any more. */
  async stop(): Promise<void> {
    const { opened } = this;
    this.close();
    await opened?.done;
  }

  private start(): Opened {
    const stop = new AbortController();
    const source = this.openSource(stop.signal);
    const ready = source.then(({ from }) => {
      this.published = from;
    });
    const opened: Opened = { stop, ready, done: this.publish(source, stop.signal).catch(() => undefined) };
    void opened.done.then(() => {
      if (this.opened === opened) this.cutAllOff();
    });
    return opened;
  }

  private close(): void {
    this.opened?.stop.abort();
    this.opened = null;
  }

  private async publish(source: ReturnType<OpenSource<E>>, signal: AbortSignal): Promise<void> {
    for await (const { events, reached } of (await source).batches) {
      if (signal.aborted) return;
      for (const event of events) {
        if (!this.companies.has(event.metadata.companyId)) continue;
        for (const message of this.messagesOf(event)) this.tell(message);
      }
      this.published = reached;
    }
  }

  private tell(message: LiveMessage): void {
    for (const room of roomsOf(message.concerns)) {
      for (const listener of this.rooms.get(room) ?? []) {
        if (concerns(listener.scope, message)) listener.offer(message);
      }
    }
  }

  private cutAllOff(): void {
    this.opened = null;
    for (const listener of [...this.rooms.values()].flatMap((listeners) => [...listeners])) listener.cutOff();
  }

  private count({ scope: { companyId } }: Listener, change: 1 | -1): void {
    const listeners = (this.companies.get(companyId) ?? 0) + change;
    if (listeners === 0) this.companies.delete(companyId);
    else this.companies.set(companyId, listeners);
  }
}
