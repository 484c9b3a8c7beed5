import type { EventLog } from './event-log';
import type { UnsealedEvent } from './seal';
import { seal } from './seal';
import { CHAIN_START } from '../kernel/chain';
import type { Position, Revision, StoredEvent } from '../kernel/event';
import { NO_STREAM } from '../kernel/event';
import { untilAvailable } from './until-available';

/** The end of one stream as its writer knows it: where the next event goes, and which hash it is chained to. */
export class StreamTail {
  private constructor(
    private readonly log: EventLog,
    private readonly stream: string,
    private readonly signal: AbortSignal,
    private lastRevision: Revision,
    private lastHash: string,
  ) {}

  /** The end of a stream that nobody has written to, as far as its writer knows: nothing is read. */
  static ofNew(log: EventLog, stream: string, signal: AbortSignal): StreamTail {
    return new StreamTail(log, stream, signal, NO_STREAM, CHAIN_START);
  }

  /** Finds the end of a stream. `last` is null where the stream has no event yet. */
  static async find(
    log: EventLog,
    stream: string,
    signal: AbortSignal,
  ): Promise<{ tail: StreamTail; last: StoredEvent | null }> {
    const last = await untilAvailable(() => readLast(log, stream), signal);
    const revision = last?.revision ?? NO_STREAM;
    const hash = last?.metadata.hash ?? CHAIN_START;
    return { tail: new StreamTail(log, stream, signal, revision, hash), last };
  }

  get revision(): Revision {
    return this.lastRevision;
  }

  get hash(): string {
    return this.lastHash;
  }

  /**
   * Appends at exactly this end, and sends the same bytes again while the log does not answer. Answers where the last one is.
   *
   * @throws RevisionConflict somebody else has written to the stream: find its end anew
   */
  async append(events: readonly UnsealedEvent[]): Promise<Position> {
    const sealed = seal(events, this.lastHash);
    const { revision, position } = await untilAvailable(
      () => this.log.append(this.stream, sealed, this.lastRevision),
      this.signal,
    );
    this.lastRevision = revision;
    this.lastHash = sealed.at(-1)!.metadata.hash;
    return position;
  }
}

async function readLast(log: EventLog, stream: string): Promise<StoredEvent | null> {
  for await (const event of log.read(stream, { direction: 'backwards', limit: 1 })) return event;
  return null;
}
