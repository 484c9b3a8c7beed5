import type { LogChunkHeader } from './run-log.events';
import { decodeLogChunk, encodeLogChunk } from './run-log.events';

const header: LogChunkHeader = {
  ...{ agentId: 'a', runId: 'r' },
  ...{ stream: 'stderr', offset: 5, length: 4, otherOffset: 6, logOffset: 11, enc: null },
};

test.each([
  ['text', Buffer.from('text')],
  ['no text', Buffer.from([0, 255, 128, 10])],
  ['nothing', Buffer.alloc(0)],
])('a chunk holds %s as it is', (_name, bytes) => {
  const decoded = decodeLogChunk(encodeLogChunk(header, bytes));
  expect(decoded.header).toEqual(header);
  expect(Buffer.compare(decoded.bytes, bytes)).toBe(0);
});

test('a chunk is a length, a header of that length, and the bytes', () => {
  const encoded = Buffer.from(encodeLogChunk(header, Buffer.from('abc')));
  const headerBytes = encoded.readUInt32BE(0);
  expect(JSON.parse(encoded.toString('utf8', 4, 4 + headerBytes))).toEqual(header);
  expect(encoded.toString('utf8', 4 + headerBytes)).toBe('abc');
});

test('a chunk is read also out of the middle of a larger buffer', () => {
  const encoded = encodeLogChunk(header, Buffer.from('abc'));
  const larger = Buffer.concat([Buffer.from('before'), encoded]);
  const view = new Uint8Array(larger.buffer, larger.byteOffset + 6, encoded.length);
  expect(Buffer.from(decodeLogChunk(view).bytes).toString()).toBe('abc');
});
