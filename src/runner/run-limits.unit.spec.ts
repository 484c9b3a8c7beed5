import type { Clock } from '../kernel/clock';
import { limitReached } from './run-limits';

const startedAt = '2026-03-01T10:00:00.000Z';
const limits = { timeoutSec: 0, silenceTimeoutSec: 0, graceSec: 15, logQuotaBytes: 0 };
const clockAt = (secondsAfterStart: number): Clock => ({
  now: () => new Date(Date.parse(startedAt) + secondsAfterStart * 1000),
});
const open = () => new AbortController().signal;
const silentSince = (secondsAfterStart: number) => () => Date.parse(startedAt) + secondsAfterStart * 1000;

test('a run that has lasted for its timeout has reached it', async () => {
  const run = { startedAt, limits: { ...limits, timeoutSec: 60 } };
  expect(await limitReached(run, silentSince(59), clockAt(60), open())).toBe('timeout');
});

test('a run that was silent for too long has reached that limit, counted from its start at least', async () => {
  const run = { startedAt, limits: { ...limits, silenceTimeoutSec: 10 } };
  expect(await limitReached(run, silentSince(5), clockAt(15), open())).toBe('silence');
  expect(await limitReached(run, silentSince(-100), clockAt(10), open())).toBe('silence');
});

test('nothing is reached before its time, or without a limit', async () => {
  const stop = new AbortController();
  const waiting = [
    limitReached(
      { startedAt, limits: { ...limits, timeoutSec: 60 } },
      silentSince(0),
      clockAt(50),
      stop.signal,
    ),
    limitReached(
      { startedAt, limits: { ...limits, silenceTimeoutSec: 60 } },
      silentSince(30),
      clockAt(80),
      stop.signal,
    ),
    limitReached({ startedAt, limits }, silentSince(0), clockAt(1_000_000), stop.signal),
  ];
  const firstAnswer = await Promise.race([
    ...waiting,
    new Promise((resolve) => setImmediate(resolve, 'waiting')),
  ]);
  expect(firstAnswer).toBe('waiting');
  stop.abort();
  expect(await Promise.all(waiting)).toEqual([null, null, null]);
});
