import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../secrets/durable-file';

const FILE = 'audit-checkpoint.json';

/** What is known of a checkpoint apart from the log. */
export interface KnownCheckpoint {
  number: number;
  /** Of its statement. */
  hash: string;
}

/**
 * The newest checkpoint that this node has written, in a file beside its key: a log that has lost it is found out, also
 * when others have been signed in its place since. Neither the log nor the documents are what remembers it, since both
 * may be what was changed or restored.
 */
export class CheckpointMemory {
  /** A checkpoint that is asked for may come while one that was due is written down. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly file: string,
    private known: KnownCheckpoint | null,
  ) {}

  /** @throws Error where the file cannot be read */
  static async open(folder: string): Promise<CheckpointMemory> {
    const file = join(folder, FILE);
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return new CheckpointMemory(file, text === null ? null : (JSON.parse(text) as KnownCheckpoint));
  }

  get last(): KnownCheckpoint | null {
    return this.known;
  }

  /**
   * Never goes back, and not over what the log has lost.
   *
   * @param hashOnLog of the checkpoint with a number; null where there is none
   */
  remember(
    checkpoint: KnownCheckpoint,
    hashOnLog: (number: number) => Promise<string | null>,
  ): Promise<void> {
    const written = this.turn.then(() => this.write(checkpoint, hashOnLog));
    this.turn = written.catch(() => undefined);
    return written;
  }

  private async write(
    { number, hash }: KnownCheckpoint,
    hashOnLog: (number: number) => Promise<string | null>,
  ): Promise<void> {
    const { known } = this;
    if (known && known.number >= number) return;
    if (known && (await hashOnLog(known.number)) !== known.hash) return;
    this.known = { number, hash };
    await writeDurably(this.file, `${JSON.stringify(this.known)}\n`);
  }
}
