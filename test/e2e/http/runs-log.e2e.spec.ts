import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../../support/server';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';
import type { LogPage, Run } from './client';
import {
  expectBadField,
  expectStatus,
  Gate,
  get,
  head,
  runOnce,
  scriptedAgent,
  untilFinal,
  untilOutput,
  wake,
} from './client';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const page = (run: { id: string }, query = '') => get<LogPage>(server, `/v1/runs/${run.id}/log${query}`);
const raw = async (run: { id: string }, query = '', accept = 'text/plain') => {
  const answer = await server.api('GET', `/v1/runs/${run.id}/log${query}`, undefined, { accept });
  expectStatus(answer, 200);
  expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  return answer.bytes;
};

/** The run of an agent that writes these bytes to stdout and those to stderr. */
async function runThatWrites(stdout: Buffer, stderr = Buffer.alloc(0)): Promise<Run> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'out'), stdout);
  writeFileSync(join(folder, 'err'), stderr);
  const agent = await scriptedAgent(server, 'cat "$1"; cat "$2" >&2', {
    args: [join(folder, 'out'), join(folder, 'err')],
  });
  return runOnce(server, agent.id);
}

/** The whole log in pages of so many bytes, each checked for how it joins the one before it. */
async function readInPages(run: Run, limitBytes: number, stream = ''): Promise<LogPage[]> {
  const pages: LogPage[] = [];
  for (let offset = 0; ;) {
    const next = await page(
      run,
      `?limitBytes=${limitBytes}&offset=${offset}${stream && `&stream=${stream}`}`,
    );
    expect(next).toEqual({
      runId: run.id,
      content: expect.any(String),
      offset,
      nextOffset: offset + Buffer.byteLength(next.content),
      totalBytes: expect.any(Number),
      eof: next.nextOffset === next.totalBytes,
    });
    pages.push(next);
    if (next.eof) return pages;
    expect(next.nextOffset).toBeGreaterThan(offset);
    offset = next.nextOffset;
  }
}

const MULTI_BYTE = 'a€😀é\n日本語 👩‍👩‍👧 ñ\u0301 end';

describe('a log in pages', () => {
  test.each([1, 2, 3, 4, 5, 7, 64, 10_000])('of %s bytes has whole characters', async (limitBytes) => {
    const text = MULTI_BYTE.repeat(3);
    const run = await runThatWrites(Buffer.from(text));
    const pages = await readInPages(run, limitBytes);
    expect(pages.map(({ content }) => content).join('')).toBe(text);
    for (const { content } of pages) {
      expect(content).not.toContain('\ufffd');
      expect(Buffer.byteLength(content)).toBeLessThanOrEqual(Math.max(limitBytes, 4));
    }
  });

  test('by stream', async () => {
    const run = await runThatWrites(Buffer.from('out €\n'), Buffer.from('err 😀\n'));
    expect(await page(run, '?stream=stdout')).toMatchObject({ content: 'out €\n', totalBytes: 8, eof: true });
    expect(await page(run, '?stream=stderr')).toMatchObject({
      content: 'err 😀\n',
      totalBytes: 9,
      eof: true,
    });
    const combined = await page(run);
    expect(combined).toMatchObject({ totalBytes: 17, eof: true, offset: 0, nextOffset: 17 });
    expect(combined.content.split('\n').sort()).toEqual(['', 'err 😀', 'out €']);
  });

  test('from the end and from beyond it is empty, and over', async () => {
    const run = await runThatWrites(Buffer.from('12345'));
    for (const offset of [5, 6, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      expect(await page(run, `?offset=${offset}`)).toMatchObject({ content: '', totalBytes: 5, eof: true });
    }
    expect(await page(run, '?offset=4')).toMatchObject({ content: '5', offset: 4, nextOffset: 5, eof: true });
  });

  test('of a run that wrote nothing is empty, and over', async () => {
    const run = await runThatWrites(Buffer.alloc(0));
    const empty = { runId: run.id, content: '', offset: 0, nextOffset: 0, totalBytes: 0, eof: true };
    expect(await page(run)).toEqual(empty);
    expect(await page(run, '?stream=stderr')).toEqual(empty);
    expect((await raw(run)).length).toBe(0);
    expect(run).toMatchObject({ logBytes: 0, stdoutExcerpt: '', stderrExcerpt: '' });
    expect(run.logs!.stdout).toEqual({ bytes: 0, sha256: sha256(Buffer.alloc(0)), storedSha256: null });
  });

  test('is at most 1 MiB at a time', async () => {
    const run = await runThatWrites(Buffer.alloc(1_500_000, 'x'));
    const first = await page(run, '?limitBytes=99999999');
    expect(first).toMatchObject({ nextOffset: 1_048_576, totalBytes: 1_500_000, eof: false });
    expect(await page(run, '?limitBytes=99999999&offset=1048576')).toMatchObject({
      nextOffset: 1_500_000,
      eof: true,
    });
  });

  test('of bytes that are no text loses its place nowhere', async () => {
    const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, index) => (index * 37 + (index >> 3)) % 256));
    const run = await runThatWrites(bytes);
    const content: Buffer[] = [];
    for (let offset = 0; offset < bytes.length;) {
      const { nextOffset, totalBytes } = await page(run, `?offset=${offset}&limitBytes=16`);
      expect(totalBytes).toBe(bytes.length);
      expect(nextOffset).toBeGreaterThan(offset);
      content.push((await raw(run, `?offset=${offset}`)).subarray(0, nextOffset - offset));
      offset = nextOffset;
    }
    expect(Buffer.concat(content).equals(bytes)).toBe(true);
  });

  test.each([
    ['stream=both', 'stream'],
    ['stream=', 'stream'],
    ['offset=-1', 'offset'],
    ['offset=x', 'offset'],
    ['offset=', 'offset'],
    ['limitBytes=x', 'limitBytes'],
    ['limitBytes=1.5', 'limitBytes'],
    ['limit=5', 'limit'],
  ])('?%s is refused', async (query, field) => {
    const run = await runThatWrites(Buffer.from('x'));
    for (const accept of ['application/json', 'text/plain']) {
      expectBadField(
        await server.api('GET', `/v1/runs/${run.id}/log?${query}`, undefined, { accept }),
        field,
      );
    }
  });
});

describe('a log as raw bytes', () => {
  test('is what the agent wrote, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256));
    const run = await runThatWrites(bytes, Buffer.from('err'));
    expect((await raw(run, '?stream=stdout')).equals(bytes)).toBe(true);
    expect((await raw(run, '?stream=stderr')).toString()).toBe('err');
    expect((await raw(run, '?stream=stdout&offset=299990')).equals(bytes.subarray(299_990))).toBe(true);
    expect((await raw(run, '?stream=stdout&offset=300000')).length).toBe(0);
    expect(run.logs).toEqual({
      stdout: { bytes: 300_000, sha256: sha256(bytes), storedSha256: null },
      stderr: { bytes: 3, sha256: sha256(Buffer.from('err')), storedSha256: null },
    });
    const combined = await raw(run);
    expect({ bytes: combined.length, sha256: sha256(combined) }).toEqual({
      bytes: run.logBytes,
      sha256: run.logSha256,
    });
    expect(run.logBytes).toBe(300_003);
  });

  test('has no limit of its own', async () => {
    const bytes = Buffer.alloc(3_000_000, 'abc\n');
    const run = await runThatWrites(bytes);
    expect((await raw(run)).equals(bytes)).toBe(true);
  });

  test.each([
    ['text/plain; charset=utf-8', true],
    ['TEXT/PLAIN', true],
    ['text/plain, */*', true],
    ['*/*', false],
    ['application/json', false],
    ['application/json, text/plain, */*', false],
    [undefined, false],
  ])('is given for Accept %s: %s', async (accept, isRaw) => {
    const run = await runThatWrites(Buffer.from('x'));
    const { headers } = await server.api('GET', `/v1/runs/${run.id}/log`, undefined, { accept });
    expect(headers['content-type']).toMatch(isRaw ? /^text\/plain/ : /^application\/json/);
  });

  test('of a run that does not exist is a problem document', async () => {
    const answer = await server.api('GET', '/v1/runs/x/log', undefined, { accept: 'text/plain' });
    expect(answer).toMatchObject({ status: 404, body: { code: 'run_not_found' } });
  });
});

test('excerpts are the last 32 KiB of each stream', async () => {
  const line = (index: number) => `line ${index}\n`;
  const text = Array.from({ length: 10_000 }, (_, index) => line(index)).join('');
  const run = await runThatWrites(Buffer.from(text), Buffer.from('short'));
  expect(run.stdoutExcerpt).toBe(text.slice(-32 * 1024));
  expect(run.stderrExcerpt).toBe('short');
});

test('an excerpt begins with a whole character', async () => {
  const run = await runThatWrites(Buffer.from(`x${'€'.repeat(20_000)}`));
  expect([...new Set(run.stdoutExcerpt)]).toEqual(['€']);
});

test('a log can be read while it is written', async () => {
  const [one, two] = [new Gate(), new Gate()];
  const agent = await scriptedAgent(
    server,
    `echo first; ${one.wait}; echo second; ${two.wait}; printf third`,
  );
  const { run } = await wake(server, agent.id);
  expect((await page(run!)).eof).toBe(false);
  await untilOutput(server, run!.id, 'first');
  expect(await page(run!)).toMatchObject({ content: 'first\n', totalBytes: 6, nextOffset: 6, eof: false });
  expect(await page(run!, '?offset=6')).toMatchObject({ content: '', offset: 6, nextOffset: 6, eof: false });
  one.open();
  await untilOutput(server, run!.id, 'second');
  expect(await page(run!, '?offset=6')).toMatchObject({ content: 'second\n', nextOffset: 13, eof: false });
  expect((await raw(run!)).toString()).toBe('first\nsecond\n');
  two.open();
  await untilFinal(server, run!.id);
  expect(await page(run!, '?offset=13')).toMatchObject({ content: 'third', nextOffset: 18, eof: true });
});

test('the log of a run that has not begun is empty, and not over', async () => {
  const gate = new Gate();
  const agent = await scriptedAgent(server, gate.wait, { heartbeat: { whenBusy: 'enqueue' } });
  const first = await wake(server, agent.id);
  const second = await wake(server, agent.id);
  expect(await page(second.run!)).toEqual({
    runId: second.run!.id,
    content: '',
    offset: 0,
    nextOffset: 0,
    totalBytes: 0,
    eof: false,
  });
  expect((await raw(second.run!)).length).toBe(0);
  expectStatus(await server.api('POST', `/v1/runs/${second.run!.id}/cancel`), 200);
  expect(await page(second.run!)).toMatchObject({ content: '', totalBytes: 0, eof: true });
  gate.open();
  await untilFinal(server, first.run!.id);
});

test('none of this was an error of the server', async () => {
  await head(server);
  expect(server.errors).toEqual([]);
});
