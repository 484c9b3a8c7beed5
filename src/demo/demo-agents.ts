import type { AgentRequest, WakeRequest } from '../client';

/**
 * The demo's agents. They are real programs, which any run of them shows in full (`adapterConfig`), and need nothing
 * but what Reveille itself needs.
 */

/** Finds doubled words: reads all the texts that its run stands for, one sentence every half a second. */
const proofread = String.raw`
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { REVEILLE_CONTEXT_FILE, REVEILLE_EVENTS_FILE, REVEILLE_RESULT_FILE } = process.env;

async function main() {
  const { wakeups } = JSON.parse(readFileSync(REVEILLE_CONTEXT_FILE, 'utf8'));
  const texts = wakeups.map(({ payload }) => payload?.text ?? 'Nobody has has given me a text.');
  const doubled = [];
  let words = 0;
  for (const sentence of texts.flatMap((text) => text.match(/[^.?!]+[.?!]?/g) ?? [])) {
    await sleep(500);
    words += sentence.trim().split(/\s+/).length;
    const found = sentence.match(/\b(\w+) \1\b/i)?.[0];
    console.log(found ? 'DOUBLED "' + found + '" in:' + ' ' + sentence.trim() : 'fine: ' + sentence.trim());
    if (!found) continue;
    doubled.push(found);
    appendFileSync(REVEILLE_EVENTS_FILE, JSON.stringify({ type: 'note', message: 'found ' + found }) + '\n');
  }
  const usage = { inputTokens: words, outputTokens: doubled.length };
  const report = { usage, costUsd: words * 0.0001, provider: 'demo', model: 'proofreader-1' };
  writeFileSync(REVEILLE_RESULT_FILE, JSON.stringify({ ...report, resultJson: { words, doubled } }));
}

main();
`;

const deploy =
  'echo "deploying release $1"; sleep 1; echo "the tests of $1 are red: not deployed" >&2; exit 3';

/** What the deployer always exits with. */
export const DEPLOYER_EXIT_CODE = 3;

const heartbeat = { maxConcurrentRuns: 1, whenBusy: 'followUp', timeoutSec: 120 } as const;

export const proofreader = {
  name: 'proofreader',
  externalKey: 'reveille-demo-proofreader',
  adapterType: 'process',
  adapterConfig: { command: process.execPath, args: ['-e', proofread] },
  runtimeConfig: { heartbeat },
} satisfies AgentRequest;

export const deployer = {
  name: 'deployer',
  externalKey: 'reveille-demo-deployer',
  adapterType: 'process',
  adapterConfig: { command: 'sh', args: ['-c', deploy, 'deployer', '{{context.release}}'] },
  runtimeConfig: { heartbeat },
} satisfies AgentRequest;

/** Nobody has to wake it: its timer does. */
export const timekeeper = {
  name: 'timekeeper',
  externalKey: 'reveille-demo-timekeeper',
  adapterType: 'process',
  adapterConfig: {
    command: 'sh',
    args: ['-c', 'echo "woken by {{context.wakeSource}} at $(date -u +%H:%M:%S) UTC"'],
  },
  runtimeConfig: { heartbeat: { ...heartbeat, intervalSec: 10 } },
} satisfies AgentRequest;

function textToRead(reason: string, text: string): WakeRequest {
  return { reason, payload: { text } };
}

export const firstText = textToRead(
  'a first text',
  'An agent sleeps until somebody wakes it. That may be a timer, a person or or a program. ' +
    'Reveille decides what becomes of it and and writes the decision down. ' +
    'The agent runs as a process of its own. What it writes is kept, byte for byte. ' +
    'What it costs is kept to the the millionth of a dollar. When the server restarts, the agent works on. ' +
    'Nothing is forgotten.',
);

export const secondText = textToRead(
  'a second text',
  'This one came while the agent was busy. It waits waits until there is room.',
);

export const thirdText = textToRead(
  'a third text',
  'And so did this one. Both are read in one run, which is is cheaper than two.',
);

export const release: WakeRequest = { reason: 'release 1.4', contextSnapshot: { release: '1.4' } };
