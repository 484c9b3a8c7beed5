const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** Without what ends it; the beginning of one that is too long. */
  text: string;
  isTooLong: boolean;
}

/**
 * The lines in bytes that come in pieces, decoded only when they are whole: a piece may end in the middle of a
 * character. The last one counts also where nothing ends it. Of a line that is too long nothing is kept but its
 * beginning.
 */
export async function* linesIn(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = (part: Buffer) => {
    if (bytes <= maxBytes) parts.push(part);
    bytes += part.length;
  };
  const line = (): Line => {
    const whole = Buffer.concat(parts);
    const end = whole.at(-1) === CARRIAGE_RETURN ? whole.length - 1 : whole.length;
    const taken = { text: whole.toString('utf8', 0, Math.min(end, maxBytes)), isTooLong: bytes > maxBytes };
    parts = [];
    bytes = 0;
    return taken;
  };
  for await (const piece of pieces) {
    let start = 0;
    for (let feed = piece.indexOf(LINE_FEED); feed >= 0; feed = piece.indexOf(LINE_FEED, start)) {
      take(piece.subarray(start, feed));
      yield line();
      start = feed + 1;
    }
    if (start < piece.length) take(piece.subarray(start));
  }
  if (bytes > 0) yield line();
}
