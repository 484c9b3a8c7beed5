import type { DocumentStore } from '../documents/document-store';
import type { Position } from '../kernel/event';
import type { Feed } from './feed';
import { Progress } from './progress';
import { ProjectedCollection } from './projected-collection';
import type { Projection } from './projection';
import type { ProjectionRunner } from './projection-runner';

/** So close to the live documents the rest is folded while they stand still. */
const NEAR_POSITIONS = 1_000n;
/** Each takes as long as the log has grown in the one before it: this many are not needed unless that never gets less. */
const MAX_ROUNDS = 20;

/** Documents of a projection that are folded from the log beside the live ones, with as many in memory as one batch has. */
export class ProjectionBuild {
  /** How many events have been read. */
  eventCount = 0;

  private constructor(
    readonly collection: ProjectedCollection,
    readonly progress: Progress,
    private readonly feed: Feed,
  ) {}

  /** Goes on where an earlier build of the same collection was. */
  static async open(
    projection: Projection,
    documents: DocumentStore,
    feed: Feed,
    name: string,
  ): Promise<ProjectionBuild> {
    const collection = await ProjectedCollection.open(projection, documents, name);
    return new ProjectionBuild(collection, new Progress(name, collection.checkpoint), feed);
  }

  /**
   * Comes up to the live documents, holds these, and does something with both at one position.
   *
   * @throws ConsumerFault, and the reason of the signal
   */
  async meet<T>(
    live: ProjectionRunner,
    signal: AbortSignal,
    work: (position: Position) => Promise<T>,
  ): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (live.progress.reached - this.progress.reached <= NEAR_POSITIONS) break;
      await this.leadTo(live.progress.reached, signal);
    }
    return live.hold(async (position) => {
      await this.leadTo(position, signal);
      return work(position);
    }, signal);
  }

  private async leadTo(position: Position, signal: AbortSignal): Promise<void> {
    for await (const batch of this.feed.range(this.progress.reached, position, signal)) {
      await this.collection.handle(batch, this.progress, signal);
      this.eventCount += batch.events.length;
    }
    signal.throwIfAborted();
  }
}
