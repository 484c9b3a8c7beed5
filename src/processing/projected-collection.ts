import type { Document, DocumentStore } from '../documents/document-store';
import type { Position, Recorded } from '../kernel/event';
import { BEFORE_FIRST_POSITION } from '../kernel/event';
import type { EventPlace } from './consumer-fault';
import { assertReadable, ConsumerFault } from './consumer-fault';
import type { Batch } from './feed';
import type { Progress } from './progress';
import type { Projection } from './projection';
import { collectionOf } from './projection';
import type { FrozenView } from './frozen-view';
import { UNSTORED_MS, UNSTORED_POSITIONS, untilStored } from './until-stored';

/** How many events are folded before documents and checkpoint are written. */
const MAX_FOLDED = 1_000;

/** A projection's documents in one collection: a batch is folded in memory, each document written once with the checkpoint. */
export class ProjectedCollection {
  private storedAtMs = 0;
  private view: FrozenView | null = null;

  private constructor(
    readonly projection: Projection,
    private readonly documents: DocumentStore,
    readonly name: string,
    /** Up to where the stored checkpoint has come. */
    private stored: Position,
  ) {}

  static async open(
    projection: Projection,
    documents: DocumentStore,
    name: string,
  ): Promise<ProjectedCollection> {
    await documents.ensure(collectionOf(projection, name));
    const checkpoint = await documents.checkpoint(name);
    return new ProjectedCollection(projection, documents, name, checkpoint ?? BEFORE_FIRST_POSITION);
  }

  get checkpoint(): Position {
    return this.stored;
  }

  /** Lets somebody see the documents as they are now, however they change; null: nobody wants to any more. */
  showTo(view: FrozenView | null): void {
    this.view = view;
  }

  /** @throws ConsumerFault at an event that cannot be; everything before it has been handled and stored then */
  async handle({ events, reached }: Batch, progress: Progress, signal: AbortSignal): Promise<void> {
    const { handles } = this.projection;
    // What a newer Reveille has written may concern it: it stops there rather than being wrong.
    const handled = events.filter(
      ({ event, unreadable }) => handles.includes(event.type) || unreadable !== undefined,
    );
    try {
      for (let from = 0; from < handled.length; from += MAX_FOLDED) {
        await this.foldAll(handled.slice(from, from + MAX_FOLDED), progress, signal);
      }
    } catch (error) {
      if (error instanceof ConsumerFault) progress.advance(lastBefore(events, error.at));
      throw error;
    }
    progress.advance(reached);
    if (reached - this.stored >= UNSTORED_POSITIONS && Date.now() - this.storedAtMs >= UNSTORED_MS) {
      await untilStored(() => this.storeCheckpoint(reached), progress, signal);
    }
  }

  /** Where a projection handles little, its checkpoint moves on all the same: a start need not read all that again. */
  async storeCheckpoint(position: Position): Promise<void> {
    if (position <= this.stored) return;
    const checkpoint = { name: this.name, position };
    await this.documents.writeBatch({ collection: this.name, writes: [], checkpoint });
    this.stored = position;
    this.storedAtMs = Date.now();
  }

  private async foldAll(events: readonly Recorded[], progress: Progress, signal: AbortSignal): Promise<void> {
    try {
      await untilStored(() => this.fold(events), progress, signal);
    } catch (error) {
      if (error instanceof ConsumerFault) {
        const at = BigInt(error.at.position);
        const before = events.filter(({ position }) => position < at);
        if (before.length > 0) await this.foldAll(before, progress, signal);
      }
      throw error;
    }
    this.stored = events.at(-1)!.position;
    progress.advance(this.stored);
  }

  private async fold(events: readonly Recorded[]): Promise<void> {
    const concerned = events.map((recorded) => ({ recorded, id: this.concernedId(recorded) }));
    const ids = new Set<string>();
    for (const { id } of concerned) if (id !== null) ids.add(id);
    const documents = await this.documents.getPositioned<Document>(this.name, [...ids]);
    const changed = new Map<string, Document | null>();
    for (const { recorded, id } of concerned) {
      if (id === null) continue;
      const { position } = recorded;
      const current = documents.get(id);
      // A batch that was cut off before its checkpoint comes again: what it had written is not folded twice.
      if (current && current.position >= position) continue;
      const before = current?.document ?? null;
      const document = this.evolve(before, recorded);
      documents.set(id, { document, position });
      // What an event leaves as it is, above all missing, it leaves so again where it comes a second time.
      if (document !== before && !changed.has(id)) changed.set(id, before);
    }
    await this.view?.keep(changed);
    // Also what is gone again: another node may have stored it in between, and nobody else would take it away.
    const writes = [...changed.keys()].map((id) => ({ id, ...documents.get(id)! }));
    const checkpoint = { name: this.name, position: events.at(-1)!.position };
    await this.documents.writeBatch({ collection: this.name, writes, checkpoint });
  }

  private concernedId(recorded: Recorded): string | null {
    return this.faultingAt(recorded, () => {
      assertReadable(recorded);
      return this.projection.id(recorded);
    });
  }

  private evolve(document: Document | null, recorded: Recorded): Document | null {
    return this.faultingAt(recorded, () => this.projection.evolve(document, recorded));
  }

  private faultingAt<T>(recorded: Recorded, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new ConsumerFault(`projection ${this.projection.name}`, recorded, cause);
    }
  }
}

/** Where the event stands that comes right before another one: the log can be followed from there, but from no number. */
function lastBefore(events: readonly Recorded[], { position }: EventPlace): Position {
  const before = events.filter((event) => event.position < BigInt(position));
  return before.at(-1)?.position ?? BEFORE_FIRST_POSITION;
}
