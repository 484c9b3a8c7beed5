import { join } from 'node:path';
import { EmbeddedDocumentStore } from '../../src/documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import type { DomainEvent, Position } from '../../src/kernel/event';
import { NO_STREAM } from '../../src/kernel/event';
import { someEvent } from './events';

/**
 * Writes events to one stream of a data folder that no server uses yet, each batch as one append.
 *
 * @param handledBy the sagas that are to think that they have handled all of it
 */
export async function prepareLog(
  dataDir: string,
  stream: string,
  batches: Iterable<readonly DomainEvent[]>,
  handledBy: readonly string[] = [],
): Promise<Position> {
  const stores = join(dataDir, 'stores');
  const log = await EmbeddedEventLog.open(stores);
  let revision = NO_STREAM;
  for (const events of batches) {
    const encoded = events.map(({ type, data }) => someEvent({ type, data: JSON.stringify(data) }));
    ({ revision } = await log.append(stream, encoded, revision));
  }
  const position = await log.head();
  await log.close();

  const documents = await EmbeddedDocumentStore.open(stores);
  const collection = 'saga_checkpoints';
  await documents.ensure({ name: collection, kind: 'durable', fields: {}, indexes: [] });
  for (const saga of handledBy) {
    const checkpoint = { name: `saga:${saga}`, position };
    await documents.writeBatch({ collection, writes: [], checkpoint });
  }
  await documents.close();
  return position;
}
