import { randomFillSync } from 'node:crypto';
import { sha256Hex } from './canonical-json';

let lastMs = 0;
let counter = 0;

const RANDOM_BYTES = 4_096;
const randomness = Buffer.alloc(RANDOM_BYTES);
let randomUsed = RANDOM_BYTES;

/** The system is asked for many bytes at a time, which takes it as long as a few. */
function takeRandom(count: number): Buffer {
  if (randomUsed + count > RANDOM_BYTES) {
    randomFillSync(randomness);
    randomUsed = 0;
  }
  return randomness.subarray(randomUsed, (randomUsed += count));
}

/**
 * UUID version 7 (RFC 9562, 5.7): milliseconds, then a 12-bit counter that keeps the ids of one process in the order
 * they were made (method 1 of 6.2), then randomness.
 */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = takeRandom(2).readUInt16BE() & 0x3ff;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const bytes = takeRandom(16);
  bytes.writeUIntBE(lastMs, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return formatUuid(bytes.toString('hex'));
}

/** A UUID version 8 derived from what it names: the same parts give the same id, on any node, at any time. */
export function derivedUuid(...parts: readonly (string | number | bigint)[]): string {
  const hex = sha256Hex(parts.join('\u0000'));
  const variant = (0x8 | (parseInt(hex[16]!, 16) & 0x3)).toString(16);
  return formatUuid(`${hex.slice(0, 12)}8${hex.slice(13, 16)}${variant}${hex.slice(17, 32)}`);
}

function formatUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(value: string): boolean {
  return UUID.test(value);
}
