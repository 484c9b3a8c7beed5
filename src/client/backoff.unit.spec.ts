import { Backoff, Patience, pause } from './backoff';

test('pauses double up to the longest, and jitter takes up to half of them', () => {
  const [longest, shortest] = [new Backoff(1_000, () => 1), new Backoff(1_000, () => 0)];
  const six = (backoff: Backoff) => Array.from({ length: 6 }, () => backoff.nextMs());
  expect(six(longest)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(six(shortest)).toEqual([50, 100, 200, 400, 500, 500]);
});

test('what the server asks for comes on top, and an answer begins anew', () => {
  const backoff = new Backoff(1_000, () => 1);
  expect([backoff.nextMs(), backoff.nextMs(2_000)]).toEqual([100, 2_200]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});

test('without patience the first failure is one too many', async () => {
  const error = new Error('down');
  await expect(new Patience(0, () => true).afterFailure(error, null, undefined)).rejects.toBe(error);
});

test('what will not pass by itself is not tried again', async () => {
  const error = new Error('refused');
  await expect(new Patience(60_000, () => false).afterFailure(error, null, undefined)).rejects.toBe(error);
});

test('a server that wants to be left alone for longer than the patience is given up at once', async () => {
  const error = new Error('busy');
  await expect(new Patience(10_000, () => true).afterFailure(error, 11_000, undefined)).rejects.toBe(error);
});

test('a pause ends when the signal aborts, with its reason', async () => {
  const controller = new AbortController();
  const paused = pause(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(paused).rejects.toThrow('enough');
  await expect(pause(0, controller.signal)).rejects.toThrow('enough');
});
