import type { Position } from '../kernel/event';
import type { Comparison } from './comparison';
import { explanation } from './consumer-fault';
import type { RequestedRebuild } from './generations';
import type { ProjectionBuild } from './projection-build';

export type JobKind = 'rebuild' | 'compare' | 'swap';

/** A rebuild is `interrupted` where its server stops: the next one goes on with it. */
export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

export interface JobView {
  id: string;
  kind: JobKind;
  projection: string;
  status: JobStatus;
  /** Up to where the log has been folded, and how far the live documents have come. */
  position: string;
  livePosition: string;
  /** Read since the job began; after a restart, since then. */
  events: number;
  eventsPerSec: number;
  requestedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** How many documents have been compared so far. */
  documents: number;
  /** Why it has failed. */
  error: string | null;
  /** What it is trying again because of; null while it works. */
  ailment: string | null;
  /** What a comparison has found, or a rebuild that waits to be swapped in. */
  result: Comparison | null;
}

/** A rebuild or a comparison of one projection, from the request to its end. */
export class ProjectionJob {
  readonly id: string;
  readonly requestedAt: string;
  private readonly cancelled = new AbortController();
  private status: JobStatus = 'queued';
  private startedAt: Date | null = null;
  private finishedAt: Date | null = null;
  private error: string | null = null;
  private result: Comparison | null = null;
  private build: ProjectionBuild | null = null;
  /** How many documents have been compared. */
  documents = 0;

  constructor(
    readonly kind: JobKind,
    readonly projection: string,
    readonly request: RequestedRebuild,
  ) {
    this.id = request.jobId;
    this.requestedAt = request.requestedAt;
  }

  get isOver(): boolean {
    return this.finishedAt !== null;
  }

  get isCancelled(): boolean {
    return this.cancelled.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.cancelled.signal;
  }

  cancel(): void {
    if (!this.isOver) this.cancelled.abort(new Error('the job was cancelled'));
  }

  begin(now: Date): void {
    this.status = 'running';
    this.startedAt = now;
  }

  /** From now on its progress is that of the build. */
  uses(build: ProjectionBuild): ProjectionBuild {
    this.build = build;
    return build;
  }

  succeed(now: Date, result: Comparison | null): void {
    this.result = result;
    this.end('succeeded', now);
  }

  end(status: JobStatus, now: Date, error: string | null = null): void {
    this.status = status;
    this.finishedAt = now;
    this.error = error;
  }

  view(livePosition: Position, now: Date): JobView {
    const { id, kind, projection, status, requestedAt, startedAt, finishedAt, error, result, build } = this;
    const events = build?.eventCount ?? 0;
    const elapsedMs = startedAt ? (finishedAt ?? now).getTime() - startedAt.getTime() : 0;
    return {
      id,
      kind,
      projection,
      status,
      position: `${build?.progress.reached ?? 0n}`,
      livePosition: `${livePosition}`,
      events,
      eventsPerSec: elapsedMs > 0 ? Math.round((events * 1_000) / elapsedMs) : 0,
      requestedAt,
      startedAt: startedAt?.toISOString() ?? null,
      finishedAt: finishedAt?.toISOString() ?? null,
      documents: this.documents,
      error,
      ailment: build?.progress.ailment ? explanation(build.progress.ailment) : null,
      result,
    };
  }
}
