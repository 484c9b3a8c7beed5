import { someEvent } from '../../test/support/events';
import type { StoredEvent } from './event';
import { decode } from './event';

const place = { stream: 'agent-c.1', revision: 3, position: 9n };

test('a stored event is read with its data parsed, and where it stands', () => {
  const stored: StoredEvent = { ...someEvent({ type: 'ThingHappened', data: '{"n":1}' }), ...place };
  const { event, id, stream, revision, position, metadata } = decode(stored);
  expect({ id, stream, revision, position, metadata }).toEqual({
    ...place,
    id: stored.id,
    metadata: stored.metadata,
  });
  expect({ type: event.type, data: event.data }).toEqual({ type: 'ThingHappened', data: { n: 1 } });
});

test('a binary event is not read by accident', () => {
  const stored: StoredEvent = { ...someEvent({ data: Buffer.from('{}') }), ...place };
  expect(() => decode(stored)).toThrow(`event ${stored.id} (ThingHappened) of agent-c.1 is binary`);
});
