import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import { runLogStream } from '../../../src/kernel/streams';
import { Mask } from '../../../src/runner/mask';
import type { EventLog } from '../../../src/event-log/event-log';
import { RevisionConflict } from '../../../src/event-log/event-log';
import type { LogGapData, OutputStream } from '../../../src/runs/domain/run-log.events';
import { RunLogReader } from '../../../src/runs/run-log-reader';
import { RunOutput } from '../../support/run-output';
import { temporaryFolder } from '../../support/temporary-folder';

const STREAMS = ['stdout', 'stderr'] as const;

let log: EmbeddedEventLog;
let runsFolder: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  runsFolder = join(folder, 'runs');
  log = await EmbeddedEventLog.open(join(folder, 'log'));
});
afterAll(() => log.close());

async function gapsOf({ run }: RunOutput): Promise<LogGapData[]> {
  const gaps: LogGapData[] = [];
  for await (const { type, data } of log.read(runLogStream(run.companyId, run.runId))) {
    if (type === 'LogGap') gaps.push(JSON.parse(data as string) as LogGapData);
  }
  return gaps;
}

/** Everything that a client gets that goes from page to page. */
async function readInPages({ run }: RunOutput, stream: OutputStream | undefined, limitBytes: number) {
  const reader = new RunLogReader(log);
  const found: { offset: number; text: string }[] = [];
  for (let offset = 0; ;) {
    const page = await reader.read({ ...run, stream, offset, limitBytes });
    found.push({ offset: page.offset, text: page.bytes.toString('latin1') });
    if (page.eof) return { pages: found, totalBytes: page.totalBytes };
    expect(page.nextOffset).toBeGreaterThan(offset);
    offset = page.nextOffset;
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

type Step = { do: 'write'; stream: OutputStream; text: string } | { do: 'drain' } | { do: 'restart' };

const secrets = ['abab', 'bcabc'];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      stream: fc.constantFrom(...STREAMS),
      text: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drain' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

type Fault = 'none' | 'conflict' | 'crash';

/** The log, but for the appends that go wrong, one after the other. */
function withFaults(faults: readonly Fault[]): EventLog {
  const left = [...faults];
  const append: EventLog['append'] = (stream, events, expected) => {
    const fault = left.shift();
    if (fault === 'conflict') return Promise.reject(new RevisionConflict(stream, expected, expected));
    if (fault === 'crash') return Promise.reject(new Error('the server is gone'));
    return log.append(stream, events, expected);
  };
  return new Proxy<EventLog>(log, {
    get: (target, key) => {
      if (key === 'append') return append;
      const value = target[key as keyof EventLog] as (...args: unknown[]) => unknown;
      return value.bind(target);
    },
  });
}

/** Where the server crashes, another one takes the run up and does it again. */
async function inSpiteOfCrashes<T>(output: RunOutput, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      expect(error).toEqual(new Error('the server is gone'));
      await output.takeUp();
    }
  }
}

interface Life {
  steps: Step[];
  faults: Fault[];
  quotaBytes: number;
  tailBytes: number;
}

const life: fc.Arbitrary<Life> = fc.record({
  steps: fc.array(step, { maxLength: 25 }),
  faults: fc.array(fc.constantFrom<Fault>('none', 'none', 'conflict', 'crash'), { maxLength: 12 }),
  quotaBytes: fc.integer({ min: 0, max: 60 }),
  tailBytes: fc.integer({ min: 0, max: 60 }),
});

/** Answers what the agent wrote, and what is said of it in the end. */
async function live({ steps, faults, quotaBytes, tailBytes }: Life, mask: Mask) {
  const output = await RunOutput.open(withFaults(faults), runsFolder, { mask, quotaBytes, tailBytes });
  const written = { stdout: '', stderr: '' };
  for (const next of steps) {
    if (next.do === 'drain') await inSpiteOfCrashes(output, () => output.drain());
    else if (next.do === 'restart') await output.takeUp();
    else {
      written[next.stream] += next.text;
      output.write(next.stream, next.text);
    }
  }
  await inSpiteOfCrashes(output, () => output.finish());
  await output.takeUp();
  await inSpiteOfCrashes(output, () => output.finish());
  const summary = await inSpiteOfCrashes(output, async () => {
    await output.drain();
    return output.finalize();
  });
  return { output, written, summary };
}

test('output is recorded masked, up to the quota and its end, whatever the pieces, crashes and restarts are', async () => {
  await fc.assert(
    fc.asyncProperty(life, async (its) => {
      const mask = Mask.of(secrets);
      const { output, written, summary } = await live(its, mask);
      const { quotaBytes, tailBytes } = its;
      const gaps = await gapsOf(output);
      const lostBytes = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
      const writtenBytes = written.stdout.length + written.stderr.length;
      expect(lostBytes).toBe(Math.max(0, writtenBytes - quotaBytes - tailBytes));
      expect(summary.logBytes).toBe(writtenBytes);
      for (const stream of STREAMS) {
        const shown = mask.text(written[stream]);
        const gap = gaps.find((each) => each.stream === stream) ?? { from: shown.length, to: shown.length };
        const stored = shown.slice(0, gap.from) + shown.slice(gap.to);
        expect(summary.logs[stream]).toEqual({
          bytes: shown.length,
          sha256: sha256(written[stream]),
          storedSha256: stored === written[stream] ? null : sha256(stored),
        });
        const { pages, totalBytes } = await readInPages(output, stream, 7);
        expect(totalBytes).toBe(shown.length);
        expect(pages.map(({ text }) => text).join('')).toBe(stored);
        for (const { offset, text } of pages) expect(shown.slice(offset, offset + text.length)).toBe(text);
      }
      const combined = await readInPages(output, undefined, 7);
      const everything = combined.pages.map(({ text }) => text).join('');
      expect(combined.totalBytes).toBe(writtenBytes - lostBytes);
      expect(sha256(everything)).toBe(summary.logSha256);
    }),
    { numRuns: 60 },
  );
}, 120_000);

describe('a log with a gap', () => {
  let output: RunOutput;

  beforeAll(async () => {
    output = await RunOutput.open(log, runsFolder, { mask: Mask.none, quotaBytes: 10, tailBytes: 8 });
    output.write('stdout', '0123456789abcdefghijklmnopqrstuvwxyz');
    await output.drain();
  });

  test('ends at the quota while the run goes on', async () => {
    const page = await new RunLogReader(log).read({
      ...output.run,
      stream: 'stdout',
      offset: 0,
      limitBytes: 100,
    });
    expect(page).toMatchObject({ offset: 0, nextOffset: 10, totalBytes: 10, eof: false });
  });

  test('has pages that end at the gap, and go on behind it', async () => {
    await output.finish();
    await output.finalize();
    const { agentId, runId } = output.run;
    expect(await gapsOf(output)).toEqual([
      { agentId, runId, stream: 'stdout', from: 10, to: 28, otherOffset: 0, logOffset: 10 },
    ]);
    const reader = new RunLogReader(log);
    const read = async (offset: number) => {
      const { bytes, ...page } = await reader.read({
        ...output.run,
        stream: 'stdout',
        offset,
        limitBytes: 100,
      });
      return { ...page, text: bytes.toString() };
    };
    const common = { totalBytes: 36, isMissing: false };
    const before = { ...common, text: '56789', offset: 5, nextOffset: 10, endsAtGap: true, eof: false };
    const behind = { ...common, text: 'stuvwxyz', offset: 28, nextOffset: 36, endsAtGap: false, eof: true };
    expect(await read(5)).toEqual(before);
    expect(await read(10)).toEqual(behind);
    expect(await read(20)).toEqual(behind);
    expect(await read(30)).toEqual({ ...behind, offset: 30, text: 'uvwxyz' });
    expect(await read(100)).toEqual({ ...behind, offset: 36, text: '' });
    expect((await reader.excerpt({ ...output.run, stream: 'stdout' }, 12)).toString()).toBe('stuvwxyz');
    const all = await reader.read({ ...output.run, offset: 8, limitBytes: 100 });
    expect(all).toMatchObject({ offset: 8, nextOffset: 18, totalBytes: 18, endsAtGap: false, eof: true });
    expect(all.bytes.toString()).toBe('89stuvwxyz');
  });
});
