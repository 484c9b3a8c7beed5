import type { DocumentStore } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import type { Migration } from '../event-log/migration';
import { readMigration } from '../event-log/migration';
import { DomainError } from '../kernel/errors';
import type { Position } from '../kernel/event';
import { dropGoneModels } from './after-migration';
import type { EventPlace } from './consumer-fault';
import { ConsumerFault, explanation } from './consumer-fault';
import { Feed } from './feed';
import { Generations } from './generations';
import { orAborted, pause } from '../kernel/pause';
import type { Progress } from './progress';
import { ProjectionRunner } from './projection-runner';
import type { Projection } from './projection';
import type { Saga, SagaCommand } from './saga';
import type { SagaCommandHandler } from './saga-runner';
import { SagaRunner } from './saga-runner';

const WAIT_MS = 5_000;
/** So long a read that asked for nothing is kept waiting for the newest events. */
const FRESH_MS = 250;
/** Who waits for as long as a consumer works looks so often whether it does. */
const LOOK_EVERY_MS = 500;

export interface ProcessingLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface ConsumerStatus {
  name: string;
  kind: 'projection' | 'saga';
  /** null for a saga. */
  version: number | null;
  reached: string;
  /** Why it has stopped; null while it goes on. */
  stoppedBy: string | null;
  /** The event that it stopped at; null where it goes on, or no event is to blame. */
  stoppedAt: EventPlace | null;
  /** What it is trying again because of; null while it works. */
  ailment: string | null;
}

/** Everything on this node that follows the log: one feed, the projections and the sagas. */
export class Processing {
  readonly feed: Feed;
  readonly generations: Generations;
  private readonly projections = new Map<string, ProjectionRunner>();
  private readonly sagas = new Map<string, SagaRunner>();
  private readonly stopped = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private migration: Migration | null = null;

  constructor(
    private readonly log: EventLog,
    private readonly documents: DocumentStore,
    private readonly logger: ProcessingLogger,
  ) {
    this.generations = new Generations(documents);
    this.feed = new Feed(log, (error) => logger.warn({ err: error }, 'following the log was interrupted'));
  }

  /** Opens and starts all consumers; the sagas' commands are executed from then on. */
  async start(
    projections: readonly Projection[],
    sagas: readonly { saga: Saga; execute: SagaCommandHandler<SagaCommand> }[],
  ): Promise<void> {
    await this.generations.open(projections);
    this.migration = await readMigration(this.log);
    if (this.migration) await dropGoneModels(this.migration, projections, this.generations, this.documents);
    for (const projection of projections) {
      const live = this.generations.liveCollection(projection);
      this.projections.set(projection.name, await ProjectionRunner.open(projection, this.documents, live));
    }
    for (const { saga, execute } of sagas) {
      this.sagas.set(saga.name, await SagaRunner.open(saga, this.documents, execute, this.migration));
    }
    await this.feed.start();
    for (const runner of this.runners()) this.run(runner);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    // Whoever waits for one of them now, and that may be a saga, waits in vain.
    for (const { progress } of this.runners()) {
      progress.stop(new Error('the server is stopping'));
    }
    await Promise.all(this.running);
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

  /** The same, for whoever is in no hurry: read models go on gathering meanwhile. @throws DomainError `not_caught_up` */
  async waitPatiently(position: Position, names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.progressOf(name).waitFor(position, WAIT_MS, true)));
  }

  /** The same, for a position that a client named. @throws DomainError `position_past_head`, `position_gone` */
  async waitForKnown(position: Position, names: readonly string[]): Promise<void> {
    const head = await this.log.head();
    if (this.isGone(position)) {
      throw new DomainError('position_gone', undefined, { waitFor: `${position}`, head: `${head}` });
    }
    if (position > head) {
      throw new DomainError('position_past_head', undefined, { waitFor: `${position}`, head: `${head}` });
    }
    await this.waitFor(position, names);
  }

  /**
   * What a read has to have seen: the position that it names. One that names none sees what was written before it came,
   * as people expect; but it is rather answered with what there is than kept waiting for that.
   */
  async waitForReader(position: Position | null, names: readonly string[]): Promise<void> {
    if (position !== null) return this.waitForKnown(position, names);
    const answered = new AbortController();
    // Where the log does not answer, its end cannot be waited for either.
    const fresh = this.waitForHead(names, FRESH_MS).catch(() => undefined);
    await Promise.race([fresh, pause(FRESH_MS, answered.signal)]);
    answered.abort();
  }

  /** Whether the position is one of the log that this one was migrated from. */
  isGone(position: Position): boolean {
    return this.migration?.isGone(position) ?? false;
  }

  /** Waits until the named consumers have handled what is on the log now, and answers up to where that is. */
  async waitForHead(names: readonly string[], timeoutMs = WAIT_MS): Promise<Position> {
    const head = await this.log.head();
    await this.waitFor(head, names, timeoutMs);
    return head;
  }

  /**
   * Waits until the named consumers have handled what is on the log now: for as long as they get on, but not for one
   * that has stopped, or cannot store what it makes. Answers up to where the log is.
   *
   * @throws the abort reason
   */
  async waitWhileWorking(
    names: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Position> {
    const head = await this.log.head();
    const giveUpAt = Date.now() + timeoutMs;
    const untilCaughtUp = async (progress: Progress) => {
      while (progress.reached < head && progress.isWorking && Date.now() < giveUpAt) {
        await orAborted(progress.waitFor(head, LOOK_EVERY_MS), signal).catch(() => signal.throwIfAborted());
      }
    };
    await Promise.all(names.map((name) => untilCaughtUp(this.progressOf(name))));
    return head;
  }

  /** Up to where the named consumer has handled the log. */
  reached(name: string): Position {
    return this.progressOf(name).reached;
  }

  status(): ConsumerStatus[] {
    return [
      ...[...this.projections.values()].map(({ progress, projection }) =>
        statusOf({ kind: 'projection', version: projection.version }, progress),
      ),
      ...[...this.sagas.values()].map(({ progress }) => statusOf({ kind: 'saga', version: null }, progress)),
    ];
  }

  /**
   * Lets a projection or saga that has stopped go on where it was, in the hope that it can now. Nothing happens to one
   * that has not. False where there is none of the name.
   */
  retry(name: string): boolean {
    const runner = this.runner(name);
    if (runner && runner.progress.stoppedBy !== null && !this.stopped.signal.aborted) {
      runner.progress.resume();
      this.run(runner);
    }
    return runner !== undefined;
  }

  projectionRunners(): ProjectionRunner[] {
    return [...this.projections.values()];
  }

  projectionRunner(name: string): ProjectionRunner | undefined {
    return this.projections.get(name);
  }

  private run(runner: ProjectionRunner | SagaRunner): void {
    const onFault = (error: unknown) =>
      this.logger.error({ err: error }, 'a consumer of the log has stopped');
    const running = runner.run(this.feed, this.stopped.signal, onFault);
    this.running.add(running);
    void running.finally(() => this.running.delete(running));
  }

  private runners(): (ProjectionRunner | SagaRunner)[] {
    return [...this.projections.values(), ...this.sagas.values()];
  }

  private runner(name: string): ProjectionRunner | SagaRunner | undefined {
    return this.projections.get(name) ?? this.sagas.get(name);
  }

  private progressOf(name: string): Progress {
    const runner = this.runner(name);
    if (!runner) throw new Error(`nothing of the name ${name} follows the log`);
    return runner.progress;
  }
}

function statusOf(what: Pick<ConsumerStatus, 'kind' | 'version'>, progress: Progress): ConsumerStatus {
  const { name, reached, stoppedBy, ailment } = progress;
  return {
    name,
    ...what,
    reached: `${reached}`,
    stoppedBy: stoppedBy && explanation(stoppedBy),
    stoppedAt: stoppedBy instanceof ConsumerFault ? stoppedBy.at : null,
    ailment: ailment && explanation(ailment),
  };
}
