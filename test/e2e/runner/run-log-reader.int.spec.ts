import fc from 'fast-check';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import type { EventLog } from '../../../src/event-log/event-log';
import { systemClock } from '../../../src/kernel/clock';
import { uuidv7 } from '../../../src/kernel/ids';
import type { LogChunk } from '../../../src/runner/run-log-writer';
import { RunLogWriter } from '../../../src/runner/run-log-writer';
import { RunLogReader } from '../../../src/runs/run-log-reader';
import { temporaryFolder } from '../../support/temporary-folder';

let log: EmbeddedEventLog;
beforeAll(async () => {
  log = await EmbeddedEventLog.open(temporaryFolder());
});
afterAll(() => log.close());

interface Recorded {
  source: { companyId: string; runId: string };
  writer: RunLogWriter;
}

async function record(chunks: readonly LogChunk[]): Promise<Recorded> {
  const run = { companyId: uuidv7(), agentId: uuidv7(), runId: uuidv7() };
  const actor = { type: 'node', id: 'n' } as const;
  const origin = { correlationId: uuidv7(), causationId: null, commandId: uuidv7(), actor, nodeId: 'n' };
  const signal = new AbortController().signal;
  const writer = await RunLogWriter.open({ log, clock: systemClock }, { run, origin }, signal);
  if (chunks.length > 0) await writer.append(chunks);
  return { source: run, writer };
}

const out = (text: string): LogChunk => ({ stream: 'stdout', bytes: Buffer.from(text) });
const err = (text: string): LogChunk => ({ stream: 'stderr', bytes: Buffer.from(text) });
const reader = () => new RunLogReader(log);

async function collect(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

test('any piece of any of the three logs is the piece of what was recorded', async () => {
  const chunk = fc.record({
    stream: fc.constantFrom<LogChunk['stream']>('stdout', 'stderr'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  });
  const asked = fc.record({
    stream: fc.constantFrom<LogChunk['stream'] | undefined>('stdout', 'stderr', undefined),
    offset: fc.nat(200),
    limitBytes: fc.nat(60),
  });
  const property = fc.asyncProperty(
    fc.array(chunk, { maxLength: 60 }),
    fc.array(asked, { minLength: 3, maxLength: 8 }),
    async (chunks, questions) => {
      const { source } = await record(chunks);
      for (const { stream, offset, limitBytes } of questions) {
        const taken = chunks.filter((one) => stream === undefined || one.stream === stream);
        const whole = Buffer.concat(taken.map(({ bytes }) => bytes));
        const from = Math.min(offset, whole.length);
        const bytes = whole.subarray(from, from + limitBytes);
        const page = await reader().read({ ...source, stream, offset, limitBytes });
        expect(page).toEqual({
          bytes: Buffer.from(bytes),
          offset: from,
          nextOffset: from + bytes.length,
          totalBytes: whole.length,
          eof: false,
          endsAtGap: false,
          isMissing: chunks.length === 0,
        });
        expect(await collect(reader().stream({ ...source, stream }, offset))).toEqual(whole.subarray(from));
        const excerpt = await reader().excerpt({ ...source, stream }, limitBytes);
        expect(excerpt).toEqual(whole.subarray(Math.max(0, whole.length - limitBytes)));
      }
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

test('a log that does not exist is empty, and not at its end', async () => {
  const page = await reader().read({ companyId: 'c', runId: 'none', offset: 5, limitBytes: 10 });
  expect(page).toEqual({
    bytes: Buffer.alloc(0),
    offset: 0,
    nextOffset: 0,
    totalBytes: 0,
    eof: false,
    endsAtGap: false,
    isMissing: true,
  });
});

test('the end is where a finalized log ends, in each stream', async () => {
  const { source, writer } = await record([out('abc'), err('de')]);
  await writer.finalize(null);
  const read = (offset: number, limitBytes: number, stream?: 'stdout' | 'stderr') =>
    reader().read({ ...source, stream, offset, limitBytes });
  expect(await read(0, 4)).toMatchObject({ nextOffset: 4, totalBytes: 5, eof: false });
  expect(await read(4, 4)).toMatchObject({ nextOffset: 5, totalBytes: 5, eof: true });
  expect(await read(0, 3, 'stdout')).toMatchObject({ nextOffset: 3, totalBytes: 3, eof: true });
  expect(await read(2, 9, 'stderr')).toMatchObject({ bytes: Buffer.alloc(0), totalBytes: 2, eof: true });
  expect(await reader().excerpt({ ...source, stream: 'stderr' }, 1)).toEqual(Buffer.from('e'));
});

test('finding a place in a long log does not read the log', async () => {
  const chunks = Array.from({ length: 4000 }, (_, index) => out(`${String(index).padStart(7, '0')}\n`));
  const { source, writer } = await record([err('first\n'), ...chunks]);
  await writer.append([err('last\n')]);
  let read = 0;
  const counting = Object.assign(Object.create(log) as EventLog, {
    read: async function* (...args: Parameters<EventLog['read']>) {
      for await (const event of log.read(...args)) {
        read++;
        yield event;
      }
    },
  });
  const page = await new RunLogReader(counting).read({
    ...source,
    stream: 'stdout',
    offset: 8 * 3333,
    limitBytes: 16,
  });
  expect(page.bytes.toString()).toBe('0003333\n0003334\n');
  expect(read).toBeLessThan(25);
  read = 0;
  // The other stream's 4000 chunks between these two are leapt over.
  const both = await new RunLogReader(counting).read({
    ...source,
    stream: 'stderr',
    offset: 0,
    limitBytes: 100,
  });
  expect(both.bytes.toString()).toBe('first\nlast\n');
  expect(read).toBeLessThan(60);
});
