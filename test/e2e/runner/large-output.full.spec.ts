import { createHash } from 'node:crypto';
import { RunLogReader } from '../../../src/runs/run-log-reader';
import { claimedRun, RunnerBench } from '../../support/local-runner';
import { temporaryFolder } from '../../support/temporary-folder';

const BYTES = 200 * 1024 * 1024;
/** Numbers as 32-bit integers: every piece of it differs from every other. */
const AGENT = `
  const total = ${BYTES}, block = 1 << 20;
  for (let from = 0; from < total; from += block) {
    const buffer = Buffer.alloc(block);
    for (let at = 0; at < block; at += 4) buffer.writeUInt32LE((from + at) / 4, at);
    for (let done = 0; done < block; ) done += require('fs').writeSync(1, buffer, done);
  }`;

function expectedSha256(): string {
  const hash = createHash('sha256');
  const block = Buffer.alloc(1 << 20);
  for (let from = 0; from < BYTES; from += block.length) {
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE((from + at) / 4, at);
    hash.update(block);
  }
  return hash.digest('hex');
}

test('200 MiB of output are on the log with the right hash, in bounded memory', async () => {
  const bench = await RunnerBench.open(temporaryFolder());
  try {
    const run = claimedRun({ command: process.execPath, args: ['-e', AGENT] });
    const before = process.memoryUsage();
    let mostBuffered = 0;
    const watch = setInterval(() => {
      const { arrayBuffers } = process.memoryUsage();
      mostBuffered = Math.max(mostBuffered, arrayBuffers - before.arrayBuffers);
    }, 20);
    const outcome = await bench.execute(run);
    clearInterval(watch);
    expect(outcome).toMatchObject({ exitCode: 0, errorCode: null, log: { logBytes: BYTES } });
    expect(outcome.log!.logs.stdout.sha256).toBe(expectedSha256());
    expect(mostBuffered).toBeLessThan(40_000_000);
    const page = await new RunLogReader(bench.log).read({ ...run, offset: BYTES - 8, limitBytes: 100 });
    expect(page).toMatchObject({ offset: BYTES - 8, nextOffset: BYTES, totalBytes: BYTES, eof: true });
    expect(page.bytes.readUInt32LE(4)).toBe(BYTES / 4 - 1);
  } finally {
    await bench.close();
  }
}, 60_000);
