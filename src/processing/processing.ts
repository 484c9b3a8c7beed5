import type { DocumentStore } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { Feed } from './feed';
import type { Progress } from './progress';
import { ProjectionRunner } from './projection-runner';
import type { Projection } from './projection';
import type { Saga, SagaCommand } from './saga';
import type { SagaCommandHandler } from './saga-runner';
import { SagaRunner } from './saga-runner';

const WAIT_MS = 5_000;

export interface ProcessingLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface ConsumerStatus {
  name: string;
  kind: 'projection' | 'saga';
  reached: string;
  /** Why it has stopped; null while it goes on. */
  stoppedBy: string | null;
  /** What it is trying again because of; null while it works. */
  ailment: string | null;
}

/** Everything on this node that follows the log: one feed, the projections and the sagas. */
export class Processing {
  readonly feed: Feed;
  private readonly projections = new Map<string, ProjectionRunner>();
  private readonly sagas = new Map<string, SagaRunner>();
  private readonly stopped = new AbortController();
  private running: Promise<void>[] = [];

  constructor(
    private readonly log: EventLog,
    private readonly documents: DocumentStore,
    private readonly logger: ProcessingLogger,
  ) {
    this.feed = new Feed(log, (error) => logger.warn({ err: error }, 'following the log was interrupted'));
  }

  /** Opens and starts all consumers; the sagas' commands are executed from then on. */
  async start(
    projections: readonly Projection[],
    sagas: readonly { saga: Saga; execute: SagaCommandHandler<SagaCommand> }[],
  ): Promise<void> {
    for (const projection of projections) {
      this.projections.set(projection.name, await ProjectionRunner.open(projection, this.documents));
    }
    for (const { saga, execute } of sagas) {
      this.sagas.set(saga.name, await SagaRunner.open(saga, this.documents, execute));
    }
    await this.feed.start();
    const onFault = (error: unknown) =>
      this.logger.error({ err: error }, 'a consumer of the log has stopped');
    this.running = [...this.projections.values(), ...this.sagas.values()].map((runner) =>
      runner.run(this.feed, this.stopped.signal, onFault),
    );
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.running);
    for (const { progress } of [...this.projections.values(), ...this.sagas.values()]) {
      progress.stop(new Error('the server is stopping'));
    }
    await this.feed.stop();
  }

  /**
   * Waits until the named projections and sagas have handled everything up to the position.
   *
   * @throws DomainError `not_caught_up` after `timeoutMs`
   */
  async waitFor(position: Position, names: readonly string[], timeoutMs = WAIT_MS): Promise<void> {
    await Promise.all(names.map((name) => this.progressOf(name).waitFor(position, timeoutMs)));
  }

  /** The same, for a position that a client named. @throws DomainError `position_past_head` */
  async waitForKnown(position: Position, names: readonly string[]): Promise<void> {
    const head = await this.log.head();
    if (position > head) {
      throw new DomainError('position_past_head', undefined, { waitFor: `${position}`, head: `${head}` });
    }
    await this.waitFor(position, names);
  }

  /** Waits until the named consumers have handled what is on the log now, and answers up to where that is. */
  async waitForHead(names: readonly string[], timeoutMs = WAIT_MS): Promise<Position> {
    const head = await this.log.head();
    await this.waitFor(head, names, timeoutMs);
    return head;
  }

  /** Up to where the named consumer has handled the log. */
  reached(name: string): Position {
    return this.progressOf(name).reached;
  }

  status(): ConsumerStatus[] {
    return [
      ...[...this.projections.values()].map(({ progress }) => statusOf('projection', progress)),
      ...[...this.sagas.values()].map(({ progress }) => statusOf('saga', progress)),
    ];
  }

  private progressOf(name: string): Progress {
    const runner = this.projections.get(name) ?? this.sagas.get(name);
    if (!runner) throw new Error(`nothing of the name ${name} follows the log`);
    return runner.progress;
  }
}

function statusOf(kind: ConsumerStatus['kind'], progress: Progress): ConsumerStatus {
  const { name, reached, stoppedBy, ailment } = progress;
  return {
    name,
    kind,
    reached: `${reached}`,
    stoppedBy: stoppedBy?.message ?? null,
    ailment: ailment?.message ?? null,
  };
}
