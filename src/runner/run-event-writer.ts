import type { EventLog } from '../event-log/event-log';
import { RevisionConflict } from '../event-log/event-log';
import type { UnsealedEvent } from '../event-log/seal';
import type { Clock } from '../kernel/clock';
import type { EventMetadata, Position, Revision } from '../kernel/event';
import { derivedUuid } from '../kernel/ids';
import { runStream } from '../kernel/streams';
import type { RunEventData, RunEventType } from '../runs/domain/run.events';
import { runEventShapes, runEventTypes } from '../runs/domain/run.events';
import { StreamTail } from '../event-log/stream-tail';

/** Which run is written about, and the part of the metadata that stays the same. */
export interface RunWriterSource {
  run: { companyId: string; agentId: string; runId: string };
  origin: Pick<EventMetadata, 'correlationId' | 'causationId' | 'commandId' | 'actor' | 'nodeId'>;
}

/** Where an event of a run stands. */
export interface RunEventPlace {
  seq: number;
  /** Of the last event that was appended together with it: whoever waits for this sees it. */
  position: Position;
}

export type RunEventInput<T extends RunEventType = RunEventType> = Pick<
  RunEventData<T>,
  'eventType' | 'message'
> &
  Partial<Pick<RunEventData<T>, 'stream' | 'level' | 'color' | 'payload'>>;

/**
 * Appends to a run's stream, one call after the other. Others may write to the stream as well: then the same facts are
 * written behind theirs.
 */
export class RunEventWriter {
  private readonly stream: string;
  private tail: StreamTail | null = null;
  private queue: Promise<unknown> = Promise.resolve();

  /** @param signal ends the waiting for a log that does not answer; `append` then rejects */
  constructor(
    private readonly deps: { log: EventLog; clock: Clock },
    private readonly source: RunWriterSource,
    private readonly signal: AbortSignal,
  ) {
    this.stream = runStream(source.run.companyId, source.run.runId);
  }

  /** Answers when all the events are on the log, and where. They are written together, at most 1 MiB of them. */
  async append(...events: readonly RunEventInput[]): Promise<readonly RunEventPlace[]> {
    if (events.length === 0) {
      await this.queue;
      return [];
    }
    const written = this.queue.then(() => this.write(events));
    this.queue = written.catch(() => undefined);
    return written;
  }

  private async write(events: readonly RunEventInput[]): Promise<readonly RunEventPlace[]> {
    for (;;) {
      this.tail ??= (await StreamTail.find(this.deps.log, this.stream, this.signal)).tail;
      const first = this.tail.revision + 1;
      try {
        const position = await this.tail.append(
          events.map((event, index) => this.toUnsealed(event, first + index)),
        );
        return events.map((_, index) => ({ seq: first + index + 1, position }));
      } catch (error) {
        this.tail = null;
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  private toUnsealed(input: RunEventInput, revision: Revision): UnsealedEvent {
    const { run, origin } = this.source;
    const type = runEventTypes[input.eventType];
    const data: RunEventData = {
      companyId: run.companyId,
      agentId: run.agentId,
      runId: run.runId,
      eventType: input.eventType,
      stream: input.stream ?? 'system',
      level: input.level ?? 'info',
      color: input.color ?? null,
      message: input.message,
      payload: input.payload ?? null,
    };
    const at = this.deps.clock.now().toISOString();
    return {
      // What is said, and when, is part of the id: two writers may say different things at one revision.
      id: derivedUuid(run.runId, revision, type, at, JSON.stringify(data)),
      type,
      data,
      metadata: { ...origin, schemaVersion: runEventShapes[type].version, at, companyId: run.companyId },
    };
  }
}
