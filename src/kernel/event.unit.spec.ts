import { someEvent } from '../../test/support/events';
import type { StoredEvent } from './event';
import { decode } from './event';

const place = { stream: 'agent-c.1', revision: 3, position: 9n };

test('a stored event is read with its data parsed, and where it stands', () => {
  const stored: StoredEvent = { ...someEvent({ type: 'ThingHappened', data: '{"n":1}' }), ...place };
  expect(decode(stored)).toEqual({
    ...place,
    event: { type: 'ThingHappened', data: { n: 1 } },
    id: stored.id,
    metadata: stored.metadata,
  });
});

test('a binary event is not read by accident', () => {
  const stored: StoredEvent = { ...someEvent({ data: Buffer.from('{}') }), ...place };
  expect(() => decode(stored)).toThrow(`event ${stored.id} (ThingHappened) of agent-c.1 is binary`);
});
