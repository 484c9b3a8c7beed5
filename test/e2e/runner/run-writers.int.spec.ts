import { EmbeddedEventLog } from '../../../src/event-log/embedded/embedded-event-log';
import type { EventLog } from '../../../src/event-log/event-log';
import { sha256Hex } from '../../../src/kernel/canonical-json';
import { chainHash, CHAIN_START } from '../../../src/kernel/chain';
import { systemClock } from '../../../src/kernel/clock';
import type { StoredEvent } from '../../../src/kernel/event';
import { uuidv7 } from '../../../src/kernel/ids';
import { runLogStream, runStream } from '../../../src/kernel/streams';
import type { RunEventData } from '../../../src/runs/domain/run.events';
import type { RunWriterSource } from '../../../src/runner/run-event-writer';
import { RunEventWriter } from '../../../src/runner/run-event-writer';
import { RunLogWriter } from '../../../src/runner/run-log-writer';
import { faultsInTurn, flakyLog } from '../../support/flaky-log';
import { temporaryFolder } from '../../support/temporary-folder';

let log: EmbeddedEventLog;
beforeAll(async () => {
  log = await EmbeddedEventLog.open(temporaryFolder());
});
afterAll(() => log.close());

const open = new AbortController().signal;

function someSource(): RunWriterSource {
  return {
    run: { companyId: uuidv7(), agentId: uuidv7(), runId: uuidv7() },
    origin: {
      correlationId: uuidv7(),
      causationId: null,
      commandId: uuidv7(),
      actor: { type: 'node', id: 'n' },
      nodeId: 'n',
    },
  };
}

async function readAll(stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.read(stream)) events.push(event);
  return events;
}

async function messages({ run }: RunWriterSource): Promise<string[]> {
  const events = await readAll(runStream(run.companyId, run.runId));
  return events.map(({ data }) => (JSON.parse(data as string) as RunEventData).message);
}

describe('run events', () => {
  const writer = (source: RunWriterSource, to: EventLog = log, signal = open) =>
    new RunEventWriter({ log: to, clock: systemClock }, source, signal);
  const note = (message: string) => ({ eventType: 'note', message }) as const;

  test('are written in the order of the calls, with what was left out filled in', async () => {
    const source = someSource();
    const notes = writer(source);
    await Promise.all([notes.append(note('a'), note('b')), notes.append(note('c')), notes.append()]);
    expect(await messages(source)).toEqual(['a', 'b', 'c']);
    const [first] = await readAll(runStream(source.run.companyId, source.run.runId));
    expect(first).toMatchObject({
      type: 'RunNoteRecorded',
      metadata: { ...source.origin, schemaVersion: 1 },
    });
    expect(JSON.parse(first!.data as string)).toEqual({
      ...source.run,
      eventType: 'note',
      stream: 'system',
      level: 'info',
      color: null,
      message: 'a',
      payload: null,
    });
  });

  test('of several writers are all there, once', async () => {
    const source = someSource();
    const writers = [writer(source), writer(source), writer(source)];
    const names = Array.from({ length: 30 }, (_, index) => `note ${index}`);
    await Promise.all(names.map((name, index) => writers[index % 3]!.append(note(name))));
    expect((await messages(source)).sort()).toEqual(names.sort());
  });

  test('are sent again as they were where the log does not answer', async () => {
    const source = someSource();
    const faults = faultsInTurn('written', 'unwritten', 'written', 'written', null, 'unwritten');
    const notes = writer(source, flakyLog(log, faults));
    await notes.append(note('a'));
    await notes.append(note('b'));
    await notes.append(note('c'));
    expect(await messages(source)).toEqual(['a', 'b', 'c']);
  });

  test('wait for a log that does not answer until they are told not to', async () => {
    const closing = new AbortController();
    const notes = writer(
      someSource(),
      flakyLog(log, () => 'unwritten'),
      closing.signal,
    );
    const appended = notes.append(note('a'));
    closing.abort(new Error('closed'));
    await expect(appended).rejects.toThrow();
    await expect(notes.append(note('b'))).rejects.toThrow('closed');
  });
});

describe('the log of a run', () => {
  const writer = (source: RunWriterSource, to: EventLog = log) =>
    RunLogWriter.open({ log: to, clock: systemClock }, source, open);
  const out = (text: string) => ({ stream: 'stdout', bytes: Buffer.from(text) }) as const;
  const err = (text: string) => ({ stream: 'stderr', bytes: Buffer.from(text) }) as const;
  const summary = {
    logs: {
      stdout: { bytes: 4, sha256: sha256Hex('abef') },
      stderr: { bytes: 2, sha256: sha256Hex('cd') },
    },
    logBytes: 6,
    logSha256: sha256Hex('abcdef'),
  };

  test('goes on where it ends, whoever opens it', async () => {
    const source = someSource();
    const first = await writer(source);
    expect(await first.append([out('ab'), err('cd')])).toBe(true);
    const second = await writer(source);
    expect(second.recorded).toEqual({ stdout: 2, stderr: 2 });
    expect(await second.append([out('ef')])).toBe(true);
    expect(await second.finalize(null)).toMatchObject(summary);
  });

  test('tells a writer that somebody else was there, and takes nothing of it', async () => {
    const source = someSource();
    const [slow, fast] = [await writer(source), await writer(source)];
    await fast.append([out('ab')]);
    expect(await slow.append([out('ab'), err('xy')])).toBe(false);
    expect(slow.recorded).toEqual({ stdout: 2, stderr: 0 });
    expect(await slow.append([err('cd'), out('ef')])).toBe(true);
    const ended = await slow.finalize(null);
    expect(ended).toMatchObject(summary);
    expect(await fast.finalize(null)).toEqual(ended);
  });

  test('takes the same bytes from another life, at another time, for what they are: already there', async () => {
    const source = someSource();
    const at = (second: number) => ({ now: () => new Date(Date.UTC(2026, 2, 1, 10, 0, second)) });
    const former = await RunLogWriter.open({ log, clock: at(1) }, source, open);
    const next = await RunLogWriter.open({ log, clock: at(2) }, source, open);
    await former.append([out('ab')]);
    expect(await next.append([out('ab')])).toBe(false);
    expect(await next.append([err('cd'), out('ef')])).toBe(true);
    expect(await next.finalize(null)).toMatchObject(summary);
    let previous = CHAIN_START;
    for (const { type, id, data, metadata } of await readAll(
      runLogStream(source.run.companyId, source.run.runId),
    )) {
      previous = chainHash(previous, { type, id, data, at: metadata.at });
      expect(metadata.hash).toBe(previous);
    }
  });

  test('is finalized once, and says so to whoever opens it', async () => {
    const source = someSource();
    const first = await writer(source);
    await first.append([out('ab'), err('cd'), out('ef')]);
    expect(first.isFinalized).toBe(false);
    const ended = await first.finalize(null);
    const second = await writer(source);
    expect(second.isFinalized).toBe(true);
    expect(second.recorded).toEqual({ stdout: 4, stderr: 2 });
    expect(await second.finalize(null)).toEqual(ended);
    const events = await readAll(runLogStream(source.run.companyId, source.run.runId));
    expect(events.map(({ type }) => type)).toEqual([
      'LogChunked',
      'LogChunked',
      'LogChunked',
      'LogFinalized',
    ]);
    expect(ended.chainHead).toBe(events.at(-1)!.metadata.hash);
  });

  test('is whole where the log often does not answer', async () => {
    const source = someSource();
    const faults = faultsInTurn('written', 'unwritten', 'written', null, 'unwritten', 'written');
    const lines = await writer(source, flakyLog(log, faults));
    expect(await lines.append([out('ab')])).toBe(true);
    expect(await lines.append([err('cd')])).toBe(true);
    expect(await lines.append([out('ef')])).toBe(true);
    expect(await lines.finalize(null)).toMatchObject(summary);
  });
});
