import type { EventLog } from '../event-log/event-log';
import type { StoredEvent } from '../kernel/event';
import { runLogStream } from '../kernel/streams';
import type { LogFinalizedData, LogGapData, OutputStream } from '../runs/domain/run-log.events';
import { decodeLogChunk } from '../runs/domain/run-log.events';
import { isAfter } from './cursor';
import type { LiveMessage } from './live-message';
import type { LivePayload } from './live-events';

/** A follower that is further behind in a log is told of a gap instead. In bytes that the agent wrote. */
export const MAX_LOG_LAG_BYTES = 4 * 1024 * 1024;

const MAX_KNOWN_ENDS = 1_000;

/** Output that a message tells of, or leaves out because the follower is behind. */
export type LogPiece = Pick<LivePayload<'log.gap'>, 'runId' | 'agentId' | 'stream' | 'from' | 'to'>;

/** null: the message is of something else. What is not recorded cannot be caught up with. */
export function logPieceOf({ event }: LiveMessage): LogPiece | null {
  if (event.type === 'heartbeat.run.log') return event.payload;
  return event.type === 'log.gap' && event.payload.reason === 'behind' ? event.payload : null;
}

export function logKey({ runId, stream }: LogPiece): string {
  return `${runId} ${stream}`;
}

/**
 * Puts gaps in the place of output that is left out. A gap stands before every message that came after what it leaves
 * out: so whoever resumes behind a message has been told of all that lies before it.
 */
export class Gaps {
  private readonly held = new Map<string, { piece: LogPiece; last: LiveMessage }>();

  leaveOut(message: LiveMessage, piece: LogPiece): void {
    const key = logKey(piece);
    const from = this.held.get(key)?.piece.from ?? piece.from;
    this.held.set(key, { piece: { ...piece, from }, last: message });
  }

  get isEmpty(): boolean {
    return this.held.size === 0;
  }

  /** The gaps up to here, in order. */
  release(): LiveMessage[] {
    if (this.isEmpty) return [];
    const gaps = [...this.held.values()].map(({ piece: { runId, agentId, stream, from, to }, last }) =>
      last.replacedBy({
        type: 'log.gap',
        payload: { runId, agentId, stream, from, to, reason: 'behind' },
      }),
    );
    this.held.clear();
    return gaps.sort((a, b) => (isAfter(a.cursor, b.cursor) ? 1 : -1));
  }
}

/** Leaves out what lies too far back in the logs when their messages are read from the beginning. */
export class LogLag {
  private readonly gaps = new Gaps();
  private readonly ends = new Map<string, Record<OutputStream, number>>();

  constructor(
    private readonly log: EventLog,
    private readonly companyId: string,
  ) {}

  /** The message, behind the gaps that come before it; nothing where it is left out itself. */
  async pass(message: LiveMessage): Promise<LiveMessage[]> {
    const piece = logPieceOf(message);
    if (piece && piece.to <= (await this.endOf(piece)) - MAX_LOG_LAG_BYTES) {
      this.gaps.leaveOut(message, piece);
      return [];
    }
    return [...this.gaps.release(), message];
  }

  /** Whether something was left out that no gap has been told for. */
  get isHolding(): boolean {
    return !this.gaps.isEmpty;
  }

  /** What is to be told when nothing follows. */
  release(): LiveMessage[] {
    return this.gaps.release();
  }

  private async endOf({ runId, stream }: LogPiece): Promise<number> {
    const known = this.ends.get(runId);
    if (known) return known[stream];
    const read = this.log.read(runLogStream(this.companyId, runId), { direction: 'backwards', limit: 1 });
    for await (const last of read) {
      if (this.ends.size >= MAX_KNOWN_ENDS) this.ends.clear();
      const ends = endsOf(last);
      this.ends.set(runId, ends);
      return ends[stream];
    }
    return 0;
  }
}

function endsOf(last: StoredEvent): Record<OutputStream, number> {
  if (last.type === 'LogFinalized') {
    const { logs } = JSON.parse(last.data as string) as LogFinalizedData;
    return { stdout: logs.stdout.bytes, stderr: logs.stderr.bytes };
  }
  const { stream, end, otherOffset } = placeOf(last);
  return stream === 'stdout' ? { stdout: end, stderr: otherOffset } : { stdout: otherOffset, stderr: end };
}

function placeOf(last: StoredEvent) {
  if (last.type === 'LogGap') {
    const { to, ...gap } = JSON.parse(last.data as string) as LogGapData;
    return { ...gap, end: to };
  }
  const { header } = decodeLogChunk(last.data as Uint8Array);
  return { ...header, end: header.offset + header.length };
}
