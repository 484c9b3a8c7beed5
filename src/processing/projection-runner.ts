import type { DocumentStore } from '../documents/document-store';
import type { Position } from '../kernel/event';
import type { Feed } from './feed';
import type { FrozenView } from './frozen-view';
import { Progress } from './progress';
import { ProjectedCollection } from './projected-collection';
import type { Projection } from './projection';
import { collectionName } from './projection';
import { Turns } from './turns';

/**
 * So long a read model may gather events before it folds them, where nobody waits for it: documents are then loaded and
 * written once for all of them, and what the events have to bring about, a start above all, goes first.
 */
const GATHER_MS = 200;

/** Feeds the live documents of one projection. */
export class ProjectionRunner {
  private readonly turns = new Turns();

  private constructor(
    readonly projection: Projection,
    private collection: ProjectedCollection,
    readonly progress: Progress,
  ) {}

  /** @param collection the live one's name */
  static async open(
    projection: Projection,
    documents: DocumentStore,
    collection = collectionName(projection),
  ): Promise<ProjectionRunner> {
    const live = await ProjectedCollection.open(projection, documents, collection);
    return new ProjectionRunner(projection, live, new Progress(projection.name, live.checkpoint));
  }

  /**
   * Runs until it is stopped; on a fault it stops alone, right before the event, loudly. It may then be called again,
   * and goes on where it was.
   */
  async run(feed: Feed, signal: AbortSignal, onFault: (error: unknown) => void): Promise<void> {
    try {
      const { gatherMs = GATHER_MS } = this.projection;
      const gather = () => this.progress.untilAwaited(gatherMs);
      for await (const batch of feed.subscribe(this.progress.reached, signal, { gather, rest: gather })) {
        await this.turns.take(() => this.collection.handle(batch, this.progress, signal));
      }
      await this.collection.storeCheckpoint(this.progress.reached);
    } catch (error) {
      if (signal.aborted) return;
      this.progress.stop(error);
      onFault(error);
    }
  }

  /**
   * Does something between two batches: until it is done, the live documents stay as they are at the position.
   *
   * @param signal ends the waiting for that: a batch that cannot be stored takes as long as the store is away
   */
  hold<T>(work: (position: Position) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.turns.take(() => work(this.progress.reached), signal);
  }

  /** Lets somebody see the live documents as they are now, while they go on changing; for whoever holds it. */
  showTo(view: FrozenView | null): void {
    this.collection.showTo(view);
  }

  /** Goes on with other documents; for whoever holds it. @param collection one that is at the same position */
  continueIn(collection: ProjectedCollection): void {
    this.collection = collection;
  }
}
