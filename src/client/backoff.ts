const SHORTEST_MS = 100;
const LONGEST_MS = 5_000;

/** How long to wait before the next attempt: twice as long each time, with jitter, so that clients come apart. */
export class Backoff {
  private ceilingMs = SHORTEST_MS;

  constructor(
    private readonly longestMs = LONGEST_MS,
    private readonly random: () => number = Math.random,
  ) {}

  /** @param atLeastMs what the server has asked for */
  nextMs(atLeastMs = 0): number {
    const ceilingMs = this.ceilingMs;
    this.ceilingMs = Math.min(ceilingMs * 2, this.longestMs);
    return atLeastMs + ceilingMs * (0.5 + this.random() / 2);
  }

  /** There was an answer: the next failure is a first one. */
  reset(): void {
    this.ceilingMs = SHORTEST_MS;
  }
}

/** @throws the reason of the signal when it aborts */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    }, ms);
    signal?.addEventListener('abort', leave, { once: true });
  });
}

/** Gives up what fails for too long. */
export class Patience {
  private readonly backoff: Backoff;
  private failingSinceMs: number | null = null;

  /** @param patienceMs how long something may fail before it is given up; 0: the first failure is one too many */
  constructor(
    private readonly patienceMs: number,
    private readonly isWorthAnotherTry: (error: unknown) => boolean,
    longestPauseMs?: number,
  ) {
    this.backoff = new Backoff(longestPauseMs);
  }

  succeeded(): void {
    this.failingSinceMs = null;
    this.backoff.reset();
  }

  /** Waits for the next attempt. @throws the error, where there is to be none, and the reason of the signal */
  async afterFailure(
    error: unknown,
    retryAfterMs: number | null,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.failingSinceMs ??= Date.now();
    const waitMs = this.backoff.nextMs(retryAfterMs ?? 0);
    const wouldHaveFailedForMs = Date.now() + waitMs - this.failingSinceMs;
    if (signal?.aborted || !this.isWorthAnotherTry(error) || wouldHaveFailedForMs > this.patienceMs)
      throw error;
    await pause(waitMs, signal);
  }
}
