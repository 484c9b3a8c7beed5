import type { PlacedLine } from './lines';
import { LineSplitter } from './lines';
import type { RegularFile } from './read-regular-file';
import { openRegularFile } from './read-regular-file';

const READ_BYTES = 256 * 1024;

/** The lines of a file that somebody else appends to, from its first one on. */
export class GrowingFile {
  private file: RegularFile | null = null;
  private offset = 0;
  private readonly splitter: LineSplitter;

  constructor(
    private readonly path: string,
    maxLineBytes: number,
  ) {
    this.splitter = new LineSplitter(maxLineBytes);
  }

  /** The whole lines in what comes next; null where nothing has come. @throws where it has become shorter */
  async next(): Promise<PlacedLine[] | null> {
    this.file ??= openRegularFile(this.path);
    if (this.file === null) return null;
    const { size } = this.file.stat();
    if (size < this.offset) throw new Error('it has become shorter');
    if (size === this.offset) return null;
    const buffer = Buffer.alloc(Math.min(size - this.offset, READ_BYTES));
    const bytesRead = await this.file.read(buffer, buffer.length, this.offset);
    this.offset += bytesRead;
    return [...this.splitter.push(buffer.subarray(0, bytesRead))];
  }

  /** What nothing ends: for when nothing more will come. */
  rest(): PlacedLine[] {
    const line = this.splitter.rest();
    return line === null ? [] : [line];
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }
}
