/**
 * Takes from a log an example of every type and version of event that there is none of yet:
 *
 *     node -r ./test/support/typescript-hook.cjs test/frozen-events/freeze.ts DATA_FOLDER
 *
 * of a server that is stopped. An example that is there is never written again: that is what it is for.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { StoredEvent } from '../../src/kernel/event';
import { EXAMPLES, exampleName } from './examples';

async function main(dataFolder: string): Promise<void> {
  const log = await EmbeddedEventLog.open(join(dataFolder, 'stores'));
  const head = await log.head();
  const stop = new AbortController();
  for await (const { events, reached } of log.follow({ after: 0n, signal: stop.signal })) {
    events.forEach(freeze);
    if (reached >= head) break;
  }
  await log.close();
}

function freeze({ type, data, metadata, stream }: StoredEvent): void {
  const file = join(EXAMPLES, exampleName(type, metadata.schemaVersion));
  if (existsSync(file)) return;
  const content = typeof data === 'string' ? { data: JSON.parse(data) as unknown } : { base64: base64(data) };
  writeFileSync(file, `${JSON.stringify({ type, stream, metadata, ...content }, null, 2)}\n`);
  console.log(`frozen: ${type}, version ${metadata.schemaVersion}`);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

void main(process.argv[2]!);
