const ASTERISK = 0x2a;
const NOTHING = Buffer.alloc(0);

/** What is to be masked wherever it occurs, prepared for being looked for. */
export class Needle {
  /** At `n`: the length of the longest proper beginning of the bytes that also ends their first `n + 1`. */
  private readonly borders: Uint32Array;

  constructor(readonly bytes: Buffer) {
    this.borders = new Uint32Array(bytes.length);
    for (let at = 1; at < bytes.length; at++) {
      this.borders[at] = this.extend(this.borders[at - 1]!, bytes[at]!);
    }
  }

  /** How much of the text's end may be the beginning of the needle: the length of the longest such end. */
  beginningAtEnd(text: Buffer): number {
    let matched = 0;
    for (let at = Math.max(0, text.length - this.bytes.length + 1); at < text.length; at++) {
      matched = this.extend(matched, text[at]!);
    }
    return matched;
  }

  /** As Knuth, Morris and Pratt do it: after `matched` bytes of the needle, one more byte of the text. */
  private extend(matched: number, byte: number): number {
    let length = matched;
    while (length > 0 && this.bytes[length] !== byte) length = this.borders[length - 1]!;
    return this.bytes[length] === byte ? length + 1 : length;
  }
}

/**
 * Masks needles in a stream that comes in pieces: every byte of every occurrence becomes a `*`, overlapping ones
 * together, whatever the pieces are. It holds back what may be the beginning of a needle, and nothing else: at most one
 * byte less than the longest needle.
 */
export class StreamMasker {
  private held: Buffer = NOTHING;
  /** So many of the held bytes belong to an occurrence that begins before them. */
  private coveredBytes = 0;

  constructor(private readonly needles: readonly Needle[]) {}

  /** Takes the next piece and gives out what is certain by now: a part of the very piece, where nothing was masked. */
  push(piece: Buffer): Buffer {
    if (this.needles.length === 0) return piece;
    const text = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
    const heldBytes = Math.max(...this.needles.map((needle) => needle.beginningAtEnd(text)));
    return this.giveOut(text, text.length - heldBytes);
  }

  /** Gives out what was held back: nothing follows. */
  flush(): Buffer {
    return this.giveOut(this.held, this.held.length);
  }

  private giveOut(text: Buffer, end: number): Buffer {
    let masked = text;
    const cover = (from: number, to: number) => {
      if (from >= to) return;
      if (masked === text) masked = Buffer.from(text);
      masked.fill(ASTERISK, from, to);
    };
    cover(0, this.coveredBytes);
    let coveredTo = this.coveredBytes;
    for (const { bytes } of this.needles) {
      let filledTo = 0;
      // Occurrences that begin in what is held back are found again with what follows it.
      for (let at = text.indexOf(bytes); at >= 0 && at < end; at = text.indexOf(bytes, at + 1)) {
        cover(Math.max(at, filledTo), at + bytes.length);
        filledTo = at + bytes.length;
      }
      coveredTo = Math.max(coveredTo, filledTo);
    }
    this.held = Buffer.from(text.subarray(end));
    this.coveredBytes = Math.max(0, coveredTo - end);
    return masked.subarray(0, end);
  }
}
