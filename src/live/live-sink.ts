import type { LiveMessage } from './live-message';
import type { CloseReason } from './live-events';

const MAX_IN_FLIGHT_BYTES = 512 * 1024;
const RESUME_AT_BYTES = 128 * 1024;
/** A client that takes nothing for so long, while something waits for it, is slow. */
const STALLED_AFTER_MS = 10_000;

/**
 * How long a connection that is being closed is kept, so that a client that takes things again hears why. Until then it
 * holds what was on its way.
 */
export const CLOSE_MS = 30_000;

/** Where a follower's messages go: something that carries text to a client, at the client's pace. */
export interface Carrier {
  /** @param taken is called when the text has left this process */
  send(message: LiveMessage, taken: () => void): void;
  /** Says why, as far as that can still be said, and ends the connection. */
  close(reason: CloseReason, details?: object): void;
}

/**
 * Keeps how much is on its way to a client within bounds. Who writes looks at `hasRoom` first, and waits for `room`
 * where there is none.
 */
export class LiveSink {
  private inFlightBytes = 0;
  private waiting: (() => void)[] = [];
  private stall: NodeJS.Timeout | undefined;
  private readonly ended = new AbortController();

  constructor(private readonly carrier: Carrier) {}

  /** Aborts when the connection has ended, from either side. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  get hasRoom(): boolean {
    return this.inFlightBytes < MAX_IN_FLIGHT_BYTES;
  }

  /** Resolves when there is room again, or the connection has ended. */
  room(): Promise<void> {
    if (this.hasRoom || this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  write(message: LiveMessage): void {
    if (this.signal.aborted) return;
    const bytes = message.json.length;
    if (this.inFlightBytes === 0) this.watch();
    this.inFlightBytes += bytes;
    this.carrier.send(message, () => this.taken(bytes));
  }

  /** Ends the connection, for a reason that the client is told. */
  close(reason: CloseReason, details?: object): void {
    if (this.signal.aborted) return;
    this.end();
    this.carrier.close(reason, details);
  }

  /** The connection has ended. */
  end(): void {
    clearTimeout(this.stall);
    this.ended.abort();
    this.wake();
  }

  private taken(bytes: number): void {
    this.inFlightBytes -= bytes;
    if (this.signal.aborted) return;
    this.watch();
    if (this.inFlightBytes <= RESUME_AT_BYTES) this.wake();
  }

  private watch(): void {
    this.stall ??= setTimeout(() => this.stalled(), STALLED_AFTER_MS).unref();
    this.stall.refresh();
  }

  private stalled(): void {
    this.stall = undefined;
    if (this.inFlightBytes > 0) this.close('slow_client');
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
