import type { DocumentStore } from '../documents/document-store';
import { DocumentsUnavailable } from '../documents/document-store';
import type { Migration } from '../event-log/migration';
import { untilAvailable } from '../event-log/until-available';
import { DomainError } from '../kernel/errors';
import type { Position, Recorded } from '../kernel/event';
import { BEFORE_FIRST_POSITION } from '../kernel/event';
import { pause } from '../kernel/pause';
import { assertReadable, ConsumerFault } from './consumer-fault';
import type { Feed } from './feed';
import { Progress } from './progress';
import type { Saga, SagaCommand } from './saga';
import { UNSTORED_MS, UNSTORED_POSITIONS, untilStored } from './until-stored';

const CHECKPOINTS = { name: 'saga_checkpoints', kind: 'durable', fields: {}, indexes: [] } as const;

/**
 * While there is work, the checkpoint is stored so often at most: each time costs a write that is on disk, and what
 * comes again after a crash is answered with nothing.
 */
const STORE_EVERY_MS = 100;

/** How far the log has come with what does not concern a saga is told so often, or at once where somebody waits. */
const REST_MS = 50;

/** Executes a command that a saga wants; `cause` is the event it wants it for. */
export type SagaCommandHandler<C extends SagaCommand> = (command: C, cause: Recorded) => Promise<void>;

/**
 * Feeds one saga. Commands of a batch run side by side where their keys differ; when all are done the checkpoint moves
 * on. A refused command is over, one that found the log or the documents away, or a read model behind, is tried again,
 * anything else stops the saga, loudly.
 */
export class SagaRunner<C extends SagaCommand = SagaCommand> {
  /** Up to where the stored checkpoint has come. */
  private stored: Position;
  private storedAtMs = 0;
  /** Up to where all commands are done. */
  private done: Position;
  /** While the checkpoint is about to be stored. */
  private storing: Promise<void> | null = null;

  private constructor(
    readonly saga: Saga,
    private readonly documents: DocumentStore,
    private readonly execute: SagaCommandHandler<C>,
    readonly progress: Progress,
  ) {
    this.stored = this.done = progress.reached;
  }

  static async open<C extends SagaCommand>(
    saga: Saga,
    documents: DocumentStore,
    execute: SagaCommandHandler<C>,
    migration: Migration | null = null,
  ): Promise<SagaRunner<C>> {
    await documents.ensure(CHECKPOINTS);
    const name = checkpointName(saga);
    const checkpoint = await documents.checkpoint(name);
    const place = migration ? migration.placeOf(name, checkpoint) : (checkpoint ?? BEFORE_FIRST_POSITION);
    const progress = new Progress(saga.name, place);
    return new SagaRunner(saga, documents, execute, progress);
  }

  /** Runs until it is stopped, or stops alone on a fault; may then be called again, and goes on where it was. */
  async run(feed: Feed, signal: AbortSignal, onFault: (error: unknown) => void): Promise<void> {
    try {
      const { handles } = this.saga;
      const rest = () => this.progress.untilAwaited(REST_MS);
      for await (const { events, reached } of feed.subscribe(this.progress.reached, signal, {
        handles,
        rest,
      })) {
        const handled = events.filter(
          ({ event, unreadable }) => handles.includes(event.type) || unreadable !== undefined,
        );
        if (handled.length > 0) {
          await this.executeAll(handled, signal);
          if (signal.aborted) break;
          this.done = handled.at(-1)!.position;
          if (Date.now() - this.storedAtMs < STORE_EVERY_MS) this.storeSoon(signal);
          else await untilStored(() => this.storeCheckpoint(this.done), this.progress, signal);
        }
        this.progress.advance(reached);
        if (reached - this.stored >= UNSTORED_POSITIONS && Date.now() - this.storedAtMs >= UNSTORED_MS) {
          await untilStored(() => this.storeCheckpoint(reached), this.progress, signal);
        }
      }
      await this.storing;
      await this.storeCheckpoint(this.done);
    } catch (error) {
      // Nothing that comes later may meet a store that has been closed.
      if (signal.aborted) return void (await this.storing);
      this.progress.stop(error);
      onFault(error);
    }
  }

  private async executeAll(events: readonly Recorded[], signal: AbortSignal): Promise<void> {
    const byKey = new Map<string, { command: C; cause: Recorded }[]>();
    for (const cause of events) {
      for (const command of this.react(cause)) {
        const lane = byKey.get(command.key);
        if (lane) lane.push({ command, cause });
        else byKey.set(command.key, [{ command, cause }]);
      }
    }
    const lanes = [...byKey.values()].map(async (lane) => {
      for (const { command, cause } of lane) await this.executeOne(command, cause, signal);
    });
    await Promise.all(lanes);
  }

  private react(recorded: Recorded): readonly C[] {
    try {
      assertReadable(recorded);
      return this.saga.react(recorded) as readonly C[];
    } catch (error) {
      throw new ConsumerFault(`saga ${this.saga.name}`, recorded, error);
    }
  }

  private async executeOne(command: C, cause: Recorded, signal: AbortSignal): Promise<void> {
    try {
      await untilAvailable(() => this.execute(command, cause), signal, areDocumentsAway);
    } catch (error) {
      // What breaks off because everything stops comes again with the next start.
      if (signal.aborted || error instanceof DomainError) return;
      throw new ConsumerFault(`saga ${this.saga.name} (${command.type})`, cause, error);
    }
  }

  /** Also where nothing more comes. Ends with `signal`: whoever runs the saga then stores what is left. */
  private storeSoon(signal: AbortSignal): void {
    this.storing ??= this.storeInAMoment(signal).finally(() => (this.storing = null));
  }

  /** Never rejects. */
  private async storeInAMoment(signal: AbortSignal): Promise<void> {
    await pause(STORE_EVERY_MS, signal);
    if (signal.aborted) return;
    await untilStored(() => this.storeCheckpoint(this.done), this.progress, signal).catch(() => undefined);
  }

  private async storeCheckpoint(position: Position): Promise<void> {
    if (position <= this.stored) return;
    const checkpoint = { name: checkpointName(this.saga), position };
    await this.documents.writeBatch({ collection: CHECKPOINTS.name, writes: [], checkpoint });
    this.stored = position;
    this.storedAtMs = Date.now();
  }
}

function areDocumentsAway(error: unknown): boolean {
  return error instanceof DocumentsUnavailable;
}

/** Under which the place of a saga is kept. */
export function checkpointName(saga: Pick<Saga, 'name'>): string {
  return `saga:${saga.name}`;
}
