import { sha256Hex } from '../../src/kernel/canonical-json';
import type { EventMetadata, EventToAppend } from '../../src/kernel/event';
import { uuidv7 } from '../../src/kernel/ids';

export type EventParts = Partial<Omit<EventToAppend, 'metadata'>> & { metadata?: Partial<EventMetadata> };

/** Metadata in which every field has a value of its own. */
export function someMetadata(parts: Partial<EventMetadata> = {}): EventMetadata {
  const commandId = uuidv7();
  return {
    schemaVersion: 1,
    at: new Date().toISOString(),
    companyId: uuidv7(),
    correlationId: commandId,
    causationId: null,
    commandId,
    actor: { type: 'system', id: 'test' },
    nodeId: 'node-1',
    hash: sha256Hex(commandId),
    ...parts,
  };
}

/** An event that is ready for the log. */
export function someEvent({ metadata, ...parts }: EventParts = {}): EventToAppend {
  const id = uuidv7();
  return {
    id,
    type: 'ThingHappened',
    data: JSON.stringify({ id }),
    metadata: someMetadata(metadata),
    ...parts,
  };
}

export function someEvents(count: number, parts: EventParts = {}): EventToAppend[] {
  return Array.from({ length: count }, () => someEvent(parts));
}
