/** What a company says of how long the output of its runs is kept, and since when. */
export interface RetentionSetting {
  /** From the end of a run on; null: for ever. */
  days: number | null;
  /** ISO 8601, UTC. */
  at: string;
}

export const MIN_RETENTION_DAYS = 1;
/** A hundred years. */
export const MAX_RETENTION_DAYS = 36_500;

const DAY_MS = 86_400_000;
/** Until a setting reaches the logs of runs that are over, the one before it goes on. */
const CARRIED_OUT_WITHIN_MS = DAY_MS;

/**
 * The maximum age of a run's log, in seconds. Ages count from when each chunk was written: with the time that the run
 * took, none goes before the run's end is `days` ago.
 */
export function maxAgeSecOf(days: number, run: { startedAt: string | null; finishedAt: string }): number {
  const finishedAtMs = Date.parse(run.finishedAt);
  const tookMs = finishedAtMs - Date.parse(run.startedAt ?? run.finishedAt);
  return Math.ceil((days * DAY_MS + Math.max(0, tookMs)) / 1_000);
}

/**
 * The output of runs that ended up to then may be gone: some setting of the company's had it age out while that setting
 * was in force. `-Infinity`: nothing may.
 *
 * @param settings of one company, the oldest first
 */
export function agedOutUpToMs(settings: readonly RetentionSetting[], now: Date): number {
  const horizons = settings.map(({ days }, index) => {
    if (days === null) return -Infinity;
    const next = settings[index + 1];
    const untilMs = next ? Date.parse(next.at) + CARRIED_OUT_WITHIN_MS : Infinity;
    return Math.min(untilMs, now.getTime()) - days * DAY_MS;
  });
  return Math.max(-Infinity, ...horizons);
}
