import type { Document, DocumentStore } from '../documents/document-store';
import type { Position, Recorded } from '../kernel/event';
import { BEFORE_FIRST_POSITION } from '../kernel/event';
import type { Feed } from './feed';
import { Progress } from './progress';
import type { Projection } from './projection';
import { collectionName, collectionOf } from './projection';
import { ConsumerFault, UNSTORED_POSITIONS, untilStored } from './until-stored';

/** How many events are folded before documents and checkpoint are written. */
const MAX_FOLDED = 1_000;

/** Feeds one projection: loads the documents of a batch, folds in memory, writes each once with the checkpoint. */
export class ProjectionRunner {
  /** Up to where the stored checkpoint has come. */
  private stored: Position;

  private constructor(
    readonly projection: Projection,
    private readonly documents: DocumentStore,
    readonly progress: Progress,
  ) {
    this.stored = progress.reached;
  }

  static async open(projection: Projection, documents: DocumentStore): Promise<ProjectionRunner> {
    await documents.ensure(collectionOf(projection));
    const checkpoint = await documents.checkpoint(collectionName(projection));
    const progress = new Progress(projection.name, checkpoint ?? BEFORE_FIRST_POSITION);
    return new ProjectionRunner(projection, documents, progress);
  }

  /** Runs until it is stopped; on a fault it stops alone, loudly, and says at which event. */
  async run(feed: Feed, signal: AbortSignal, onFault: (error: unknown) => void): Promise<void> {
    try {
      for await (const { events, reached } of feed.subscribe(this.progress.reached, signal)) {
        const handled = events.filter(({ event }) => this.projection.handles.includes(event.type));
        for (let from = 0; from < handled.length; from += MAX_FOLDED) {
          const slice = handled.slice(from, from + MAX_FOLDED);
          await untilStored(() => this.fold(slice), this.progress, signal);
          this.stored = slice.at(-1)!.position;
          this.progress.advance(this.stored);
        }
        this.progress.advance(reached);
        if (reached - this.stored >= UNSTORED_POSITIONS) {
          await untilStored(() => this.storeReached(), this.progress, signal);
        }
      }
      await this.storeReached();
    } catch (error) {
      if (signal.aborted) return;
      this.progress.stop(error);
      onFault(error);
    }
  }

  /** Where a projection handles little, its checkpoint moves on all the same: a start need not read all that again. */
  private async storeReached(): Promise<void> {
    const position = this.progress.reached;
    if (position <= this.stored) return;
    const collection = collectionName(this.projection);
    await this.documents.writeBatch({ collection, writes: [], checkpoint: { name: collection, position } });
    this.stored = position;
  }

  private async fold(events: readonly Recorded[]): Promise<void> {
    const concerned = events.map((recorded) => ({ recorded, id: this.projection.id(recorded) }));
    const ids = new Set<string>();
    for (const { id } of concerned) if (id !== null) ids.add(id);
    const collection = collectionName(this.projection);
    const documents: Map<string, Document | null> = await this.documents.getMany(collection, [...ids]);
    const touched = new Map<string, Position>();
    for (const { recorded, id } of concerned) {
      if (id === null) continue;
      documents.set(id, this.evolve(documents.get(id) ?? null, recorded));
      touched.set(id, recorded.position);
    }
    const writes = [...touched].map(([id, position]) => ({
      id,
      document: documents.get(id) ?? null,
      position,
    }));
    const checkpoint = { name: collection, position: events.at(-1)!.position };
    await this.documents.writeBatch({ collection, writes, checkpoint });
  }

  private evolve(document: Document | null, recorded: Recorded): Document | null {
    try {
      return this.projection.evolve(document, recorded);
    } catch (cause) {
      const { stream, revision, position, event } = recorded;
      const where = `${event.type} at position ${position} (${stream}, revision ${revision})`;
      throw new ConsumerFault(`projection ${this.projection.name} stopped at ${where}`, { cause });
    }
  }
}
