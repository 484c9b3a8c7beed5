import type { EventLog } from '../../event-log/event-log';
import { FollowInterrupted } from '../../event-log/event-log';
import type { Position, StoredEvent } from '../../kernel/event';
import { decode } from '../../kernel/event';
import {
  AUDIT_STREAM,
  companyStream,
  LOG_CATEGORY,
  ownerOf,
  runOfLog,
  runStream,
} from '../../kernel/streams';
import type { AuditEvent, SignedStatement } from '../domain/audit.events';
import type { HeadEntry } from '../domain/interval';
import { groupsOf } from '../domain/interval';
import type { Statement } from '../domain/statement';
import type { Batch, Item, Source } from './source';

/** Which part of the log is verified; nothing said: all of it. */
export interface Part {
  companyId?: string;
  stream?: string;
}

/** The events of a log, and its checkpoints put together of theirs. */
export class LogSource implements Source {
  /** Where single streams are wanted. */
  private readonly streams: ReadonlySet<string> | null;

  constructor(
    private readonly log: EventLog,
    private readonly part: Part = {},
  ) {
    const { stream } = part;
    this.streams = stream === undefined ? null : new Set([...vouchersOf(stream), stream]);
  }

  head(): Promise<Position> {
    return this.log.head();
  }

  read: EventLog['read'] = (stream, options) => this.log.read(stream, options);
  lookUp: EventLog['read'] = (stream, options) => this.log.read(stream, options);

  async *items(after: Position, signal: AbortSignal): AsyncGenerator<Batch> {
    const head = await this.head();
    if (this.streams) {
      yield* this.itemsOfStreams(this.streams, head, signal);
      return;
    }
    if (after >= head) return;
    const assembly = await Assembly.begunBefore(this.log, after);
    let handled = after;
    for (;;) {
      try {
        for await (const { events, reached } of this.log.follow({ after: handled, signal })) {
          yield { items: events.flatMap((event) => this.itemsOf(event, assembly)), reached };
          handled = reached;
          if (handled >= head) return;
        }
        signal.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof FollowInterrupted && error.resumable)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  /** Each stream is read by itself, and then what all checkpoints have signed of them. */
  private async *itemsOfStreams(
    streams: ReadonlySet<string>,
    head: Position,
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    const assembly = new Assembly();
    for (const name of new Set([...streams, AUDIT_STREAM])) {
      for await (const event of this.log.read(name)) {
        signal.throwIfAborted();
        yield { items: this.itemsOf(event, assembly), reached: event.position };
      }
    }
    yield { items: [], reached: head };
  }

  private itemsOf(event: StoredEvent, assembly: Assembly): Item[] {
    const items: Item[] = this.isWanted(event.stream) ? [{ kind: 'event', event }] : [];
    const told = event.stream === AUDIT_STREAM ? assembly.add(event) : null;
    if (!told) return items;
    if (told.kind === 'broken') return [...items, told];
    const heads = told.checkpoint.heads.filter(([stream]) => this.isWanted(stream));
    return [...items, { kind: 'checkpoint', checkpoint: { ...told.checkpoint, heads } }];
  }

  private isWanted(stream: string): boolean {
    if (this.streams) return this.streams.has(stream);
    const { companyId } = this.part;
    return companyId === undefined || stream === AUDIT_STREAM || ownerOf(stream) === companyId;
  }
}

/** By what they say an event of a log may be missing (`AgedOut`): so that has to be what was written, as well. */
function vouchersOf(stream: string): string[] {
  if (!stream.startsWith(`${LOG_CATEGORY}-`)) return [];
  const { companyId, runId } = runOfLog(stream);
  return [companyStream(companyId), runStream(companyId, runId)];
}

/** Puts the parts of checkpoints together as they come. */
class Assembly {
  private heads: { root: string; heads: HeadEntry[] } | null = null;

  /** What of a checkpoint's parts stands at or before the position where somebody begins to read. */
  static async begunBefore(log: EventLog, after: Position): Promise<Assembly> {
    const assembly = new Assembly();
    const parts: StoredEvent[] = [];
    for await (const event of log.read(AUDIT_STREAM, { direction: 'backwards' })) {
      if (event.position > after) continue;
      if (event.type !== 'CheckpointHeadsRecorded') break;
      parts.unshift(event);
    }
    for (const part of parts) assembly.add(part);
    return assembly;
  }

  add(event: StoredEvent): (Item & { kind: 'checkpoint' | 'broken' }) | null {
    try {
      const { type, data } = decode<AuditEvent>(event).event;
      if (type === 'CheckpointSigned') return this.checkpoint(data, event);
      // Those that were not finished have another root.
      if (this.heads?.root !== data.root) this.heads = { root: data.root, heads: [] };
      this.heads.heads.push(...data.heads);
      return null;
    } catch (error) {
      return { kind: 'broken', event, reason: (error as Error).message };
    }
  }

  private checkpoint(
    { statement: text, signature }: SignedStatement,
    { revision, position }: StoredEvent,
  ): Item & { kind: 'checkpoint' } {
    const statement = JSON.parse(text) as Statement;
    const heads = this.heads?.heads ?? [];
    this.heads = null;
    const place = { owner: null, revision, position: `${position}` };
    return {
      kind: 'checkpoint',
      checkpoint: { text, statement, signature, groups: groupsOf(heads), heads, ...place },
    };
  }
}
