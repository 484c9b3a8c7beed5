import { temporaryFolder } from '../../test/support/temporary-folder';
import { someEvent } from '../../test/support/events';
import type { StoredEvent } from '../kernel/event';
import { decode, NO_STREAM } from '../kernel/event';
import { EmbeddedEventLog } from './embedded/embedded-event-log';
import type { EventLog } from './event-log';
import { inCurrentShape } from './in-current-shape';

/** Weights were pounds, then kilograms, and are grams in an object now. */
const shapes = {
  Weighed: {
    version: 3,
    upcasters: {
      1: (data: unknown) => ({ kg: (data as { lb: number }).lb / 2 }),
      2: (data: unknown) => ({ weight: { g: (data as { kg: number }).kg * 1000 } }),
    },
  },
  Forgotten: { version: 2 },
};

let embedded: EmbeddedEventLog;
let log: EventLog;
beforeEach(async () => {
  embedded = await EmbeddedEventLog.open(temporaryFolder());
  log = inCurrentShape(embedded, shapes);
});
afterEach(() => log.close());

async function written(type: string, schemaVersion: number, data: object | Uint8Array) {
  const text = data instanceof Uint8Array ? data : JSON.stringify(data);
  const event = someEvent({ type, data: text, metadata: { schemaVersion } });
  await log.append('scale-1', [event], NO_STREAM);
  return event;
}

async function firstOf(events: AsyncIterable<StoredEvent>): Promise<StoredEvent> {
  for await (const event of events) return event;
  throw new Error('nothing is there');
}

async function followed(): Promise<StoredEvent> {
  const stop = new AbortController();
  for await (const { events } of log.follow({ after: 0n, signal: stop.signal })) return events[0]!;
  throw new Error('nothing is there');
}

describe.each([
  ['read', () => firstOf(log.read('scale-1'))],
  ['followed', () => followed()],
])('an event that is %s', (_how, get) => {
  it.each([
    [1, { lb: 4 }],
    [2, { kg: 2 }],
    [3, { weight: { g: 2000 } }],
  ])('has the form of today, written as version %i', async (version, data) => {
    const { id, metadata } = await written('Weighed', version, data);
    const stored = await get();
    expect(decode(stored).event).toMatchObject({ type: 'Weighed', data: { weight: { g: 2000 } } });
    // The chain goes on from what is on the log.
    expect(stored).toMatchObject({ id, metadata: { ...metadata, schemaVersion: 3 } });
  });

  it.each([
    ['Weighed', 4, 'Weighed is of version 4, and this version of Reveille knows version 3'],
    ['Weighted', 1, 'Weighted is no event that this version of Reveille knows'],
    ['Forgotten', 1, 'Forgotten of version 1: nothing makes version 1 into version 2'],
  ])('cannot be read where it is %s of version %i', async (type, version, why) => {
    await written(type, version, {});
    const recorded = decode(await get());
    expect(recorded).toMatchObject({ unreadable: why, revision: 0 });
    expect(() => recorded.event.data).toThrow(why);
  });

  it('stays as it is where it is bytes', async () => {
    await written('Forgotten', 1, new Uint8Array([1, 2, 3]));
    expect((await get()).data).toEqual(new Uint8Array([1, 2, 3]));
  });
});

it('leaves what is on the log as it was', async () => {
  await written('Weighed', 1, { lb: 4 });
  await firstOf(log.read('scale-1'));
  expect((await firstOf(embedded.read('scale-1'))).data).toBe('{"lb":4}');
});
