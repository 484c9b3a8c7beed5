/** How an agent may be woken and run. Stored complete: defaults are filled in when it is registered. */
export interface HeartbeatPolicy {
  /** Timers may wake the agent. */
  enabled: boolean;
  /** Seconds between two timer wakeups; 0: no interval. */
  intervalSec: number;
  /** Five-field cron expression instead of the interval. */
  cron: string | null;
  /** IANA name of the time zone that `cron` is read in. */
  timezone: string | null;
  /** Up to this many seconds are added at random to each due time. */
  jitterSec: number;
  /** After downtime: one wakeup for all missed due times, or none. */
  catchUp: 'once' | 'skip';
  /** Everything but timers may wake the agent. */
  wakeOnDemand: boolean;
  maxConcurrentRuns: number;
  whenBusy: WhenBusy;
  /** Starts per UTC day; null: no cap. */
  maxDailyRuns: number | null;
  /** 0: none. */
  timeoutSec: number;
  /** Longest time without output; 0: none. */
  silenceTimeoutSec: number;
  /** Between SIGTERM and SIGKILL. */
  graceSec: number;
  retry: { maxAttempts: number; backoffSec: number } | null;
  circuitBreaker: { failures: number; coolDownSec: number } | null;
  logQuotaBytes: number;
  /** Which node may run the agent: the one it is placed on, or any. */
  placement: 'node' | 'any';
}

export type WhenBusy = 'followUp' | 'coalesce' | 'enqueue' | 'interrupt' | 'reject';

export const defaultPolicy: Readonly<HeartbeatPolicy> = {
  enabled: true,
  intervalSec: 0,
  cron: null,
  timezone: null,
  jitterSec: 0,
  catchUp: 'once',
  wakeOnDemand: true,
  maxConcurrentRuns: 1,
  whenBusy: 'followUp',
  maxDailyRuns: null,
  timeoutSec: 0,
  silenceTimeoutSec: 0,
  graceSec: 15,
  retry: null,
  circuitBreaker: null,
  logQuotaBytes: 256 * 1024 * 1024,
  placement: 'node',
};

/** The part of the policy that a run keeps from its start on, whatever becomes of the policy meanwhile. */
export type RunLimits = Pick<
  HeartbeatPolicy,
  'timeoutSec' | 'silenceTimeoutSec' | 'graceSec' | 'logQuotaBytes'
>;

export function runLimits(policy: HeartbeatPolicy): RunLimits {
  const { timeoutSec, silenceTimeoutSec, graceSec, logQuotaBytes } = policy;
  return { timeoutSec, silenceTimeoutSec, graceSec, logQuotaBytes };
}
