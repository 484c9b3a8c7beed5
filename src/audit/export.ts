import type { Clock } from '../kernel/clock';
import type { Position, StoredEvent } from '../kernel/event';
import { AUDIT_STREAM } from '../kernel/streams';
import type { PublicKey } from './checkpoints/shared-audit-state';
import type { ExportedEvent, ExportHead, ExportLine } from './domain/export';
import { LogSource } from './verification/log-source';
import type { Item } from './verification/source';
import type { EventLog } from '../event-log/event-log';

export interface ExportOptions {
  companyId: string;
  /** Where an export was broken off: goes on behind it, without a head. 0: from the beginning. */
  after: Position;
  keys: readonly PublicKey[];
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Everything that the log holds of a company, byte for byte, with the checkpoints that cover it: whoever has the public
 * key can verify it without anybody's help. Of other companies it tells no more than how many there are.
 */
export async function* exportLines(
  log: EventLog,
  { companyId, after, keys, clock, signal }: ExportOptions,
): AsyncGenerator<ExportLine> {
  const source = new LogSource(log, { companyId });
  const head = await source.head();
  if (after === 0n) yield exportHead(companyId, clock.now(), head, keys);
  for await (const { items } of source.items(after, signal)) {
    for (const item of items) {
      const line = lineOf(item);
      if (line) yield line;
    }
  }
  yield { kind: 'end', position: `${head}` };
}

function exportHead(companyId: string, now: Date, head: Position, keys: readonly PublicKey[]): ExportHead {
  return {
    ...{ kind: 'export', format: 1, companyId, exportedAt: now.toISOString(), upTo: `${head}` },
    keys: keys.map(({ keyId, publicKey }) => ({ keyId, publicKey })),
  };
}

function lineOf(item: Item): ExportLine | null {
  switch (item.kind) {
    case 'event':
      // The heads of others are in there.
      return item.event.stream === AUDIT_STREAM ? null : exportedEvent(item.event);
    case 'checkpoint': {
      const { text: statement, signature, groups, heads, revision, position } = item.checkpoint;
      return { kind: 'checkpoint', position, revision, statement, signature, groups, heads };
    }
    case 'broken':
      return null;
  }
}

/** Its bytes as they are. */
export function exportedEvent({
  position,
  stream,
  revision,
  id,
  type,
  metadata,
  data,
}: StoredEvent): ExportedEvent {
  const bytes = typeof data === 'string' ? { data } : { base64: Buffer.from(data).toString('base64') };
  return { kind: 'event', position: `${position}`, stream, revision, id, type, metadata, ...bytes };
}
