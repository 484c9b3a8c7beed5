import type { Dice } from '../support/dice';
import type { AgentBehaviour } from '../support/http-agent';
import { oddNumber, oddText, oddValue } from './odd-values';

/** What agents say that have lost their mind, in the words that the service listens to. */

const MAX_LINES = 40;
const LONG_LINE = 300_000;

const fields = [
  'type',
  'usage',
  'inputTokens',
  'outputTokens',
  'cachedInputTokens',
  'costUsd',
  'provider',
  'model',
  'sessionId',
  'clearSession',
  'errorMessage',
  'resultJson',
  'state',
  'retryNotBefore',
  'message',
  'level',
  'payload',
  'text',
  'stream',
  'log',
  'result',
  'session_id',
  'total_cost_usd',
  'part',
  'thread_id',
];
const types = [
  'usage',
  'note',
  'log',
  'result',
  'system',
  'assistant',
  'item.completed',
  'turn.completed',
  'message',
  'step_finish',
];

/** Lines that are JSON, nearly JSON, and nothing at all. */
export function babble(dice: Dice): Buffer {
  const lines = Array.from({ length: 1 + dice.upTo(MAX_LINES) }, () => line(dice));
  return Buffer.concat(lines.flatMap((part) => [part, Buffer.from(dice.upTo(20) === 0 ? '\r' : '\n')]));
}

function line(dice: Dice): Buffer {
  const said = JSON.stringify(saying(dice));
  return dice.oneOf<() => Buffer>([
    () => Buffer.from(said),
    () => Buffer.from(said),
    () => Buffer.from(said),
    () => Buffer.from(said.slice(0, dice.upTo(said.length))),
    () => Buffer.from(JSON.stringify(oddValue(dice))),
    () => Buffer.from(Array.from({ length: dice.upTo(200) }, () => dice.upTo(256))),
    () => Buffer.from(dice.upTo(10) === 0 ? `{"message": "${'x'.repeat(LONG_LINE)}"}` : oddText(dice)),
    () => Buffer.from(`data: ${said}\n`),
    () => Buffer.from(said.replace('{', '{"__proto__": {"polluted": true},')),
  ])();
}

function saying(dice: Dice): object {
  const some = fields.filter(() => dice.upTo(5) === 0).map((name) => [name, meant(name, dice)] as const);
  return Object.fromEntries([['type', dice.oneOf(types)], ...some]);
}

/** Sometimes what belongs there. */
function meant(name: string, dice: Dice): unknown {
  if (dice.upTo(2) === 0) return oddValue(dice);
  if (/Tokens|Usd|cost/.test(name)) return oddNumber(dice);
  if (name === 'usage')
    return { inputTokens: oddNumber(dice), outputTokens: oddNumber(dice), input_tokens: oddNumber(dice) };
  if (name === 'retryNotBefore')
    return dice.oneOf(['9999-12-31T00:00:00Z', new Date().toISOString(), 'later', 4e12]);
  return oddText(dice);
}

const contentTypes = [
  'application/json',
  'application/x-ndjson',
  'text/event-stream',
  'text/plain',
  'image/png',
  '',
  'a b c',
];
const statuses = [200, 200, 200, 200, 201, 204, 302, 304, 400, 404, 429, 500, 503];

/** Answers each request with other nonsense; sometimes it hangs up in the middle. */
export function babblingAnswer(dice: Dice): AgentBehaviour {
  return (response) => {
    const headers: Record<string, string> = { 'content-type': dice.oneOf(contentTypes) };
    if (dice.upTo(10) === 0) headers['location'] = dice.oneOf(['/', 'http://[', 'ftp://x/', '//']);
    if (dice.upTo(15) === 0) headers['content-encoding'] = 'gzip';
    if (dice.upTo(15) === 0) headers['retry-after'] = '-1';
    response.writeHead(dice.oneOf(statuses), headers);
    response.write(babble(dice));
    if (dice.upTo(6) === 0) response.destroy();
    else response.end();
  };
}
