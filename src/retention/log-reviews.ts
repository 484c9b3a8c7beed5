import { companiesProjection } from '../companies/projections/companies.projection';
import type { DocumentStore, Page } from '../documents/document-store';
import { DocumentsUnavailable, InvalidCursor } from '../documents/document-store';
import type { EventLog } from '../event-log/event-log';
import { LogUnavailable } from '../event-log/event-log';
import type { Position } from '../kernel/event';
import { pause } from '../kernel/pause';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import type { RunDocument } from '../runs/projections/runs.projection';
import { runsProjection } from '../runs/projections/runs.projection';
import { limitLog } from './limit-log';

const REVIEWS = { name: 'log_reviews', kind: 'durable', fields: {}, indexes: [] } as const;
/** What another node was asked to do, and has not done because it is gone, is found so soon. */
const LOOK_EVERY_MS = 30_000;
const RUNS_A_STEP = 200;
const REST_MS = 20;
const MAX_REVIEWS = 1_000;

/** All logs of a company are to be given the age that it wants now. */
interface Review {
  companyId: string;
  /** Of the setting. */
  asOf: string;
  /** Behind which run it goes on; null: at the first one. */
  cursor: string | null;
}

export interface ReviewDeps {
  log: EventLog;
  documents: DocumentStore;
  processing: Processing;
  readModels: ReadModels;
  logger: { error(details: object, message: string): void };
}

/**
 * Applies a changed retention to the logs of runs that are over: in the background, a few at a time. How far it is
 * survives a restart; that two nodes do it at once does no harm.
 */
export class LogReviews {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private asked = new AbortController();
  private isDone = false;

  constructor(private readonly deps: ReviewDeps) {}

  /** Whether nothing that was asked for is left to do. */
  get isIdle(): boolean {
    return this.isDone;
  }

  async start(): Promise<void> {
    await this.deps.documents.ensure(REVIEWS);
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  /** @param asOf position of the setting; one that comes later begins anew */
  async ask(companyId: string, asOf: Position): Promise<void> {
    const { documents } = this.deps;
    await documents.ensure(REVIEWS);
    for (;;) {
      const known = await documents.getVersioned<Review>(REVIEWS.name, companyId);
      if (known && BigInt(known.document.asOf) >= asOf) break;
      const review: Review = { companyId, asOf: `${asOf}`, cursor: null };
      if (await documents.compareAndSet(REVIEWS.name, companyId, known?.version ?? null, review)) break;
    }
    this.isDone = false;
    this.asked.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      this.asked = new AbortController();
      const wake = AbortSignal.any([signal, this.asked.signal]);
      try {
        const open = await this.deps.documents.scan<Review>(REVIEWS.name, null, MAX_REVIEWS);
        for (const { document } of open) await this.review(document.companyId);
        this.isDone = open.length < MAX_REVIEWS && !this.asked.signal.aborted;
      } catch (err) {
        if (signal.aborted) return;
        const passes = err instanceof LogUnavailable || err instanceof DocumentsUnavailable;
        if (!passes)
          this.deps.logger.error({ err }, 'logs could not be given the age that their company wants');
      }
      await pause(LOOK_EVERY_MS, wake);
    }
  }

  private async review(companyId: string): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const known = await this.deps.documents.getVersioned<Review>(REVIEWS.name, companyId);
      if (!known) return;
      const next = await this.step(known.document);
      // Where another setting came meanwhile, that one's review is gone on with.
      await this.deps.documents.compareAndSet(REVIEWS.name, companyId, known.version, next);
      await pause(REST_MS, this.stopped.signal);
    }
  }

  /** null: it is done. */
  private async step(review: Review): Promise<Review | null> {
    const { log, processing, readModels } = this.deps;
    const { companyId, asOf } = review;
    // Runs that end after it are given the right age by themselves.
    await processing.waitFor(BigInt(asOf), [companiesProjection.name, runsProjection.name]);
    const days = (await readModels.get(companiesProjection, companyId))?.logRetentionDays ?? null;
    const { items, nextCursor } = await this.page(review);
    await Promise.all(
      items.map(async ({ id, log: summary, startedAt, finishedAt }) => {
        if (summary === null || finishedAt === null) return;
        await limitLog(log, { companyId, runId: id, startedAt, finishedAt }, days);
      }),
    );
    return nextCursor === null ? null : { ...review, cursor: nextCursor };
  }

  private async page({ companyId, cursor }: Review): Promise<Page<RunDocument>> {
    const query = {
      where: { companyId },
      orderBy: 'queuedPosition',
      direction: 'asc',
      limit: RUNS_A_STEP,
    } as const;
    try {
      return await this.deps.readModels.query(runsProjection, { ...query, cursor });
    } catch (error) {
      // Of documents that have been built anew since.
      if (error instanceof InvalidCursor) return this.deps.readModels.query(runsProjection, query);
      throw error;
    }
  }
}
