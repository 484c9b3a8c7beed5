import { join } from 'node:path';
import type { Config } from './config';
import type { DataFolder } from './data-folder';
import type { DocumentStore } from './documents/document-store';
import { EmbeddedDocumentStore } from './documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from './event-log/embedded/embedded-event-log';
import type { EventLog } from './event-log/event-log';

/** Where a server keeps what it knows. */
export interface Backends {
  log: EventLog;
  documents: DocumentStore;
}

/** Opens the stores that the configuration chooses. */
export async function openBackends(_config: Config, folder: DataFolder): Promise<Backends> {
  const stores = join(folder.path, 'stores');
  const log = await EmbeddedEventLog.open(stores);
  const documents = await EmbeddedDocumentStore.open(stores);
  return { log, documents };
}
