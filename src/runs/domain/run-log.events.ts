import type { StreamDigest } from '../../agents/domain/agent.events';
import { FIRST_SHAPE } from '../../kernel/event-shape';

/**
 * The events of a run's log stream. `LogChunked` is binary: a 4-byte big-endian length, a JSON header of that many
 * bytes, then the output's bytes as they are. `LogGap` and `LogFinalized` are JSON.
 */
export const runLogEventShapes = {
  LogChunked: FIRST_SHAPE,
  LogGap: FIRST_SHAPE,
  LogFinalized: FIRST_SHAPE,
};

export type OutputStream = 'stdout' | 'stderr';

/** So that who follows logs needs no other event to tell whose they are. */
interface OfRun {
  agentId: string;
  runId: string;
}

export interface LogChunkHeader extends OfRun {
  stream: OutputStream;
  /** Of the first byte, in its stream: counts what the agent wrote, gaps included. */
  offset: number;
  /** Of the raw bytes after the header. */
  length: number;
  /** Where the other stream stood before this chunk. */
  otherOffset: number;
  /** Of the first byte, in the recorded combined log: counts what is recorded. */
  logOffset: number;
  /** How the bytes are encrypted; null: they are not. */
  enc: null;
}

/** Bytes that the agent wrote and that are not recorded, because the run was past its quota. */
export interface LogGapData extends OfRun {
  stream: OutputStream;
  /** Byte offsets in the stream; `to` is exclusive. */
  from: number;
  to: number;
  /** As in a chunk's header. */
  otherOffset: number;
  logOffset: number;
}

export type LogFinalizedData = {
  companyId: string;
  agentId: string;
  runId: string;
  logs: Record<OutputStream, StreamDigest>;
  /** What the agent wrote, both streams together. */
  logBytes: number;
  /** Of the recorded combined log: less than `logBytes` where there are gaps. */
  recordedBytes: number;
  /** Over the recorded combined log. */
  logSha256: string;
  /**
   * The chain's hash of the event before: by it this one can still be verified when that has aged out. Missing in logs
   * that were finalized before retention was.
   */
  previousHash?: string;
};

export function encodeLogChunk(
  header: LogChunkHeader,
  bytes: Uint8Array,
  allocate = (size: number): Buffer => Buffer.allocUnsafe(size),
): Uint8Array {
  const head = Buffer.from(JSON.stringify(header));
  const bodyStart = 4 + head.length;
  const chunk = allocate(bodyStart + bytes.length);
  chunk.writeUInt32BE(head.length);
  chunk.set(head, 4);
  chunk.set(bytes, bodyStart);
  return chunk;
}

export function decodeLogChunk(data: Uint8Array): { header: LogChunkHeader; bytes: Uint8Array } {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const bodyStart = 4 + buffer.readUInt32BE(0);
  const header = JSON.parse(buffer.toString('utf8', 4, bodyStart)) as LogChunkHeader;
  return { header, bytes: buffer.subarray(bodyStart) };
}
