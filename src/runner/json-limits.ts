import { isDeeperThan } from '../kernel/json-depth';
import { messageOf } from './run-failure';

/** What an agent may put into one field; more would make every reader of the log pay for it. */
export interface JsonLimits {
  maxDepth: number;
  /** Of the value as JSON text, in UTF-8. */
  maxBytes: number;
}

/** What is wrong with a JSON value; null where it keeps to the limits. */
export function tooLarge(value: unknown, { maxDepth, maxBytes }: JsonLimits): string | null {
  if (isDeeperThan(maxDepth, value)) return `nested deeper than ${maxDepth} levels`;
  // Depth first: serialising goes down as deep as the value does.
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  return bytes > maxBytes ? `${bytes} bytes as JSON, more than the ${maxBytes} allowed` : null;
}

/** The beginning of a text that is too long, with whole characters, and a mark that something is missing. */
export function shortened(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const mark = '…';
  const room = maxBytes - Buffer.byteLength(mark);
  // A character that was cut in two is decoded as the mark of a broken one.
  return (
    Buffer.from(text)
      .subarray(0, room)
      .toString()
      .replace(/\uFFFD$/, '') + mark
  );
}

/** What is wrong with a text that is not JSON, without any of it: it may hold a secret, or half of one. */
export function jsonProblem(error: unknown): string {
  const place = / at position (\d+)/.exec(messageOf(error))?.[1];
  return place === undefined ? 'not JSON' : `not JSON at position ${place}`;
}
