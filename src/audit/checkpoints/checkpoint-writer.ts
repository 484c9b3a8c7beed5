import type { EventLog } from '../../event-log/event-log';
import { StreamTail } from '../../event-log/stream-tail';
import type { UnsealedEvent } from '../../event-log/seal';
import type { Clock } from '../../kernel/clock';
import type { Position, StoredEvent } from '../../kernel/event';
import { BEFORE_FIRST_POSITION, decode } from '../../kernel/event';
import { derivedUuid } from '../../kernel/ids';
import { AUDIT_STREAM } from '../../kernel/streams';
import type { AuditEvent, CheckpointHeads, SignedStatement } from '../domain/audit.events';
import { auditEventShapes } from '../domain/audit.events';
import type { HeadEntry } from '../domain/interval';
import { groupsOf, Interval, rootOf } from '../domain/interval';
import type { Statement } from '../domain/statement';
import { FIRST_PREVIOUS, statementHash } from '../domain/statement';
import type { SigningKey } from './signing-key';

/** About 330 bytes a head with its stream's name: an append stays under the smallest limit of a backend (1 MiB). */
const MAX_HEADS_AN_APPEND = 1_500;

/** The last checkpoint on the log, and what comes after it. */
export interface Place {
  /** 0: there is none yet. */
  number: number;
  /** Of its statement. */
  hash: string;
  /** Everything up to here is covered. */
  covered: Position;
  tail: StreamTail;
}

interface WriterDeps {
  log: EventLog;
  key: SigningKey;
  clock: Clock;
  nodeId: string;
  signal: AbortSignal;
}

/**
 * Writes checkpoints. Whoever appends the next one at the exact revision has written it: several writers do no harm,
 * and one that was cut off is gone on with from what is on the log.
 */
export class CheckpointWriter {
  constructor(private readonly deps: WriterDeps) {}

  async place(): Promise<Place> {
    const { log, signal } = this.deps;
    const { tail } = await StreamTail.find(log, AUDIT_STREAM, signal);
    const last = await lastSigned(log);
    if (!last) return { number: 0, hash: FIRST_PREVIOUS, covered: BEFORE_FIRST_POSITION, tail };
    const { number, last: covered } = last.statement;
    // Not the position that it names: the log may have been migrated since. Where the event is gone, and somebody will
    // have to be told so, what came after the checkpoint is all there is to go on with.
    const event = await eventAt(log, covered.stream, covered.revision);
    const position = event && event.position < last.position ? event.position : last.position;
    return { number, hash: statementHash(last.text), covered: position, tail };
  }

  /** Of the statement of a checkpoint; null where the log has none of this number. */
  async hashOf(number: number): Promise<string | null> {
    for await (const { text, statement } of signedBackwards(this.deps.log)) {
      if (statement.number === number) return statementHash(text);
      if (statement.number < number) return null;
    }
    return null;
  }

  /**
   * Signs what is in the interval.
   *
   * @param interval not empty
   * @throws RevisionConflict somebody else has written the checkpoint
   */
  async write(interval: Interval, { number, hash, tail }: Place): Promise<Place> {
    const heads = interval.heads();
    const root = rootOf(groupsOf(heads));
    const at = this.deps.clock.now().toISOString();
    const next = number + 1;
    const { stream, revision, position } = interval.last!;
    const statement: Statement = {
      format: 1,
      number: next,
      previous: hash,
      events: interval.events,
      streams: heads.length,
      last: { stream, revision, position: `${position}` },
      root,
      at,
      keyId: this.deps.key.keyId,
    };
    const text = JSON.stringify(statement);
    const signed: AuditEvent = {
      type: 'CheckpointSigned',
      data: { statement: text, signature: this.deps.key.sign(text) },
    };
    const parts = inParts(heads).map((part): AuditEvent => ({
      type: 'CheckpointHeadsRecorded',
      data: { number: next, root, heads: part } satisfies CheckpointHeads,
    }));
    const last = parts.pop()!;
    for (const part of parts) await tail.append([this.unsealed(part, tail.revision + 1, at)]);
    await tail.append([
      this.unsealed(last, tail.revision + 1, at),
      this.unsealed(signed, tail.revision + 2, at),
    ]);
    return { number: next, hash: statementHash(text), covered: position, tail };
  }

  private unsealed({ type, data }: AuditEvent, revision: number, at: string): UnsealedEvent {
    const { keyId } = this.deps.key;
    const id = derivedUuid(AUDIT_STREAM, revision, JSON.stringify(data));
    return {
      id,
      type,
      data,
      metadata: {
        schemaVersion: auditEventShapes[type].version,
        at,
        companyId: '-',
        correlationId: id,
        causationId: null,
        commandId: id,
        actor: { type: 'node', id: keyId },
        nodeId: this.deps.nodeId,
      },
    };
  }
}

interface Signed {
  text: string;
  statement: Statement;
  position: Position;
}

async function lastSigned(log: EventLog): Promise<Signed | null> {
  for await (const signed of signedBackwards(log)) return signed;
  return null;
}

/** The newest first. */
async function* signedBackwards(log: EventLog): AsyncGenerator<Signed> {
  for await (const stored of log.read(AUDIT_STREAM, { direction: 'backwards' })) {
    if (stored.type !== 'CheckpointSigned') continue;
    const { statement: text } = decode<AuditEvent>(stored).event.data as SignedStatement;
    yield { text, statement: JSON.parse(text) as Statement, position: stored.position };
  }
}

async function eventAt(log: EventLog, stream: string, revision: number): Promise<StoredEvent | null> {
  for await (const stored of log.read(stream, { from: revision, limit: 1 })) {
    return stored.revision === revision ? stored : null;
  }
  return null;
}

function inParts(heads: readonly HeadEntry[]): HeadEntry[][] {
  const parts: HeadEntry[][] = [];
  for (let from = 0; from < heads.length; from += MAX_HEADS_AN_APPEND) {
    parts.push(heads.slice(from, from + MAX_HEADS_AN_APPEND));
  }
  return parts;
}
