import { cutAtCharacters, dropBrokenStart } from '../runs/whole-characters';

export const MAX_LOG_TEXT_BYTES = 8 * 1024;

/**
 * The end of a piece of output as text: at most 8 KiB, cut at whole characters.
 *
 * @returns truncated: the text is not all, or not exactly, what the bytes are
 */
export function textOf(bytes: Buffer): { chunk: string; truncated: boolean } {
  const end = dropBrokenStart(bytes.subarray(Math.max(0, bytes.length - MAX_LOG_TEXT_BYTES)));
  const chunk = cutAtCharacters(end, false).toString('utf8');
  const isExact = Buffer.byteLength(chunk) === bytes.length && Buffer.from(chunk).equals(bytes);
  return { chunk, truncated: !isExact };
}
