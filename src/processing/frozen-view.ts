import type { Document, Identified } from '../documents/document-store';

/** So many documents are kept at most; then whoever writes waits until some of them have been read. */
const MAX_KEPT = 20_000;

/**
 * A collection as it was at one position, for somebody who reads it once, in order, while others write to it: before a
 * document changes that has not been read yet, it is kept here.
 */
export class FrozenView {
  private readonly kept = new Map<string, Document | null>();
  /** Everything up to this id has been read; null: nothing has. */
  private readUpTo: Buffer | null = null;
  private isReleased = false;
  private wake: () => void = () => undefined;

  /**
   * To be told before documents are written. Resolves when they may be.
   *
   * @param before as they are in the collection; null: there is none
   */
  async keep(before: Iterable<[id: string, document: Document | null]>): Promise<void> {
    while (this.kept.size >= MAX_KEPT && !this.isReleased) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.isReleased) return;
    for (const [id, document] of before) {
      // What is written twice since was first as it is to be seen.
      if (!this.kept.has(id) && !this.hasRead(id)) this.kept.set(id, document);
    }
  }

  /**
   * A page as it would have been.
   *
   * @param upTo the last id that it covers; null: all that are left
   */
  asItWas(page: readonly Identified<Document>[], upTo: string | null): Identified<Document>[] {
    const end = upTo === null ? null : Buffer.from(upTo);
    const unchanged = page.filter(({ id }) => !this.kept.has(id));
    const former: Identified<Document>[] = [];
    for (const [id, document] of this.kept) {
      if (end !== null && Buffer.compare(Buffer.from(id), end) > 0) continue;
      if (document !== null) former.push({ id, document });
      this.kept.delete(id);
    }
    if (end !== null) this.readUpTo = end;
    this.wake();
    return [...unchanged, ...former].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
  }

  /** Nobody reads it any more. */
  release(): void {
    this.isReleased = true;
    this.kept.clear();
    this.wake();
  }

  private hasRead(id: string): boolean {
    return this.readUpTo !== null && Buffer.compare(Buffer.from(id), this.readUpTo) <= 0;
  }
}
