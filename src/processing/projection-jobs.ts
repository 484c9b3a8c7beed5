import type { DocumentStore } from '../documents/document-store';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { uuidv7 } from '../kernel/ids';
import type { Comparison } from './comparison';
import { compareCollections } from './comparison';
import { explanation } from './consumer-fault';
import { FrozenView } from './frozen-view';
import type { Processing, ProcessingLogger } from './processing';
import type { Projection } from './projection';
import { collectionName } from './projection';
import { ProjectionBuild } from './projection-build';
import type { JobKind, JobView } from './projection-job';
import { ProjectionJob } from './projection-job';
import type { ProjectionRunner } from './projection-runner';
import { Turns } from './turns';

/** So many can be asked for; the oldest that are over are forgotten. */
const MAX_REMEMBERED = 100;

/**
 * Rebuilds projections from the log and compares them with it, one after the other, while all goes on as usual. Each
 * projection has at most one job. A rebuild that was asked for survives a restart; a comparison ends with its server.
 */
export class ProjectionJobs {
  private readonly jobs = new Map<string, ProjectionJob>();
  private readonly turns = new Turns();
  private readonly stopping = new AbortController();

  constructor(
    private readonly processing: Processing,
    private readonly documents: DocumentStore,
    private readonly clock: Clock,
    private readonly logger: ProcessingLogger,
  ) {}

  /** Goes on with the rebuilds that the last stop has interrupted. For once the projections are running. */
  async resume(): Promise<void> {
    for (const runner of this.processing.projectionRunners()) {
      await this.documents.drop(comparedCollection(runner.projection));
      const requested = this.processing.generations.requestedRebuild(runner.projection);
      if (requested && !requested.waits)
        this.enqueue(new ProjectionJob('rebuild', runner.projection.name, requested), runner);
    }
  }

  /** What goes on is taken up again by the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.turns.take(async () => undefined);
  }

  /**
   * Answers the job that does so: a new one, or the one that is already going on.
   *
   * @param options of a rebuild: without `swap` what it builds waits until it is swapped in
   * @throws DomainError `projection_not_found`, `projection_busy`, `nothing_to_swap`
   */
  async request(kind: JobKind, name: string, { swap = true } = {}): Promise<JobView> {
    const runner = this.runnerOf(name);
    const current = this.current(name);
    if (current && current.kind !== kind) {
      const job = this.view(current);
      throw new DomainError('projection_busy', `a ${current.kind} of ${name} is going on`, { job });
    }
    if (current) return this.view(current);
    const { generations } = this.processing;
    const former = generations.requestedRebuild(runner.projection);
    if (kind === 'swap' && !former?.waits) throw new DomainError('nothing_to_swap', undefined, { name });
    const requested = { jobId: uuidv7(), requestedAt: this.clock.now().toISOString(), swap };
    const job = new ProjectionJob(kind, name, requested);
    this.remember(job);
    try {
      if (kind === 'rebuild') {
        if (former?.waits) await this.documents.drop(generations.nextCollection(runner.projection));
        await generations.remember(runner.projection, requested);
      }
    } catch (error) {
      this.jobs.delete(job.id);
      throw error;
    }
    this.enqueue(job, runner);
    return this.view(job);
  }

  /** @throws DomainError `job_not_found` */
  get(jobId: string): JobView {
    return this.view(this.find(jobId));
  }

  /** Nothing happens to a job that is over. @throws DomainError `job_not_found` */
  cancel(jobId: string): JobView {
    const job = this.find(jobId);
    job.cancel();
    return this.view(job);
  }

  /** The job of a projection that goes on, or waits for its turn. */
  going(name: string): JobView | null {
    const job = this.current(name);
    return job ? this.view(job) : null;
  }

  private enqueue(job: ProjectionJob, runner: ProjectionRunner): void {
    this.remember(job);
    void this.turns.take(() => this.perform(job, runner));
  }

  private async perform(job: ProjectionJob, runner: ProjectionRunner): Promise<void> {
    const signal = AbortSignal.any([job.signal, this.stopping.signal]);
    try {
      signal.throwIfAborted();
      job.begin(this.clock.now());
      const result = await this.work(job, runner, signal);
      job.succeed(this.clock.now(), result);
    } catch (error) {
      if (this.stopping.signal.aborted && !job.isCancelled) return job.end('interrupted', this.clock.now());
      if (job.kind === 'rebuild') await this.abandonRebuild(runner.projection);
      if (job.isCancelled) return job.end('cancelled', this.clock.now());
      this.logger.error({ err: error, projection: job.projection }, `a ${job.kind} has failed`);
      job.end('failed', this.clock.now(), explanation(error));
    }
  }

  private async work(
    job: ProjectionJob,
    live: ProjectionRunner,
    signal: AbortSignal,
  ): Promise<Comparison | null> {
    if (job.kind === 'compare') return this.compare(job, live, signal);
    if (job.kind === 'rebuild' && job.request.swap === false) return this.prepare(job, live, signal);
    await this.rebuild(job, live, signal);
    return null;
  }

  /** Builds the next generation, says how it differs from the live one, and leaves it at that. */
  private async prepare(
    job: ProjectionJob,
    live: ProjectionRunner,
    signal: AbortSignal,
  ): Promise<Comparison> {
    const { projection } = live;
    const { generations } = this.processing;
    const result = await this.compareWith(job, live, generations.nextCollection(projection), signal);
    await generations.remember(projection, { ...job.request, waits: true });
    return result;
  }

  /** Builds the next generation, lets it take the live one's place, and has a projection that had stopped try again. */
  private async rebuild(job: ProjectionJob, live: ProjectionRunner, signal: AbortSignal): Promise<void> {
    const { projection } = live;
    const { generations } = this.processing;
    const former = generations.liveCollection(projection);
    const build = await this.open(job, projection, generations.nextCollection(projection));
    await build.meet(live, signal, async () => {
      await generations.advance(projection);
      live.continueIn(build.collection);
    });
    await this.cleanUp(() => this.documents.drop(former));
    this.processing.retry(projection.name);
  }

  private async compare(
    job: ProjectionJob,
    live: ProjectionRunner,
    signal: AbortSignal,
  ): Promise<Comparison> {
    const rebuilt = comparedCollection(live.projection);
    try {
      return await this.compareWith(job, live, rebuilt, signal);
    } finally {
      await this.cleanUp(() => this.documents.drop(rebuilt));
    }
  }

  /** Folds the log into a collection, and compares that with the live one as it was then. The live one goes on. */
  private async compareWith(
    job: ProjectionJob,
    live: ProjectionRunner,
    rebuilt: string,
    signal: AbortSignal,
  ): Promise<Comparison> {
    const build = await this.open(job, live.projection, rebuilt);
    const view = new FrozenView();
    try {
      const position = await build.meet(live, signal, async (reached) => {
        live.showTo(view);
        return reached;
      });
      const names = { live: this.processing.generations.liveCollection(live.projection), rebuilt, view };
      return await compareCollections(this.documents, names, position, signal, (compared) => {
        job.documents = compared;
      });
    } finally {
      live.showTo(null);
      view.release();
    }
  }

  private async open(job: ProjectionJob, projection: Projection, name: string): Promise<ProjectionBuild> {
    return job.uses(await ProjectionBuild.open(projection, this.documents, this.processing.feed, name));
  }

  /** What it has built so far may be what is wrong: the next rebuild begins at the beginning. */
  private async abandonRebuild(projection: Projection): Promise<void> {
    const { generations } = this.processing;
    await this.cleanUp(async () => {
      await this.documents.drop(generations.nextCollection(projection));
      await generations.remember(projection, null);
    });
  }

  /** What cannot be cleared away now is cleared away, or gone on with, at the next start. */
  private async cleanUp(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.logger.warn({ err }, 'what a job has left behind could not be removed');
    }
  }

  private remember(job: ProjectionJob): void {
    this.jobs.set(job.id, job);
    for (const { id, isOver } of this.jobs.values()) {
      if (this.jobs.size <= MAX_REMEMBERED) return;
      if (isOver) this.jobs.delete(id);
    }
  }

  private current(name: string): ProjectionJob | undefined {
    return [...this.jobs.values()].find((job) => job.projection === name && !job.isOver);
  }

  private find(jobId: string): ProjectionJob {
    const job = this.jobs.get(jobId);
    if (!job) throw new DomainError('job_not_found', 'There is no such job, or it has ended with its server');
    return job;
  }

  private runnerOf(name: string): ProjectionRunner {
    const runner = this.processing.projectionRunner(name);
    if (!runner) throw new DomainError('projection_not_found', `There is no projection ${name}`, { name });
    return runner;
  }

  private view(job: ProjectionJob): JobView {
    return job.view(this.runnerOf(job.projection).progress.reached, this.clock.now());
  }
}

/** Where the documents are made that the live ones are compared with. */
function comparedCollection(projection: Projection): string {
  return `${collectionName(projection)}_compared`;
}
