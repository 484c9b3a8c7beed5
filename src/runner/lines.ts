const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** Without what ends it; the beginning of one that is too long. */
  text: string;
  isTooLong: boolean;
}

export interface PlacedLine extends Line {
  /** How many bytes there are up to its end, with what ends it. */
  end: number;
}

/**
 * The lines in bytes that come in pieces, decoded only when they are whole: a piece may end in the middle of a
 * character. Of a line that is too long nothing is kept but its beginning.
 */
export class LineSplitter {
  private parts: Buffer[] = [];
  private bytes = 0;
  private end = 0;

  constructor(private readonly maxBytes: number) {}

  /** The lines that a piece completes. */
  *push(piece: Buffer): Generator<PlacedLine> {
    let start = 0;
    for (let feed = piece.indexOf(LINE_FEED); feed >= 0; feed = piece.indexOf(LINE_FEED, start)) {
      this.take(piece.subarray(start, feed));
      this.end++;
      yield this.line();
      start = feed + 1;
    }
    if (start < piece.length) this.take(piece.subarray(start));
  }

  /** The last line, also where nothing ends it; null: there is none. */
  rest(): PlacedLine | null {
    return this.bytes > 0 ? this.line() : null;
  }

  private take(part: Buffer): void {
    if (this.bytes <= this.maxBytes) this.parts.push(part);
    this.bytes += part.length;
    this.end += part.length;
  }

  private line(): PlacedLine {
    const whole = Buffer.concat(this.parts);
    const length = whole.at(-1) === CARRIAGE_RETURN ? whole.length - 1 : whole.length;
    const isTooLong = this.bytes > this.maxBytes;
    this.parts = [];
    this.bytes = 0;
    return { text: whole.toString('utf8', 0, Math.min(length, this.maxBytes)), isTooLong, end: this.end };
  }
}

/** The last one counts also where nothing ends it. */
export async function* linesIn(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<PlacedLine> {
  const splitter = new LineSplitter(maxBytes);
  for await (const piece of pieces) yield* splitter.push(piece);
  const rest = splitter.rest();
  if (rest !== null) yield rest;
}
