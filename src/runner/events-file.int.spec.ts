import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/temporary-folder';
import type { EventsFileEvent, EventsFileProgress } from './events-file';
import { EventsFile, MAX_LINES, NEXT_LINE_KEY } from './events-file';
import { Mask } from './mask';

const START: EventsFileProgress = { offset: 0, lines: 0, complaints: 0 };

async function booked(content: string, progress = START, secrets: string[] = []): Promise<EventsFileEvent[]> {
  const path = join(temporaryFolder(), 'events.ndjson');
  writeFileSync(path, content);
  const events: EventsFileEvent[] = [];
  const book = async (lines: readonly EventsFileEvent[]) => void events.push(...lines);
  await new EventsFile({ path, name: 'events file' }, progress, { mask: Mask.of(secrets) }, book).drain();
  return events;
}

const note = (fields: object) => `${JSON.stringify({ type: 'note', message: 'hello', ...fields })}\n`;
const nested = (levels: number): object => (levels === 0 ? {} : { inner: nested(levels - 1) });

describe('a line of the events file', () => {
  test('may have a payload of 8 levels and 16 KiB', async () => {
    const text = 'x'.repeat(16 * 1024 - '{"text":""}'.length);
    const events = await booked(note({ payload: nested(7) }) + note({ payload: { text } }));
    expect(events.map(({ eventType }) => eventType)).toEqual(['note', 'note']);
  });

  test.each([
    ['deeper', { payload: nested(8) }, 'payload: nested deeper than 8 levels'],
    [
      'larger',
      { payload: { text: 'x'.repeat(16 * 1024) } },
      'payload: 16395 bytes as JSON, more than the 16384 allowed',
    ],
  ])('is left out where its payload is %s, and said so', async (_how, fields, problem) => {
    const [event, next] = await booked(note(fields) + note({}));
    expect(event).toMatchObject({ eventType: 'error', message: expect.stringContaining(problem) });
    expect(next).toMatchObject({ eventType: 'note', message: 'hello' });
  });

  test('has its message cut after 8 KiB', async () => {
    const [event] = await booked(note({ message: 'x'.repeat(20_000) }));
    expect(event).toMatchObject({ message: `${'x'.repeat(8 * 1024 - 3)}…` });
  });

  test('shows no half of a secret where its message is cut', async () => {
    const [event] = await booked(note({ message: `${'x'.repeat(8 * 1024 - 8)}hunter22!` }), START, [
      'hunter22',
    ]);
    expect(event).toMatchObject({ message: `${'x'.repeat(8 * 1024 - 8)}*****…` });
  });

  test('is masked, but for where the next one begins', async () => {
    const line = note({ payload: { hunter22: 'hunter22', count: 90210777 } });
    const filler = ' '.repeat(1_000 - line.length - 1) + '\n';
    const [event] = await booked(filler + line, START, ['hunter22', '90210777', '1000']);
    expect(event).toMatchObject({
      payload: { '********': '********', count: '********', [NEXT_LINE_KEY]: 1000 },
    });
  });
});

describe('an events file of too many lines', () => {
  const line = note({});

  test('is read up to the limit, with one warning', async () => {
    const events = await booked(line.repeat(MAX_LINES + 100));
    expect(events).toHaveLength(MAX_LINES + 1);
    expect(events.at(-2)).toMatchObject({ message: 'hello' });
    expect(events.at(-1)).toMatchObject({
      eventType: 'note',
      level: 'warn',
      message: expect.stringContaining('10000'),
    });
  });

  test('is not warned of again after a restart', async () => {
    const offset = line.length * (MAX_LINES + 1);
    const progress = { ...START, offset, lines: MAX_LINES + 1 };
    expect(await booked(line.repeat(MAX_LINES + 100), progress)).toEqual([]);
  });
});
