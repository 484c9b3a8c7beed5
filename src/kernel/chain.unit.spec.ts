import { createHash } from 'node:crypto';
import { CHAIN_START, chainHash } from './chain';

const event = { type: 'ThingHappened', id: 'id-1', at: '2025-11-23T10:00:00.000Z', data: '{"n":1}' };

test('a link is what the documentation says, so that others can check it', () => {
  const text = `["${CHAIN_START}","ThingHappened","id-1","2025-11-23T10:00:00.000Z"]\n{"n":1}`;
  expect(chainHash(CHAIN_START, event)).toBe(createHash('sha256').update(text).digest('hex'));
  expect(CHAIN_START).toBe('0'.repeat(64));
});

test.each([
  ['type', { ...event, type: 'OtherHappened' }],
  ['id', { ...event, id: 'id-2' }],
  ['at', { ...event, at: '2025-11-23T10:00:00.001Z' }],
  ['data', { ...event, data: '{"n": 1}' }],
  ['split between two fields', { ...event, type: 'ThingHappenedi', id: 'd-1' }],
])('another %s gives another link', (_name, other) => {
  expect(chainHash(CHAIN_START, other)).not.toBe(chainHash(CHAIN_START, event));
});

test('another past gives another link', () => {
  expect(chainHash('1'.repeat(64), event)).not.toBe(chainHash(CHAIN_START, event));
});

test('bytes and the text that they stand for are the same data', () => {
  const text = { ...event, data: '{"text":"✓"}' };
  expect(chainHash(CHAIN_START, { ...text, data: Buffer.from(text.data) })).toBe(
    chainHash(CHAIN_START, text),
  );
});
