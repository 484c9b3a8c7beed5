import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogUnavailable } from '../event-log';
import type { LogUpkeep, Removed } from '../log-upkeep';
import type { EmbeddedEventLog } from './embedded-event-log';
import { chunksFile } from './event-files';

const LOOK_EVERY_MS = 1_000;
/** So much is removed at once: a commit of a few milliseconds. */
const STEP_BYTES = 1024 * 1024;
/** Of the writer's time, a fifth at most. */
const REST_PER_STEP = 4;
const SHORTEST_REST_MS = 5;

interface UpkeepLogger {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Removes what has aged out from the files of a log, in the background, in small steps. */
export class EmbeddedLogUpkeep implements LogUpkeep {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private readonly removed = { events: 0, bytes: 0, lastAtMs: null as number | null };

  constructor(
    private readonly log: EmbeddedEventLog,
    private readonly folder: string,
    private readonly logger: UpkeepLogger,
  ) {}

  get soFar(): Removed {
    return { ...this.removed, fileBytes: statSync(chunksFile(this.folder)).size };
  }

  start(isCarriedOut: () => boolean): void {
    this.running ??= this.run(() => isCarriedOut() && this.log.needsScavenging);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(isDue: () => boolean): Promise<void> {
    while (!this.stopped.signal.aborted) {
      try {
        if (isDue()) await this.scavenge(isDue);
      } catch (err) {
        if (this.stopped.signal.aborted) return;
        // The writer says itself that it is gone, and comes back.
        if (!(err instanceof LogUnavailable))
          this.logger.error({ err }, 'what has aged out could not be removed');
      }
      await this.pause(LOOK_EVERY_MS);
    }
  }

  private async scavenge(isDue: () => boolean): Promise<void> {
    const before = { ...this.soFar };
    while (!this.stopped.signal.aborted && isDue()) {
      const beganAtMs = performance.now();
      const { events, bytes } = await this.log.scavenge(STEP_BYTES);
      this.removed.events += events;
      this.removed.bytes += bytes;
      if (events > 0) this.removed.lastAtMs = Date.now();
      await this.pause(Math.max(SHORTEST_REST_MS, (performance.now() - beganAtMs) * REST_PER_STEP));
    }
    const { events, bytes, fileBytes } = this.soFar;
    if (events === before.events) return;
    const details = { events: events - before.events, bytes: bytes - before.bytes, fileBytes };
    this.logger.info(details, 'output that has aged out was removed');
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { ref: false, signal: this.stopped.signal }).catch(() => undefined);
  }
}
