import type { ServerSentEvent } from './sse';
import { serverSentEvents } from './sse';

async function eventsOf(
  pieces: readonly Uint8Array[],
): Promise<{ events: ServerSentEvent[]; heard: number }> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  let heard = 0;
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(body, () => (heard += 1))) events.push(event);
  return { events, heard };
}

const text =
  'retry: 1000\n\n: connected\n\nid: 7\nevent: a.b\ndata: {"grüße":"✓"}\n\n: keep-alive\n\nid: 8.1\ndata: one\ndata: two\n\nid: 9\ndata: never ended';
const expected = [
  { id: '7', event: 'a.b', data: '{"grüße":"✓"}' },
  { id: '8.1', event: 'message', data: 'one\ntwo' },
];

test('events are read, comments and hints are not, and what was cut off is left out', async () => {
  expect((await eventsOf([Buffer.from(text)])).events).toEqual(expected);
});

test('pieces may end anywhere: in a character, a line, an event', async () => {
  const bytes = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte));
  const { events, heard } = await eventsOf(bytes);
  expect(events).toEqual(expected);
  expect(heard).toBe(bytes.length);
});

test('lines may end as they do on Windows', async () => {
  expect((await eventsOf([Buffer.from(text.replaceAll('\n', '\r\n'))])).events).toEqual(expected);
});
