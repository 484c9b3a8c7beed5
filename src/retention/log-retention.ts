import { companiesProjection } from '../companies/projections/companies.projection';
import type { Position, Recorded } from '../kernel/event';
import { limitLog } from './limit-log';
import type { ReviewDeps } from './log-reviews';
import { LogReviews } from './log-reviews';
import type { RetentionCommand } from './sagas/log-retention.saga';
import { logRetentionSaga } from './sagas/log-retention.saga';

/** Carries out how long companies keep the output of their runs. */
export class LogRetention {
  private readonly reviews: LogReviews;
  private begunAt: Position | null = null;

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
    if (command.type === 'ReviewLogs') return this.reviews.ask(command.companyId, cause.position);
    const { log, processing, readModels } = this.deps;
    // A setting that comes after the run's end has all logs reviewed, this one included.
    await processing.waitFor(cause.position, [companiesProjection.name]);
    const company = await readModels.get(companiesProjection, command.companyId);
    const days = company?.logRetentionDays ?? null;
    if (days !== null) await limitLog(log, command, days);
  }
}
