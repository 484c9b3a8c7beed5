/** Wakes those who wait for the log to grow. */
export class CommitSignal {
  private readonly waiting = new Set<() => void>();

  /** Resolves at the next `wakeAll`, or when `signal` aborts. */
  next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  wakeAll(): void {
    for (const wake of this.waiting) wake();
  }
}
