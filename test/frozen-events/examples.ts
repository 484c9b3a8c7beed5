import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventMetadata, StoredEvent } from '../../src/kernel/event';

export const EXAMPLES = join(__dirname, 'examples');

export function exampleName(type: string, version: number): string {
  return `${type}.${version}.json`;
}

interface Example {
  type: string;
  stream: string;
  metadata: EventMetadata;
  data?: unknown;
  /** Of an event that is no JSON. */
  base64?: string;
}

/** Every frozen example, as the log would give it back, by the name of its file. */
export function frozenEvents(): Map<string, StoredEvent> {
  return new Map(
    readdirSync(EXAMPLES).map((name, index) => [
      name,
      storedOf(readFileSync(join(EXAMPLES, name), 'utf8'), index),
    ]),
  );
}

function storedOf(json: string, index: number): StoredEvent {
  const { type, stream, metadata, data, base64 } = JSON.parse(json) as Example;
  return {
    id: `frozen-${index}`,
    type,
    stream,
    metadata,
    revision: 0,
    position: BigInt(index + 1),
    data: base64 === undefined ? JSON.stringify(data) : new Uint8Array(Buffer.from(base64, 'base64')),
  };
}
