import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from './config';
import type { DataFolder } from './data-folder';
import type { DocumentStore } from './documents/document-store';
import { documentFiles } from './documents/embedded/document-files';
import { EmbeddedDocumentStore } from './documents/embedded/embedded-document-store';
import { EmbeddedEventLog } from './event-log/embedded/embedded-event-log';
import { chunksFile, eventsFile } from './event-log/embedded/event-files';
import type { EventLog } from './event-log/event-log';
import { BEFORE_FIRST_POSITION } from './kernel/event';
import { DamagedFile, refuseDamaged } from './sqlite/sqlite';
import { StoreUnusable } from './store-unusable';

/** Where a server keeps what it knows. */
export interface Backends {
  log: EventLog;
  documents: DocumentStore;
}

/**
 * Opens the stores that the configuration chooses.
 *
 * @throws StoreUnusable
 */
export async function openBackends(_config: Config, folder: DataFolder, logger: Logger): Promise<Backends> {
  const stores = join(folder.path, 'stores');
  try {
    refuseDamagedStores(stores);
  } catch (cause) {
    if (!(cause instanceof DamagedFile)) throw cause;
    throw new StoreUnusable(`${cause.message}. Nothing in the data folder was changed.`, { cause });
  }
  const onFault = (store: string) => (err: unknown) => logger.error({ err }, `the ${store} is ill`);
  const log = await EmbeddedEventLog.open(stores, { onFault: onFault('event log') });
  const openDocuments = () => EmbeddedDocumentStore.open(stores, onFault('document store'));
  const documents = await openDocuments();
  const unknown = documents
    .checkpoints()
    .find((position) => position > BEFORE_FIRST_POSITION && !log.has(position));
  if (unknown === undefined) return { log, documents };

  // The crash of a machine has torn off the end of the log. What was derived from it would pass over the events that
  // now take its place: new wakeups would be acknowledged and never seen again.
  const details = { handled: `${unknown}`, head: `${await log.head()}` };
  logger.warn(details, 'the event log has lost its end; all that was derived from it is built anew');
  await documents.close();
  for (const path of Object.values(documentFiles(stores))) setAside(path);
  return { log, documents: await openDocuments() };
}

/** Before any of the files is opened for writing. */
function refuseDamagedStores(stores: string): void {
  const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const logFiles = [eventsFile(stores), chunksFile(stores)];
  const files = Object.values(documentFiles(stores));
  // The log is made first: without it, what is derived from it says that there was one.
  const isNew = files.every((path) => sizeOf(path) === 0);
  for (const path of logFiles) {
    if (!isNew && sizeOf(path) === 0)
      throw new DamagedFile(path, 'is missing or empty, but was in use before');
  }
  for (const path of [...logFiles, ...files]) if (sizeOf(path) > 0) refuseDamaged(path);
}

/** Renamed, not removed: it can still be looked into. */
function setAside(path: string): void {
  for (const part of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    if (existsSync(part)) renameSync(part, `${part}.set-aside`);
  }
}
