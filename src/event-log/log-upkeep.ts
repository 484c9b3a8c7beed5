/** What was removed since the start. */
export interface Removed {
  events: number;
  bytes: number;
  /** When something was removed last, in milliseconds since the epoch; null: not yet. */
  lastAtMs: number | null;
  /** How large the file of raw log bytes is. */
  fileBytes: number;
}

/** Removes what has aged out, of a log that doesn't do so by itself. */
export interface LogUpkeep {
  readonly soFar: Removed;
  /** @param isCarriedOut whether all logs have the age that their companies want: nothing is removed before */
  start(isCarriedOut: () => boolean): void;
  /** What is under way is finished; the rest is left to the next start. */
  stop(): Promise<void>;
}
