import { isDeepStrictEqual } from 'node:util';
import { CHAIN_START } from '../kernel/chain';
import type { EventToAppend, Position, StoredEvent } from '../kernel/event';
import { BEFORE_FIRST_POSITION, decode, NO_STREAM } from '../kernel/event';
import { derivedUuid } from '../kernel/ids';
import { MIGRATION_STREAM } from '../kernel/streams';
import { appendSurely } from './append-surely';
import type { EventLog } from './event-log';
import { RevisionConflict } from './event-log';
import type { LogMigrated, MigrationEvent, MigrationStarted } from './migration';
import { migrationEventShapes } from './migration';
import { seal } from './seal';

/** What one append holds at most: below the smallest limit of a backend (1 MiB), metadata included. */
const MAX_APPEND_BYTES = 512 * 1024;
const MAX_APPEND_EVENTS = 256;
/** A server that is restarted meanwhile is waited for. */
const PATIENCE_MS = 120_000;

/** The copy cannot be made, or is not the same: the message is for the operator. */
export class CopyRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CopyRefused';
  }
}

export interface CopyOptions {
  source: EventLog;
  target: EventLog;
  nodeId: string;
  now: () => Date;
  /** Where consumers of the source have come to, by name. */
  checkpoints: ReadonlyMap<string, Position>;
  /** Seconds, by stream. */
  maxAges: ReadonlyMap<string, number>;
  /** Streams that have aged out, of which only the end is left: a stream cannot begin with that. */
  agedOut?: ReadonlySet<string>;
  onProgress: (progress: CopyProgress) => void;
  /** Breaks it off; called again, it goes on where it was. */
  stop: AbortSignal;
}

export interface CopyProgress {
  doing: 'copying' | 'comparing';
  /** In this call. */
  events: number;
  /** Of the source. */
  position: Position;
  head: Position;
}

/**
 * Copies a whole log into an empty one: the same events with ids, metadata, hash chains and data byte for byte, at the
 * same revisions and in the same order. Everything is sent at exact revisions and under the events' own ids, one append
 * after the other, so it can be broken off at any point and begun again: what has been copied is a beginning of the
 * source, and its end is found by halving.
 */
export class LogCopy {
  private constructor(
    private readonly options: CopyOptions,
    private readonly head: Position,
    private readonly firstEventId: string,
  ) {}

  /**
   * @returns null where it had been done before
   * @throws CopyRefused, DomainError `log_unavailable`, and the abort reason of `stop`
   */
  static async run(options: CopyOptions): Promise<LogMigrated | null> {
    const head = await options.source.head();
    const first = await firstAfter(options.source, BEFORE_FIRST_POSITION, head);
    if (!first) throw new CopyRefused('there is nothing to migrate: the log has no events');
    return new LogCopy(options, head, first.id).run();
  }

  private async run(): Promise<LogMigrated | null> {
    if (await this.begin()) return null;
    await this.pad();
    await this.copyAfter(await this.findPlace());
    const migrated = await this.compare();
    // Only now, so that nothing ages out before it has been compared.
    for (const [stream, maxAgeSec] of this.options.maxAges)
      if (!this.options.agedOut?.has(stream)) await this.options.target.setMaxAge(stream, maxAgeSec);
    await this.tell({ type: 'LogMigrated', data: migrated });
    return migrated;
  }

  /** Answers whether all has been done before. */
  private async begin(): Promise<boolean> {
    const { target } = this.options;
    const started = { oldHead: `${this.head}`, firstEventId: this.firstEventId };
    const [first] = await take(target.read(MIGRATION_STREAM, { limit: 1 }));
    if (!first) {
      if ((await target.head()) > BEFORE_FIRST_POSITION) {
        throw new CopyRefused('the target holds other events: choose another namespace, or another server');
      }
      await this.tell({ type: 'LogMigrationStarted', data: started });
      return false;
    }
    const { oldHead, firstEventId } = decode(first).event.data as MigrationStarted;
    if (firstEventId !== this.firstEventId) {
      throw new CopyRefused('the target holds the events of another log: choose another namespace');
    }
    const last = await this.lastTold();
    if (last?.type === 'LogMigrated') return true;
    if (oldHead !== started.oldHead) {
      throw new CopyRefused(
        'the log has grown since its migration was begun: begin anew in an empty namespace',
      );
    }
    return false;
  }

  /** The positions of a log are bytes, or less: some bytes more, and they go on above the old ones. */
  private async pad(): Promise<void> {
    const padding = '0'.repeat(MAX_APPEND_BYTES);
    for (;;) {
      const last = await this.lastTold();
      if (last!.position > this.head) return;
      await this.tell({ type: 'LogMigrationPadded', data: { padding } });
    }
  }

  /** The position in the source up to which everything is in the target. */
  private async findPlace(): Promise<Position> {
    const { stop } = this.options;
    let [copied, notCopied] = [BEFORE_FIRST_POSITION, this.head + 1n];
    while (notCopied - copied > 1n) {
      stop.throwIfAborted();
      const middle = (copied + notCopied) / 2n;
      const event = await this.originalAfter(middle - 1n);
      if (event && event.position < notCopied && (await this.isInTarget(event))) copied = event.position;
      else notCopied = middle;
    }
    return copied;
  }

  /** What is to be copied, in order. */
  private async *originalsAfter(after: Position): AsyncGenerator<StoredEvent> {
    const { source, stop, agedOut } = this.options;
    for await (const event of eventsUpTo(source, after, this.head, stop)) {
      if (!agedOut?.has(event.stream)) yield event;
    }
  }

  private async originalAfter(after: Position): Promise<StoredEvent | null> {
    for await (const event of this.originalsAfter(after)) return event;
    return null;
  }

  private async isInTarget({ stream, revision, id }: StoredEvent): Promise<boolean> {
    const [there] = await take(this.options.target.read(stream, { from: revision, limit: 1 }));
    if (there && there.id !== id) throw otherEvents(stream);
    return there !== undefined;
  }

  private async copyAfter(after: Position): Promise<void> {
    const { target, onProgress } = this.options;
    let copied = 0;
    for await (const events of appendable(this.originalsAfter(after))) {
      const { stream, revision } = events[0]!;
      try {
        await appendSurely(target, stream, events.map(toAppend), revision - 1, PATIENCE_MS);
      } catch (error) {
        throw error instanceof RevisionConflict ? otherEvents(stream) : error;
      }
      copied += events.length;
      onProgress({ doing: 'copying', events: copied, position: events.at(-1)!.position, head: this.head });
    }
  }

  private async compare(): Promise<LogMigrated> {
    const { target, stop } = this.options;
    const copies = eventsUpTo(target, BEFORE_FIRST_POSITION, await target.head(), stop);
    try {
      return await this.compareWith(copies);
    } finally {
      await copies.return(undefined);
    }
  }

  /** Reads both logs side by side. @throws CopyRefused at the first difference */
  private async compareWith(copies: AsyncIterator<StoredEvent>): Promise<LogMigrated> {
    const { onProgress, checkpoints } = this.options;
    const [streams, places] = [new Set<string>(), new Map<string, Position>()];
    let events = 0;
    for await (const original of this.originalsAfter(BEFORE_FIRST_POSITION)) {
      const copy = await nextCopied(copies);
      if (!copy || !isSame(original, copy)) throw differing(original, copy);
      for (const [name, position] of checkpoints) {
        if (original.position <= position) places.set(name, copy.position);
      }
      streams.add(original.stream);
      events += 1;
      onProgress({ doing: 'comparing', events, position: original.position, head: this.head });
    }
    const more = await nextCopied(copies);
    if (more) throw differing(null, more);
    const texts = [...places].map(([name, position]) => [name, `${position}`]);
    return {
      events,
      streams: streams.size,
      checkpoints: Object.fromEntries(texts) as Record<string, string>,
    };
  }

  private async tell(event: MigrationEvent): Promise<void> {
    const last = await this.lastTold();
    const revision = last?.revision ?? NO_STREAM;
    const commandId = derivedUuid(MIGRATION_STREAM, this.firstEventId);
    const metadata = {
      schemaVersion: migrationEventShapes[event.type].version,
      at: this.options.now().toISOString(),
      companyId: '-',
      correlationId: commandId,
      causationId: null,
      commandId,
      actor: { type: 'node' as const, id: this.options.nodeId },
      nodeId: this.options.nodeId,
    };
    const id = derivedUuid(MIGRATION_STREAM, this.firstEventId, revision + 1);
    const sealed = seal([{ id, ...event, metadata }], last?.metadata.hash ?? CHAIN_START);
    await appendSurely(this.options.target, MIGRATION_STREAM, sealed, revision, PATIENCE_MS);
  }

  private async lastTold(): Promise<StoredEvent | undefined> {
    const backwards = { direction: 'backwards', limit: 1 } as const;
    return (await take(this.options.target.read(MIGRATION_STREAM, backwards)))[0];
  }
}

async function* eventsUpTo(
  log: EventLog,
  after: Position,
  upTo: Position,
  stop: AbortSignal,
): AsyncGenerator<StoredEvent> {
  if (after >= upTo) return;
  for await (const { events, reached } of log.follow({ after, signal: stop })) {
    for (const event of events) if (event.position <= upTo) yield event;
    if (reached >= upTo) return;
  }
  stop.throwIfAborted();
}

/** The events in their order, those of one stream together that follow each other and fit into one append. */
async function* appendable(events: AsyncIterable<StoredEvent>): AsyncGenerator<StoredEvent[]> {
  let group: StoredEvent[] = [];
  let bytes = 0;
  for await (const event of events) {
    const size = Buffer.byteLength(event.data);
    const isFull = bytes + size > MAX_APPEND_BYTES || group.length >= MAX_APPEND_EVENTS;
    if (group.length > 0 && (isFull || group[0]!.stream !== event.stream)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(event);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

async function nextCopied(copies: AsyncIterator<StoredEvent>): Promise<StoredEvent | null> {
  for (;;) {
    const next = await copies.next();
    if (next.done) return null;
    if (next.value.stream !== MIGRATION_STREAM) return next.value;
  }
}

async function firstAfter(log: EventLog, after: Position, upTo: Position): Promise<StoredEvent | null> {
  for await (const event of eventsUpTo(log, after, upTo, new AbortController().signal)) return event;
  return null;
}

async function take(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const taken: StoredEvent[] = [];
  for await (const event of events) taken.push(event);
  return taken;
}

function toAppend({ id, type, data, metadata }: StoredEvent): EventToAppend {
  return { id, type, data, metadata };
}

/** All but the position, data byte for byte. The hash in the metadata makes it the same chain. */
function isSame(original: StoredEvent, copy: StoredEvent): boolean {
  return (
    original.stream === copy.stream &&
    original.revision === copy.revision &&
    original.id === copy.id &&
    original.type === copy.type &&
    typeof original.data === typeof copy.data &&
    Buffer.from(original.data).equals(Buffer.from(copy.data)) &&
    isDeepStrictEqual(original.metadata, copy.metadata)
  );
}

function differing(original: StoredEvent | null, copy: StoredEvent | null): CopyRefused {
  const placeOf = (event: StoredEvent | null) =>
    event ? `${event.type} (${event.stream}, revision ${event.revision})` : 'nothing';
  return new CopyRefused(
    `the logs differ: where one has ${placeOf(original)}, the copy has ${placeOf(copy)}`,
  );
}

function otherEvents(stream: string): CopyRefused {
  return new CopyRefused(`the target holds other events in ${stream}: choose another namespace`);
}
