import type { EndCause } from '../agents/domain/agent.events';
import type { Clock } from '../kernel/clock';
import { pause } from '../kernel/pause';
import type { ClaimedRun } from './run-authority';

/** The longest that a timer can wait. */
const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/**
 * Answers when a run has been going on for too long, or has been silent for too long. Never where it has no such
 * limits, or when `signal` aborts first (null). Both count from times that a restart does not change.
 */
export async function limitReached(
  run: Pick<ClaimedRun, 'startedAt' | 'limits'>,
  lastOutputAtMs: () => number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Extract<EndCause, 'timeout' | 'silence'> | null> {
  const startedAtMs = Date.parse(run.startedAt);
  const { timeoutSec, silenceTimeoutSec } = run.limits;
  const timeoutAtMs = timeoutSec > 0 ? startedAtMs + timeoutSec * 1000 : Infinity;
  while (!signal.aborted) {
    const heardAtMs = Math.max(startedAtMs, lastOutputAtMs());
    const silenceAtMs = silenceTimeoutSec > 0 ? heardAtMs + silenceTimeoutSec * 1000 : Infinity;
    const nowMs = clock.now().getTime();
    if (nowMs >= timeoutAtMs) return 'timeout';
    if (nowMs >= silenceAtMs) return 'silence';
    await pause(Math.min(timeoutAtMs - nowMs, silenceAtMs - nowMs, LONGEST_PAUSE_MS), signal);
  }
  return null;
}
