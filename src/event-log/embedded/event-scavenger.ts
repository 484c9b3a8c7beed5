import { vacate } from '../../sqlite/shrinking';
import type { Database } from '../../sqlite/sqlite';
import { prepareScavengingStatements } from './event-statements';
import type { Scavenged, ScavengeRequest } from './store-messages';

/** A stream is looked at again so much later where it has nothing to remove yet. */
const EMPTY_STREAM_AGAIN_MS = 3_600_000;
const MAX_EVENTS_A_STEP = 256;
const MAX_STREAMS_A_STEP = 64;

interface DueStream {
  id: number;
  maxAgeMs: number;
}

/**
 * Removes from one event file the streams that have aged out as a whole, from their first events on. The last event of
 * each stays: it holds the stream's revision, and the file's last position. Runs inside of its caller's transaction, so
 * a crash leaves a step that was done, or none.
 */
export class EventScavenger {
  private readonly statements: ReturnType<typeof prepareScavengingStatements>;

  constructor(private readonly db: Database) {
    this.statements = prepareScavengingStatements(db);
  }

  step({ nowMs, maxBytes }: ScavengeRequest): Scavenged {
    const total: Scavenged = { events: 0, bytes: 0 };
    for (let streams = 0; streams < MAX_STREAMS_A_STEP && total.bytes < maxBytes; streams++) {
      if (total.events >= MAX_EVENTS_A_STEP) break;
      const stream = this.statements.nextDue.get(nowMs) as DueStream | undefined;
      if (!stream) break;
      this.scavenge(stream, nowMs, maxBytes, total);
    }
    vacate(this.db, maxBytes);
    return total;
  }

  private scavenge({ id, maxAgeMs }: DueStream, nowMs: number, maxBytes: number, total: Scavenged): void {
    const { last, lookAgain, oldest, remove, done } = this.statements;
    const end = last.get(id) as { revision: number; atMs: number } | undefined;
    const agedAtMs = end ? Math.ceil(end.atMs + maxAgeMs) : nowMs + EMPTY_STREAM_AGAIN_MS;
    if (!end || agedAtMs > nowMs) {
      lookAgain.run(agedAtMs, id);
      return;
    }
    const candidates = oldest.all(id, end.revision, MAX_EVENTS_A_STEP) as {
      position: number;
      bytes: number;
    }[];
    for (const { position, bytes } of candidates) {
      if (total.bytes >= maxBytes) return;
      remove.run(position);
      total.events += 1;
      total.bytes += bytes;
    }
    if (candidates.length < MAX_EVENTS_A_STEP) done.run(id);
  }
}
