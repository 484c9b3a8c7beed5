import type { LiveEvent, LivePayload } from './live-events';
import { LiveMessage } from './live-message';
import { MAX_LOG_LAG_BYTES } from './log-lag';
import { WaitingMessages } from './waiting-messages';

const MIB = 1024 * 1024;
const of = { runId: 'r', agentId: 'a' };

function message(position: number, event: LiveEvent): LiveMessage {
  const origin = { position: BigInt(position), companyId: 'c', at: '2026-01-01T00:00:00.000Z' };
  return new LiveMessage(event, origin, null);
}

function output(
  position: number,
  from: number,
  to: number,
  stream: 'stdout' | 'stderr' = 'stdout',
): LiveMessage {
  const payload = { ...of, stream, chunk: 'x', truncated: true, from, to };
  return message(position, { type: 'heartbeat.run.log', payload });
}

function paused(position: number, reason = 'x'): LiveMessage {
  return message(position, { type: 'agent.paused', payload: { agentId: 'a', reason } });
}

function take(waiting: WaitingMessages): string[] {
  const taken: string[] = [];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { from, to } = next.event.payload as LivePayload<'log.gap'>;
    const range = from === undefined ? '' : ` ${from / MIB}-${to / MIB}`;
    taken.push(`${next.cursor.position} ${next.type}${range}`);
  }
  return taken;
}

function waitingWith(...messages: LiveMessage[]): WaitingMessages {
  const waiting = new WaitingMessages();
  for (const each of messages) waiting.push(each);
  return waiting;
}

test('messages come out as they went in', () => {
  const waiting = waitingWith(paused(1), output(2, 0, MIB), paused(3));
  expect(take(waiting)).toEqual(['1 agent.paused', '2 heartbeat.run.log 0-1', '3 agent.paused']);
  expect(waiting.isEmpty).toBe(true);
});

test('exactly 4 MiB of a log may wait', () => {
  const waiting = waitingWith(output(1, 0, MIB), output(2, MIB, MAX_LOG_LAG_BYTES));
  expect(take(waiting)).toEqual(['1 heartbeat.run.log 0-1', '2 heartbeat.run.log 1-4']);
});

test('of more a gap is left, and never behind something that came later', () => {
  const waiting = waitingWith(
    ...[
      output(1, 0, MIB),
      output(2, MIB, 2 * MIB),
      paused(3),
      output(4, 2 * MIB, 4 * MIB),
      output(5, 0, 7, 'stderr'),
    ],
    ...[output(6, 4 * MIB, 5 * MIB), output(7, 5 * MIB, 6 * MIB)],
  );
  expect(take(waiting)).toEqual([
    '2 log.gap 0-2',
    '3 agent.paused',
    '4 log.gap 2-4',
    expect.stringContaining('5 heartbeat.run.log'),
    '6 log.gap 4-5',
    '7 heartbeat.run.log 5-6',
  ]);
});

test('gaps grow where nothing stands between them', () => {
  const waiting = new WaitingMessages();
  for (let n = 0; n < 100; n += 1) waiting.push(output(n + 1, n * MIB, (n + 1) * MIB));
  expect(take(waiting).slice(0, 2)).toEqual(['100 log.gap 0-100']);
});

test('what has been taken no longer counts', () => {
  const waiting = new WaitingMessages();
  for (let n = 0; n < 20; n += 1) {
    waiting.push(output(n + 1, n * 3 * MIB, (n + 1) * 3 * MIB));
    expect(take(waiting)).toEqual([`${n + 1} heartbeat.run.log ${n * 3}-${(n + 1) * 3}`]);
  }
});

test('more than 4 MiB of messages are too many, and are not kept', () => {
  const waiting = new WaitingMessages();
  const text = 'x'.repeat(MIB);
  for (let n = 1; n <= 3; n += 1) waiting.push(paused(n, text));
  expect(waiting.isOverflown).toBe(false);
  for (let n = 4; n <= 50; n += 1) waiting.push(paused(n, text));
  expect(waiting.isOverflown).toBe(true);
  expect(take(waiting)).toHaveLength(4);
  waiting.clear();
  expect(waiting.isOverflown).toBe(false);
});
