import { DocumentsUnavailable } from '../../documents/document-store';
import type { EventLog, FollowBatch } from '../../event-log/event-log';
import { LogUnavailable, RevisionConflict } from '../../event-log/event-log';
import type { Position } from '../../kernel/event';
import { pause } from '../../kernel/pause';
import { steadyFollow } from '../../processing/steady-follow';
import { Interval } from '../domain/interval';
import type { CheckpointMemory } from './checkpoint-memory';
import type { CheckpointWriter, Place } from './checkpoint-writer';
import type { SharedAuditState } from './shared-audit-state';

const LOOK_EVERY_MS = 1_000;
const RENEW_EVERY_MS = 5_000;
/** Where little comes, it is fetched so often: a checkpoint is in no hurry, and large pages cost less. */
const REST_MS = 250;
const LARGE_BATCH = 100;

interface RecorderDeps {
  log: EventLog;
  shared: SharedAuditState;
  memory: CheckpointMemory;
  writer: CheckpointWriter;
  /** A checkpoint is due after so many events, */
  everyEvents: number;
  /** and so long after the first event that none covers, in seconds. */
  everySec: number;
  /** Aborts when nothing is to be waited for any more. */
  signal: AbortSignal;
  onFault: (error: unknown) => void;
}

/** The last checkpoint on the log. */
export interface Signed {
  number: number;
  /** Of its statement. */
  hash: string;
  /** Up to where the log has come with it. */
  position: Position;
}

/**
 * Follows the whole log, log bytes included, and has it covered by checkpoints. Of several nodes one does so, under a
 * lease; where two do, for a moment, the log takes one checkpoint and the other one begins anew behind it.
 */
export class CheckpointRecorder {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;

  constructor(private readonly deps: RecorderDeps) {}

  start(): void {
    this.running = this.run();
  }

  /** Covers what is on the log by then: a log that nobody serves is protected to its last event. */
  async stop(): Promise<void> {
    if (this.running === undefined) return;
    this.stopped.abort();
    await this.running;
    await this.coverAll().catch(this.deps.onFault);
  }

  /** Signs what no checkpoint covers yet. Answers the last checkpoint; null where the log is empty. */
  async coverAll(): Promise<Signed | null> {
    const { log, writer } = this.deps;
    const head = await log.head();
    for (;;) {
      try {
        const place = await this.signUpTo(head, await writer.place());
        return place.number === 0 ? null : { ...place, position: await log.head() };
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  private async signUpTo(head: Position, from: Place): Promise<Place> {
    let [place, interval] = [from, new Interval()];
    if (place.covered >= head) return place;
    const { signal } = this.deps;
    const follow = { after: place.covered, withoutBytes: true, signal };
    for await (const { events, reached } of this.deps.log.follow(follow)) {
      for (const event of events) {
        if (event.position > head) break;
        interval.add(event);
        if (interval.events < this.deps.everyEvents) continue;
        place = await this.sign(interval, place);
        interval = new Interval();
      }
      if (reached >= head) break;
    }
    signal.throwIfAborted();
    return interval.events > 0 ? this.sign(interval, place) : place;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        if (await this.deps.shared.holdLease()) await this.record();
      } catch (error) {
        if (signal.aborted) return;
        if (!passesByItself(error)) this.deps.onFault(error);
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  /** Until it is stopped, or somebody else writes checkpoints. */
  private async record(): Promise<void> {
    const recording = new Recording(this.deps, await this.deps.writer.place(), (interval, place) =>
      this.sign(interval, place),
    );
    const signal = AbortSignal.any([this.stopped.signal, recording.failed.signal]);
    const look = setInterval(() => recording.look(), LOOK_EVERY_MS).unref();
    try {
      const options = { after: recording.covered, withoutBytes: true, signal };
      for await (const batch of steadyFollow(this.deps.log, options, () => undefined)) {
        await recording.take(batch);
        if (batch.events.length < LARGE_BATCH) await pause(REST_MS, signal);
      }
      if (recording.failed.signal.aborted) throw recording.failed.signal.reason;
    } finally {
      clearInterval(look);
      await recording.settle();
    }
  }

  private async sign(interval: Interval, place: Place): Promise<Place> {
    const next = await this.deps.writer.write(interval, place);
    const { number, hash } = next;
    await this.deps.memory.remember({ number, hash }, (one) => this.deps.writer.hashOf(one));
    return next;
  }
}

/** A store that is away says so itself; and who was overtaken begins anew. */
function passesByItself(error: unknown): boolean {
  return (
    error instanceof RevisionConflict ||
    error instanceof LogUnavailable ||
    error instanceof DocumentsUnavailable
  );
}

/** What was seen since the last checkpoint, and when the next one is due. */
class Recording {
  readonly failed = new AbortController();
  private interval = new Interval();
  private beganAtMs = 0;
  private renewedAtMs = Date.now();
  private turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly deps: RecorderDeps,
    private place: Place,
    private readonly sign: (interval: Interval, place: Place) => Promise<Place>,
  ) {}

  get covered() {
    return this.place.covered;
  }

  take({ events }: FollowBatch): Promise<void> {
    return this.inTurn(async () => {
      for (const event of events) {
        if (this.interval.events === 0) this.beganAtMs = Date.now();
        this.interval.add(event);
        if (this.interval.events >= this.deps.everyEvents) await this.close();
      }
    });
  }

  /** Whether a checkpoint is due by time, and whether it is still this node that writes them. */
  look(): void {
    void this.inTurn(async () => {
      if (Date.now() - this.renewedAtMs >= RENEW_EVERY_MS) {
        this.renewedAtMs = Date.now();
        if (!(await this.deps.shared.holdLease())) throw new Error('another node writes checkpoints');
      }
      const isDue = Date.now() - this.beganAtMs >= this.deps.everySec * 1_000;
      if (this.interval.events > 0 && isDue) await this.close();
    });
  }

  async settle(): Promise<void> {
    await this.turn;
  }

  private async close(): Promise<void> {
    this.place = await this.sign(this.interval, this.place);
    this.interval = new Interval();
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn
      .then(async () => {
        if (!this.failed.signal.aborted) await work();
      })
      .catch((error: unknown) => this.failed.abort(error));
    return this.turn;
  }
}
