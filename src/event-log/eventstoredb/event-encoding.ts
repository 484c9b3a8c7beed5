import type { AllStreamResolvedEvent, EventData, JSONType, ResolvedEvent } from '@eventstore/db-client';
import { binaryEvent, jsonEvent } from '@eventstore/db-client';
import type { StreamNames } from './stream-names';
import { isUuid } from '../../kernel/ids';
import { AppendRefused } from '../event-log';
import type { EventMetadata, EventToAppend, Position, StoredEvent } from '../../kernel/event';

/**
 * Metadata as EventStoreDB keeps it. Its own projections find the chains of causes under the names with a `$`. `text`
 * marks data that is text but is kept as bytes.
 */
interface StoredMetadata extends Omit<EventMetadata, 'correlationId' | 'causationId'> {
  $correlationId: string;
  $causationId: string | null;
  text?: true | undefined;
}

const utf8 = new TextEncoder();

/** How a position on the whole log is said to EventStoreDB: of an event without an explicit transaction both are one. */
export function logPosition(position: Position): { commit: bigint; prepare: bigint } {
  return { commit: position, prepare: position };
}

/**
 * JSON that would come back to the letter is kept as JSON, so that whoever looks at the log can read it; anything else
 * as bytes, because the hash chain is over the bytes as they were written.
 */
export function encodeEvent({ id, type, data, metadata }: EventToAppend): EventData {
  // The client would say so with a TypeError that nobody can catch.
  if (!isUuid(id)) throw new AppendRefused(`the id of an event (${type}) is not a UUID: ${id}`);
  if (typeof data !== 'string') return binaryEvent({ id, type, data, metadata: encodeMetadata(metadata) });
  const value: unknown = JSON.parse(data);
  if (JSON.stringify(value) === data)
    return jsonEvent({ id, type, data: value as JSONType, metadata: encodeMetadata(metadata) });
  return binaryEvent({ id, type, data: Buffer.from(data), metadata: encodeMetadata(metadata, true) });
}

/** As bytes: what the client is given as an object it turns into JSON, base64 and bytes again. */
function encodeMetadata(metadata: EventMetadata, text?: true): Uint8Array {
  // Written out: to copy all but two fields of an object would cost more than all the rest of encoding an event.
  const stored: StoredMetadata = {
    schemaVersion: metadata.schemaVersion,
    at: metadata.at,
    companyId: metadata.companyId,
    $correlationId: metadata.correlationId,
    $causationId: metadata.causationId,
    commandId: metadata.commandId,
    actor: metadata.actor,
    nodeId: metadata.nodeId,
    hash: metadata.hash,
    text,
  };
  return utf8.encode(JSON.stringify(stored));
}

/** Null for an event that is not Reveille's: the server may hold those of others, and has its own. */
export function decodeEvent(
  { event }: ResolvedEvent | AllStreamResolvedEvent,
  names: StreamNames,
): StoredEvent | null {
  const stored: unknown = event?.metadata;
  const stream = event && names.read(event.streamId);
  if (!event || !stream || !isOurs(stored)) return null;
  const { $correlationId: correlationId, $causationId: causationId, text, ...rest } = stored;
  return {
    id: event.id,
    type: event.type,
    data: dataOf(event, text === true),
    metadata: { ...rest, correlationId, causationId },
    stream,
    revision: Number(event.revision),
    position: event.position!.commit,
  };
}

function dataOf(event: NonNullable<ResolvedEvent['event']>, isText: boolean): string | Uint8Array {
  if (event.isJson) return JSON.stringify(event.data);
  const bytes = event.data;
  return isText ? Buffer.from(bytes).toString('utf8') : bytes;
}

function isOurs(metadata: unknown): metadata is StoredMetadata {
  const { hash, companyId, $correlationId } = (metadata ?? {}) as Partial<StoredMetadata>;
  return typeof hash === 'string' && typeof companyId === 'string' && typeof $correlationId === 'string';
}
