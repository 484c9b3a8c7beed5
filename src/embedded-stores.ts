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
import { hasMaxAges } from './event-log/embedded/max-ages';
import type { Clock } from './kernel/clock';
import { systemClock } from './kernel/clock';
import type { Position } from './kernel/event';
import { BEFORE_FIRST_POSITION } from './kernel/event';
import { rewriteToShrink } from './sqlite/shrinking';
import { DamagedFile, refuseDamaged } from './sqlite/sqlite';
import { StoreUnusable } from './store-unusable';

/** Where the stores are that need no server. */
export function storesIn(folder: DataFolder): string {
  return join(folder.path, 'stores');
}

/** @param clock what the age of events is measured with */
export function openEmbeddedLog(
  folder: DataFolder,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<EmbeddedEventLog> {
  const stores = storesIn(folder);
  letChunksShrink(stores, logger);
  const onFault = (err: unknown) => logger.error({ err }, 'the event log is ill');
  return EmbeddedEventLog.open(stores, { clock, onFault });
}

/** Of an earlier version, which made files that never shrink; only once something in it is to age out. */
function letChunksShrink(stores: string, logger: Logger): void {
  const path = chunksFile(stores);
  const startedAtMs = performance.now();
  const outcome = rewriteToShrink(path, hasMaxAges);
  const tookMs = Math.round(performance.now() - startedAtMs);
  if (outcome === 'rewritten')
    logger.info({ path, tookMs }, 'a file of an earlier version was written anew: it can shrink now');
  if (outcome === 'no_room')
    logger.warn(
      { path },
      'the file of an earlier version cannot shrink: to write it anew there is not room enough on the disk',
    );
}

export function openEmbeddedDocuments(folder: DataFolder, logger: Logger): Promise<EmbeddedDocumentStore> {
  const onFault = (err: unknown) => logger.error({ err }, 'the document store is ill');
  return EmbeddedDocumentStore.open(storesIn(folder), onFault);
}

/**
 * To be asked before any of the files is opened for writing. Looks at those that are in use.
 *
 * @throws StoreUnusable
 */
export function refuseDamagedStores(
  folder: DataFolder,
  { eventLog, documents }: Pick<Config, 'eventLog' | 'documents'>,
): void {
  const stores = storesIn(folder);
  const logFiles = eventLog === 'embedded' ? [eventsFile(stores), chunksFile(stores)] : [];
  const files = documents === 'embedded' ? Object.values(documentFiles(stores)) : [];
  try {
    // The log is made first: without it, what is derived from it says that there was one, or else its other file.
    const isNew = (files.length > 0 ? files : logFiles).every((path) => sizeOf(path) === 0);
    for (const path of logFiles) {
      if (!isNew && sizeOf(path) === 0)
        throw new DamagedFile(path, 'is missing or empty, but was in use before');
    }
    for (const path of [...logFiles, ...files]) if (sizeOf(path) > 0) refuseDamaged(path);
  } catch (cause) {
    if (!(cause instanceof DamagedFile)) throw cause;
    throw new StoreUnusable(`${cause.message}. Nothing in the data folder was changed.`, { cause });
  }
}

/**
 * Documents that know of no event that is not on the log. The crash of a machine may have torn off its end: what was
 * derived from that would pass over the events that now take its place, so that new wakeups would be acknowledged and
 * never seen again. It is built anew then; what is kept on a server is not ours to set aside.
 *
 * @param documents are closed where others take their place, or it fails
 * @throws StoreUnusable
 */
export async function documentsWithin(
  log: EmbeddedEventLog,
  documents: DocumentStore,
  folder: DataFolder,
  logger: Logger,
): Promise<DocumentStore> {
  const unknown = await handledButUnknown(log, documents);
  if (unknown === undefined) return documents;
  await documents.close();
  const head = await log.head();
  if (!(documents instanceof EmbeddedDocumentStore)) {
    throw new StoreUnusable(
      `the database that MONGODB_URL names has handled the event log up to position ${unknown}, but this log ends at ` +
        `${head}: it is of another log, or the log has lost its end. Name another database: all is built anew in it`,
    );
  }
  const details = { handled: `${unknown}`, head: `${head}` };
  logger.warn(details, 'the event log has lost its end; all that was derived from it is built anew');
  for (const path of Object.values(documentFiles(storesIn(folder)))) setAside(path);
  return openEmbeddedDocuments(folder, logger);
}

/** A position of which the documents say that they have handled it, and at which there is nothing on the log. */
async function handledButUnknown(
  log: EmbeddedEventLog,
  documents: DocumentStore,
): Promise<Position | undefined> {
  const handled = await documents.checkpoints();
  return handled.find((position) => position > BEFORE_FIRST_POSITION && !log.has(position));
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Renamed, not removed: it can still be looked into. */
function setAside(path: string): void {
  for (const part of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    if (existsSync(part)) renameSync(part, `${part}.set-aside`);
  }
}
