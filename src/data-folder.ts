import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newToken } from './auth/token-hash';
import { uuidv7 } from './kernel/ids';
import type { Database } from './sqlite/sqlite';
import { closeDatabase, openDatabase } from './sqlite/sqlite';

/** Another server has the folder. */
export class DataFolderInUse extends Error {
  constructor(folder: string) {
    super(`another server is using the data folder ${folder}`);
    this.name = 'DataFolderInUse';
  }
}

export const ADMIN_TOKEN_FILE = 'admin-token';

/** As long as what HMAC-SHA-256 gives (RFC 7518, 3.2). */
const SECRET_BYTES = 32;

/** The folder that holds what a node keeps: stores, spools, its identity and the admin token. One server at a time. */
export class DataFolder {
  private constructor(
    readonly path: string,
    readonly nodeId: string,
    readonly adminToken: string,
    /** Signs the tokens of runs. */
    readonly runTokenSecret: Buffer,
    private readonly lock: Database,
  ) {}

  /** Makes the folder where it is missing. @throws DataFolderInUse */
  static open(path: string): DataFolder {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = takeLock(path);
    const nodeId = keptValue(join(path, 'node-id'), uuidv7);
    const adminToken = keptValue(join(path, ADMIN_TOKEN_FILE), newToken);
    const secretFile = join(path, 'run-tokens.key');
    const secret = keptValue(secretFile, () => randomBytes(SECRET_BYTES).toString('hex'));
    return new DataFolder(path, nodeId, adminToken, secretFrom(secret, secretFile), lock);
  }

  get runsFolder(): string {
    return join(this.path, 'runs');
  }

  get workspacesFolder(): string {
    return join(this.path, 'workspaces');
  }

  close(): void {
    this.lock.exec('ROLLBACK');
    closeDatabase(this.lock);
  }
}

/** The operating system lets go of the lock when the process ends, however it ends. */
function takeLock(path: string): Database {
  const lock = openDatabase(join(path, 'server.lock'), 'NORMAL');
  try {
    lock.exec('PRAGMA busy_timeout = 0');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (/locked|busy/i.test((error as Error).message)) throw new DataFolderInUse(path);
    throw error;
  }
}

/** @throws where somebody has put less than a secret there */
function secretFrom(hex: string, file: string): Buffer {
  const secret = Buffer.from(hex, 'hex');
  if (secret.length < SECRET_BYTES)
    throw new Error(`${file} does not hold a secret of ${SECRET_BYTES} bytes`);
  return secret;
}

/** Made once, then read: only for the owner's eyes, and whole or not at all. */
function keptValue(file: string, make: () => string): string {
  if (!existsSync(file)) {
    const draft = `${file}.new`;
    writeFileSync(draft, `${make()}\n`, { mode: 0o600, flush: true });
    renameSync(draft, file);
  }
  chmodSync(file, 0o600);
  const value = readFileSync(file, 'utf8').trim();
  if (value === '') throw new Error(`${file} is empty: remove it, and a new one is made`);
  return value;
}
