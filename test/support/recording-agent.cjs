// An agent that keeps its own books: node recording-agent.cjs RECORD [KIND]
//
// RECORD is a file to which it appends a line of JSON when it starts, and one when it ends, with what it has written.
// It writes random bytes to both streams, reports its usage once while it works and once in its result.
const { spawn } = require('node:child_process');
const { createHash, randomBytes } = require('node:crypto');
const { appendFileSync, writeFileSync, writeSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const [record, kind = 'writer'] = process.argv.slice(2);
const ROUNDS = { writer: 50, parent: 10, patient: 500, stubborn: 5_000 }[kind];
const ROUND_MS = 20;

const runId = process.env.REVEILLE_RUN_ID;
const streams = {
  stdout: { fd: 1, bytes: 0, hash: createHash('sha256') },
  stderr: { fd: 2, bytes: 0, hash: createHash('sha256') },
};
const note = (line) => appendFileSync(record, `${JSON.stringify({ runId, pid: process.pid, ...line })}\n`);

function write(name) {
  const stream = streams[name];
  const bytes = randomBytes(1 + Math.floor(Math.random() * 4_000));
  stream.bytes += bytes.length;
  stream.hash.update(bytes);
  for (let at = 0; at < bytes.length;) at += writeSync(stream.fd, bytes, at);
}

function leave(exitCode) {
  const digestOf = ({ bytes, hash }) => ({ bytes, sha256: hash.digest('hex') });
  note({
    what: 'ended',
    exitCode,
    logs: { stdout: digestOf(streams.stdout), stderr: digestOf(streams.stderr) },
  });
  process.exit(exitCode);
}

async function main() {
  let hasHeard = false;
  if (kind === 'stubborn') {
    process.on('SIGTERM', () => {
      if (hasHeard) return;
      hasHeard = true;
      writeFileSync('terminated', '');
      setTimeout(() => leave(7), 500);
    });
  }
  note({ what: 'started' });
  const usage = { inputTokens: 10, outputTokens: 2 };
  appendFileSync(process.env.REVEILLE_EVENTS_FILE, `${JSON.stringify({ type: 'usage', ...usage })}\n`);
  for (let round = 0; round < ROUNDS; round++) {
    write('stdout');
    write('stderr');
    await sleep(ROUND_MS);
  }
  writeFileSync(process.env.REVEILLE_RESULT_FILE, JSON.stringify({ usage, costUsd: 0.25 }));
  if (kind === 'parent') spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).unref();
  leave(0);
}

void main();
