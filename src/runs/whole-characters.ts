/**
 * Cuts bytes so that they end with a whole UTF-8 character. At most three bytes are held back, so a page of four or
 * more is never empty; bytes that are no UTF-8 stay as they are.
 *
 * @param isEnd nothing follows: then nothing is held back
 */
export function cutAtCharacters(bytes: Buffer, isEnd: boolean): Buffer {
  if (isEnd) return bytes;
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (isContinuation(byte)) continue;
    return lengthOfCharacter(byte) > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

/** Leaves out what is left of a UTF-8 character that begins before the bytes, which have been cut off something longer. */
export function dropBrokenStart(bytes: Buffer): Buffer {
  const start = bytes.subarray(0, 4).findIndex((byte) => !isContinuation(byte));
  return start > 0 ? bytes.subarray(start) : bytes;
}

function isContinuation(byte: number): boolean {
  return (byte & 0b1100_0000) === 0b1000_0000;
}

function lengthOfCharacter(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  return 1;
}
