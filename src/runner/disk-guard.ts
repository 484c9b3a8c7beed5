import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pause } from '../kernel/pause';
import { isMissing } from './run-failure';
import type { RunnerLogger } from './runner-deps';

const LOOK_EVERY_MS = 250;
/** So much stays free for the log to say why a run ended; of a small disk a twentieth. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const RESERVE_SHARE = 20;
/** Ending a run whose output takes less than this part of the reserve would help nobody. */
const WORTHWHILE_SHARE = 8;

export interface DiskSpace {
  freeBytes: number;
  isShort: boolean;
}

/** A run whose output takes room on the disk. */
export interface Spooling {
  readonly run: { readonly runId: string };
  spooledBytes(): Promise<number>;
  /** Ends the run and gives up what of its output is not recorded. Repeating it empties its spools again. */
  giveUpOutput(): Promise<void>;
}

/**
 * Keeps one run's flood of output from taking the disk from all the others and from the log: while the disk is nearly
 * full, the run whose output takes the most is ended, one after the other, as long as that helps.
 */
export class DiskGuard {
  private isWatching = false;
  private wasShort = false;

  constructor(
    private readonly folder: string,
    private readonly runs: () => readonly Spooling[],
    private readonly logger: RunnerLogger,
  ) {}

  /** Watches for as long as there are runs, or until `stop` aborts. */
  watch(stop: AbortSignal): void {
    if (this.isWatching) return;
    this.isWatching = true;
    void this.lookAgainAndAgain(stop).finally(() => (this.isWatching = false));
  }

  /** Null where that cannot be seen. */
  async space(): Promise<DiskSpace | null> {
    try {
      const { freeBytes, reserveBytes } = await this.measure();
      return { freeBytes, isShort: freeBytes < reserveBytes };
    } catch (err) {
      this.logger.error({ err }, 'the free space of the disk cannot be seen');
      return null;
    }
  }

  private async lookAgainAndAgain(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && this.runs().length > 0) {
      await this.look().catch((err: unknown) => this.logger.error({ err }, 'the disk cannot be guarded'));
      await pause(LOOK_EVERY_MS, stop);
    }
  }

  private async look(): Promise<void> {
    const { freeBytes, reserveBytes } = await this.measure();
    const isShort = freeBytes < reserveBytes;
    if (isShort && !this.wasShort) this.logger.error({ freeBytes }, 'the disk is nearly full');
    this.wasShort = isShort;
    if (isShort) await this.relieve(reserveBytes / WORTHWHILE_SHARE);
  }

  private async relieve(worthwhileBytes: number): Promise<void> {
    const sizes = await Promise.all(
      this.runs().map(async (run) => ({ run, bytes: await run.spooledBytes() })),
    );
    const largest = sizes.sort((a, b) => b.bytes - a.bytes)[0];
    if (!largest || largest.bytes < worthwhileBytes) return;
    const { run, bytes } = largest;
    this.logger.error(
      { runId: run.run.runId, bytes },
      'ending the run whose output takes the most of the disk',
    );
    await run.giveUpOutput();
  }

  private async measure(): Promise<{ freeBytes: number; reserveBytes: number }> {
    // The folder is made with the first run.
    const { bavail, blocks, bsize } = await statfs(this.folder).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      return statfs(dirname(this.folder));
    });
    return {
      freeBytes: bavail * bsize,
      reserveBytes: Math.min(RESERVE_BYTES, (blocks * bsize) / RESERVE_SHARE),
    };
  }
}
