import type { CompanyEvent } from '../../companies/domain/company.events';
import type { DomainEvent, Revision, StoredEvent } from '../../kernel/event';
import { decode } from '../../kernel/event';
import { categoryOf, companyStream, LOG_CATEGORY, ownerOf, runOfLog, runStream } from '../../kernel/streams';
import { agedOutUpToMs } from '../../retention/domain/log-retention';
import type { RunEvent } from '../../runs/domain/run.events';
import { isClosingLine } from '../../runs/domain/run.events';
import type { LogFinalizedData, LogGapData } from '../../runs/domain/run-log.events';
import { decodeLogChunk } from '../../runs/domain/run-log.events';
import type { Source } from './source';

const MAX_REMEMBERED = 10_000;

/** What is not on the log any more because companies have not wanted it to be kept longer. */
export interface AgedOutCount {
  logs: number;
  events: number;
  /** Of what agents wrote. */
  bytes: number;
}

/**
 * Tells what may be missing: events of the log of a run that is over, once its company's retention has passed. Both are
 * on streams that never age: the run's end on the run's, what the company wanted and when on its own. Which of such a
 * log's events are gone already is up to the store, that removes them at its leisure.
 */
export class AgedOut {
  readonly count: AgedOutCount = { logs: 0, events: 0, bytes: 0 };
  private readonly upToMs = new Map<string, number>();
  private readonly known = new Map<string, boolean>();
  /** Streams of which nothing was seen, by how many events a checkpoint has signed. */
  private readonly unseen = new Map<string, number>();

  constructor(
    private readonly source: Source,
    private readonly now: Date,
  ) {}

  /** Whether events of the stream may be missing. */
  async mayMiss(stream: string): Promise<boolean> {
    if (categoryOf(stream) !== LOG_CATEGORY) return false;
    const known = this.known.get(stream);
    if (known !== undefined) return known;
    const endedAtMs = await this.endOf(stream);
    const mayMiss = endedAtMs !== null && endedAtMs <= (await this.horizonOf(ownerOf(stream)));
    remember(this.known, stream, mayMiss);
    return mayMiss;
  }

  /** @param next the first event behind what is missing @param from the first revision that is */
  countBefore(next: StoredEvent, from: Revision): void {
    const { stream, revision } = next;
    this.unseen.delete(stream);
    this.count.logs += from === 0 ? 1 : 0;
    this.count.events += revision - from;
    this.count.bytes += from === 0 ? bytesBefore(next) : 0;
  }

  /** Nothing was seen of the stream so far, of which a checkpoint has signed so many events. */
  countUnseen(stream: string, events: number): void {
    this.unseen.set(stream, events);
  }

  /** At the end: what was not seen by then is gone as a whole. How many bytes that were, only its run can tell. */
  settle(): void {
    for (const events of this.unseen.values()) {
      this.count.logs += 1;
      this.count.events += events;
    }
    this.unseen.clear();
  }

  /** When the run was over; null where that cannot be told: then nothing explains a missing event. */
  private async endOf(logStream: string): Promise<number | null> {
    const { companyId, runId } = runOfLog(logStream);
    const last = { direction: 'backwards', limit: 1 } as const;
    for await (const stored of this.source.lookUp(runStream(companyId, runId), last)) {
      const recorded = readable<RunEvent>(stored);
      if (recorded && isClosingLine(recorded.event)) return Date.parse(recorded.at);
    }
    return null;
  }

  private async horizonOf(companyId: string): Promise<number> {
    const known = this.upToMs.get(companyId);
    if (known !== undefined) return known;
    const settings = [];
    for await (const stored of this.source.lookUp(companyStream(companyId))) {
      if (stored.type !== 'LogRetentionChanged') continue;
      const recorded = readable<Extract<CompanyEvent, { type: 'LogRetentionChanged' }>>(stored);
      if (recorded) settings.push({ days: recorded.event.data.days, at: recorded.at });
    }
    const upToMs = agedOutUpToMs(settings, this.now);
    remember(this.upToMs, companyId, upToMs);
    return upToMs;
  }
}

/**
 * What an event says of the hash of the one before it, to be held against its own when that one is gone; null: nothing.
 */
export function previousHashOf(event: StoredEvent): string | null {
  if (event.type !== 'LogFinalized') return null;
  return readable<DomainEvent<'LogFinalized', LogFinalizedData>>(event)?.event.data.previousHash ?? null;
}

/** How much was recorded before the event. */
function bytesBefore(event: StoredEvent): number {
  try {
    if (event.type === 'LogChunked') return decodeLogChunk(event.data as Uint8Array).header.logOffset;
    const data = JSON.parse(event.data as string) as LogFinalizedData | LogGapData;
    return 'recordedBytes' in data ? data.recordedBytes : data.logOffset;
  } catch {
    // Whoever looks at its hash says what is wrong with it.
    return 0;
  }
}

/** null: it is not what it was, and is told of as such where it stands. */
function readable<E extends DomainEvent>(stored: StoredEvent): { event: E; at: string } | null {
  try {
    const { type, data } = decode<E>(stored).event;
    return { event: { type, data } as E, at: stored.metadata.at };
  } catch {
    return null;
  }
}

function remember<Value>(known: Map<string, Value>, key: string, value: Value): void {
  if (known.size >= MAX_REMEMBERED) known.delete(known.keys().next().value!);
  known.set(key, value);
}
