// An agent of the fault rounds. It does what its behaviour says, and keeps a journal of it that no server can change:
//
//   node agent.cjs FOLDER BEHAVIOUR
//
// Every line of FOLDER/journal.ndjson is one fact about one run. What a signal may cut short is announced before it is
// done and confirmed afterwards, so that the books can say what has to be on the log, and what may be.
const { spawn } = require('node:child_process');
const { createHash, randomBytes } = require('node:crypto');
const {
  appendFileSync,
  closeSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const [folder, behaviour] = [process.argv[2], JSON.parse(process.argv[3])];
const { REVEILLE_RUN_ID: runId, REVEILLE_AGENT_ID: agentId } = process.env;
const { REVEILLE_CONTEXT_FILE, REVEILLE_RESULT_FILE, REVEILLE_EVENTS_FILE } = process.env;

/** One write of a short line to a file that is open for appending: whole or not at all. */
function note(what, facts = {}) {
  appendFileSync(join(folder, 'journal.ndjson'), `${JSON.stringify({ runId, agentId, what, ...facts })}\n`);
}

const key = JSON.parse(readFileSync(REVEILLE_CONTEXT_FILE, 'utf8')).coalesceKey ?? null;
const lives = join(folder, 'lives', agentId);
mkdirSync(lives, { recursive: true });
// Written before the others are looked for: of two that live at once at least one sees the other.
writeFileSync(join(lives, runId), JSON.stringify({ pid: process.pid, runId, key }));
note('start', { pid: process.pid, at: Date.now(), key, beside: runsBeside() });

/** The agent's other runs whose process lives at this moment. */
function runsBeside() {
  return readdirSync(lives)
    .filter((name) => name !== runId)
    .flatMap((name) => {
      try {
        const other = JSON.parse(readFileSync(join(lives, name), 'utf8'));
        const environment = readFileSync(`/proc/${other.pid}/environ`, 'utf8');
        return environment.includes(`REVEILLE_RUN_ID=${name}\0`) ? [{ runId: name, key: other.key }] : [];
      } catch {
        // It is gone, or on its way out: the environment of a zombie cannot be read.
        return [];
      }
    });
}

const outputs = {
  stdout: { descriptor: 1, bytes: 0, hash: createHash('sha256') },
  stderr: { descriptor: 2, bytes: 0, hash: createHash('sha256') },
};

function write(stream, content) {
  const output = outputs[stream];
  const digest = (hash, bytes) => ({ stream, bytes, sha256: hash.copy().digest('hex') });
  note('writes', digest(output.hash.copy().update(content), output.bytes + content.length));
  for (let rest = content; rest.length > 0;) {
    const written = writeSync(output.descriptor, rest);
    output.hash.update(rest.subarray(0, written));
    output.bytes += written;
    rest = rest.subarray(written);
  }
  note('wrote', digest(output.hash, output.bytes));
}

let costMicros = 0;

function reportUsage(micros) {
  costMicros += micros;
  note('books', { costMicros });
  const line = { type: 'usage', inputTokens: 10, outputTokens: 5, costUsd: micros / 1e6, model: 'tiny' };
  appendFileSync(REVEILLE_EVENTS_FILE, `${JSON.stringify(line)}\n`);
  note('booked', { costMicros });
}

function reportResult() {
  costMicros += behaviour.resultMicros;
  note('reports', { costMicros });
  const draft = `${REVEILLE_RESULT_FILE}.${process.pid}`;
  const usage = { inputTokens: 100, outputTokens: 50 };
  writeFileSync(draft, JSON.stringify({ usage, costUsd: costMicros / 1e6, sessionId: runId, model: 'tiny' }));
  renameSync(draft, REVEILLE_RESULT_FILE);
  note('reported', { costMicros });
}

function leave(exitCode) {
  unlinkSync(join(lives, runId));
  note('end', { exitCode });
  process.exit(exitCode);
}

function content(index) {
  const { form, bytes } = behaviour;
  if (form === 'binary') return randomBytes(bytes);
  // One long line, with characters of several bytes that a careless reader cuts in two.
  if (form === 'long line') return Buffer.from(`${'é€😀'.repeat(Math.ceil(bytes / 9))}\n`);
  return Buffer.from(`${index} ${randomBytes(Math.ceil(bytes / 2)).toString('hex')}\n`);
}

async function work() {
  if (behaviour.onTerm === 'ignore') process.on('SIGTERM', () => undefined);
  if (behaviour.onTerm === 'leave') {
    process.on('SIGTERM', () => {
      write('stderr', Buffer.from('leaving\n'));
      leave(7);
    });
  }
  if (behaviour.childSec > 0) {
    // A session of its own: it outlives its parent and is in none of its groups.
    spawn('sleep', [`${behaviour.childSec}`], { detached: true, stdio: 'ignore' }).unref();
  }
  for (let index = 0; index < behaviour.writes; index++) {
    write('stdout', content(index));
    if (index % 2 === 0) write('stderr', content(index));
    if (index < behaviour.usageLines) reportUsage(7);
    await sleep(behaviour.pauseMs);
  }
  if (behaviour.closesOutput) {
    closeSync(1);
    await sleep(behaviour.pauseMs * 4);
    write('stderr', Buffer.from('still here\n'));
  }
  if (behaviour.resultMicros > 0) reportResult();
  await sleep(behaviour.lingerMs);
  leave(behaviour.exitCode);
}

void work();
