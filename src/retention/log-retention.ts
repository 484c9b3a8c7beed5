import { companiesProjection } from '../companies/projections/companies.projection';
import type { Position, Recorded } from '../kernel/event';
import { LruMap } from '../kernel/lru-map';
import { limitLog } from './limit-log';
import type { ReviewDeps } from './log-reviews';
import { LogReviews } from './log-reviews';
import type { RetentionCommand } from './sagas/log-retention.saga';
import { logRetentionSaga } from './sagas/log-retention.saga';

/** Companies that are known to keep everything. */
const MAX_KEEPING = 10_000;

/** Carries out how long companies keep the output of their runs. */
export class LogRetention {
  private readonly reviews: LogReviews;
  private begunAt: Position | null = null;
  /** Most companies, and no run of theirs waits for a read model. */
  private readonly keeping = new LruMap<string, true>(MAX_KEEPING);
  private changes = 0;

  constructor(private readonly deps: ReviewDeps) {
    this.reviews = new LogReviews(deps);
  }

  /**
   * Whether what companies want has reached all logs: what they wanted while no server ran, or right before one was
   * killed, included. Where a longer time has not reached a log yet, it must not be removed by the shorter one.
   */
  get isCarriedOut(): boolean {
    const { begunAt, reviews } = this;
    const hasSeenAll = begunAt !== null && this.deps.processing.reached(logRetentionSaga.name) >= begunAt;
    return hasSeenAll && reviews.isIdle;
  }

  /** Once the sagas have begun. */
  async start(): Promise<void> {
    this.begunAt = await this.deps.log.head();
    await this.reviews.start();
  }

  stop(): Promise<void> {
    return this.reviews.stop();
  }

  async execute(command: RetentionCommand, cause: Recorded): Promise<void> {
    const { companyId } = command;
    if (command.type === 'ReviewLogs') {
      this.changes += 1;
      this.keeping.delete(companyId);
      return this.reviews.ask(companyId, cause.position);
    }
    if (this.keeping.get(companyId)) return;
    const { log, processing, readModels } = this.deps;
    const known = this.changes;
    // A setting that comes after the run's end has all logs reviewed, this one included.
    await processing.waitPatiently(cause.position, [companiesProjection.name]);
    const company = await readModels.get(companiesProjection, companyId);
    const days = company?.logRetentionDays ?? null;
    if (days !== null) await limitLog(log, command, days);
    else if (known === this.changes) this.keeping.set(companyId, true);
  }
}
