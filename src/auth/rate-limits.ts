import { DomainError } from '../kernel/errors';
import type { Principal } from './principal';

/** How many may be asked for at once, in seconds' worth of the rate. */
const BURST_SEC = 2;
/** Beyond that, those are forgotten that have all they may have. */
const MAX_BUCKETS = 10_000;

/** Requests per second; 0: without a limit. */
export interface Rates {
  /** Of a company's token. */
  perToken: number;
  /** Of a run's. */
  perRun: number;
}

interface Bucket {
  left: number;
  /** Milliseconds, of a clock that nobody sets. */
  filledAtMs: number;
}

/** A bucket per token, which each request takes one from, and which fills up again as time goes by. */
export class RateLimits {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly rates: Rates,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @throws DomainError `rate_limited` */
  take(principal: Principal): void {
    const rate = this.rateOf(principal);
    if (rate === 0) return;
    const bucket = this.filled(principal.key, rate);
    if (bucket.left < 1) throw new DomainError('rate_limited', undefined, { requestsPerSec: rate });
    bucket.left -= 1;
  }

  private rateOf({ companyId, runId }: Principal): number {
    if (companyId === null) return 0;
    return runId === null ? this.rates.perToken : this.rates.perRun;
  }

  private filled(key: string, rate: number): Bucket {
    const nowMs = this.nowMs();
    const bucket = this.buckets.get(key) ?? { left: rate * BURST_SEC, filledAtMs: nowMs };
    const gained = ((nowMs - bucket.filledAtMs) / 1_000) * rate;
    bucket.left = Math.min(rate * BURST_SEC, bucket.left + gained);
    bucket.filledAtMs = nowMs;
    this.buckets.delete(key);
    this.buckets.set(key, bucket);
    if (this.buckets.size > MAX_BUCKETS) this.forgetFull(nowMs);
    return bucket;
  }

  /** Who has not asked for as long as a bucket takes to fill has a full one: the oldest come first. */
  private forgetFull(nowMs: number): void {
    for (const [key, { filledAtMs }] of this.buckets) {
      if (nowMs - filledAtMs < BURST_SEC * 1_000) return;
      this.buckets.delete(key);
    }
  }
}
