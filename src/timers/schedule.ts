import { Cron } from 'croner';
import type { DueTime } from '../agents/domain/agent.events';
import type { HeartbeatPolicy } from '../agents/domain/policy';

type Schedule = Pick<HeartbeatPolicy, 'enabled' | 'intervalSec' | 'cron' | 'timezone' | 'jitterSec'>;

/**
 * When a schedule that is new, or has just changed, is due first: an interval at once, or where one was running
 * already, no later than one interval from now; a cron at its next time. Plus jitter.
 *
 * @param current when it was due until now
 * @param chance  0 to 1, spreads the jitter
 * @returns null where the policy has no timer
 */
export function firstDue(
  policy: Schedule,
  now: Date,
  current: DueTime | null,
  chance: number,
): DueTime | null {
  if (!hasTimer(policy)) return null;
  if (policy.cron) return dueTime(nextOf(policy.cron, policy.timezone, now), policy, chance);
  if (!current) return dueTime(now, policy, chance);
  const latest = new Date(now.getTime() + policy.intervalSec * 1_000);
  return Date.parse(current.at) <= latest.getTime() ? current : dueTime(latest, policy, chance);
}

/**
 * The due time after one that has come. An interval is counted from that one, so that neither jitter nor a late tick
 * shifts the ones after it; what has gone by meanwhile is left out.
 */
export function nextDue(policy: Schedule, due: DueTime, now: Date, chance: number): DueTime | null {
  if (!hasTimer(policy)) return null;
  if (policy.cron) return dueTime(nextOf(policy.cron, policy.timezone, now), policy, chance);
  const intervalMs = policy.intervalSec * 1_000;
  const baseMs = Date.parse(due.base);
  const gone = Math.max(Math.floor((now.getTime() - baseMs) / intervalMs), 0);
  return dueTime(new Date(baseMs + (gone + 1) * intervalMs), policy, chance);
}

/** Whether an occurrence after this one has gone by as well: then nobody was there to see them. */
export function hasMissed(policy: Schedule, due: DueTime, now: Date): boolean {
  const base = new Date(due.base);
  if (!policy.cron) return now.getTime() - base.getTime() >= policy.intervalSec * 1_000;
  const following = nextOf(policy.cron, policy.timezone, base);
  return following !== null && following <= now;
}

function hasTimer({ enabled, cron, intervalSec }: Schedule): boolean {
  return enabled && (cron !== null || intervalSec > 0);
}

/** Strictly after `after`. */
function nextOf(cron: string, timezone: string | null, after: Date): Date | null {
  return new Cron(cron, { paused: true, timezone: timezone ?? 'UTC' }).nextRun(after);
}

function dueTime(base: Date | null, { jitterSec }: Schedule, chance: number): DueTime | null {
  if (!base) return null;
  const at = new Date(base.getTime() + Math.floor(chance * jitterSec * 1_000));
  return { at: at.toISOString(), base: base.toISOString() };
}
