import { join } from 'node:path';
import type { FileKind } from './document-messages';

/**
 * Two files: `documents.db` holds what is derived from the log and may be deleted while nobody has it open;
 * `durable.db` holds what the log cannot bring back.
 */
export const documentFiles = (folder: string): Record<FileKind, string> => ({
  model: join(folder, 'documents.db'),
  durable: join(folder, 'durable.db'),
});
