import type { Revision } from '../../kernel/event';
import { NO_STREAM } from '../../kernel/event';
import type { Database } from '../../sqlite/sqlite';
import { foldBack } from '../../sqlite/shrinking';
import { closeDatabase } from '../../sqlite/sqlite';
import { prepareWritingStatements } from './event-statements';
import { LruMap } from '../../kernel/lru-map';
import { EventScavenger } from './event-scavenger';
import { EVENT_FILE_SCHEMA } from './schema';
import type {
  AppendOutcome,
  AppendRequest,
  EncodedEvent,
  MaxAgeRequest,
  WriteOutcome,
  WriteRequest,
} from './store-messages';

const MAX_CACHED_HEADS = 50_000;

interface StreamHead {
  id: number;
  /** `NO_STREAM` for a stream that was named, but has no event yet. */
  revision: Revision;
  /** 1 where it has a maximum age. */
  ages: 0 | 1;
}

/** One SQLite file of streams and their events: synchronous, and the only writer of the file. */
export class EventFileWriter {
  private readonly statements: ReturnType<typeof prepareWritingStatements>;
  private readonly heads = new LruMap<string, StreamHead>(MAX_CACHED_HEADS);
  /** Types are literals of the code, so all of them fit into memory. */
  private readonly typeIds = new Map<string, number>();
  private readonly scavenger: EventScavenger;

  constructor(private readonly db: Database) {
    db.exec(EVENT_FILE_SCHEMA);
    this.statements = prepareWritingStatements(db);
    this.scavenger = new EventScavenger(db);
  }

  /** 0 where there is no event. */
  lastPosition(): number {
    return (this.statements.lastPosition.get() as { position: number }).position;
  }

  /**
   * Writes a group of requests in one transaction, which is on disk when this returns. Each append is checked against
   * its expected revision after those before it; a conflict concerns only itself.
   *
   * @throws whatever SQLite throws. The file then reads as before, and takes appends again once it can.
   */
  writeGroup(requests: readonly WriteRequest[], takePosition: () => number): WriteOutcome[] {
    try {
      this.statements.begin.run();
      const outcomes = requests.map((request) => this.write(request, takePosition));
      this.statements.commit.run();
      if (requests.some((request) => 'maxBytes' in request)) foldBack(this.db);
      return outcomes;
    } catch (error) {
      this.heads.clear();
      this.typeIds.clear();
      // On a full disk SQLite has rolled back by itself; after a failed commit the transaction is still open.
      if (this.db.isTransaction) this.statements.rollback.run();
      throw error;
    }
  }

  close(): void {
    if (!this.db.isOpen) return;
    closeDatabase(this.db);
  }

  private write(request: WriteRequest, takePosition: () => number): WriteOutcome {
    if ('events' in request) return this.append(request, takePosition);
    if ('maxBytes' in request) return { kind: 'scavenged', ...this.scavenger.step(request) };
    return this.setMaxAge(request);
  }

  private setMaxAge({ stream, maxAgeSec }: MaxAgeRequest): WriteOutcome {
    this.statements.setMaxAge.run(stream, maxAgeSec);
    if (maxAgeSec === null) this.statements.forgetAge.run(stream);
    else this.statements.lookAtAge.run(stream);
    return { kind: 'maxAgeSet' };
  }

  private append(request: AppendRequest, takePosition: () => number): AppendOutcome {
    const head = this.headOf(request.stream);
    const actual = head?.revision ?? NO_STREAM;
    if (actual !== request.expected) {
      return (head && this.appendedBefore(request, head)) ?? { kind: 'conflict', actual };
    }
    const target = head ?? this.addStream(request.stream);
    const positions = request.events.map((event) => {
      const position = takePosition();
      target.revision += 1;
      this.insertEvent(position, target, request.category, event);
      return position;
    });
    return { kind: 'appended', revision: target.revision, positions, ages: target.ages === 1 };
  }

  /** The outcome of the same append when it came first, or nothing where other events stand in its place. */
  private appendedBefore({ expected, events }: AppendRequest, head: StreamHead): AppendOutcome | undefined {
    const revision = expected + events.length;
    const stored = this.statements.idsOfRevisions.all(head.id, expected, revision) as {
      id: string;
      position: number;
    }[];
    if (events.some(({ id }, index) => id !== stored[index]?.id)) return undefined;
    const positions = stored.map(({ position }) => position);
    return { kind: 'appended', revision, positions, ages: head.ages === 1 };
  }

  private insertEvent(position: number, head: StreamHead, category: string, event: EncodedEvent): void {
    const { type, atMs, id, metadata, data } = event;
    const typeId = this.typeIdOf(type);
    const { insertEvent } = this.statements;
    insertEvent.run(position, head.id, head.revision, typeId, category, atMs, id, metadata, data);
  }

  private headOf(stream: string): StreamHead | undefined {
    const cached = this.heads.get(stream);
    if (cached) return cached;
    const stored = this.statements.head.get(stream) as StreamHead | undefined;
    if (stored) this.heads.set(stream, stored);
    return stored;
  }

  private addStream(stream: string): StreamHead {
    const { lastInsertRowid } = this.statements.insertStream.run(stream);
    const head: StreamHead = { id: Number(lastInsertRowid), revision: NO_STREAM, ages: 0 };
    this.heads.set(stream, head);
    return head;
  }

  private typeIdOf(type: string): number {
    const cached = this.typeIds.get(type);
    if (cached !== undefined) return cached;
    const stored = this.statements.typeId.get(type) as { id: number } | undefined;
    const id = stored?.id ?? Number(this.statements.insertType.run(type).lastInsertRowid);
    this.typeIds.set(type, id);
    return id;
  }
}
