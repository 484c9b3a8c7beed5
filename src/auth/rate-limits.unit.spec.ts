import type { Principal } from './principal';
import { SERVER_ADMIN } from './principal';
import { RateLimits } from './rate-limits';

let nowMs: number;
let limits: RateLimits;

beforeEach(() => {
  nowMs = 1_000_000;
  limits = new RateLimits({ perToken: 10, perRun: 1 }, () => nowMs);
});

const token = (key: string): Principal => ({ ...SERVER_ADMIN, companyId: 'c', key });
const run: Principal = { ...token('run/r'), runId: 'r' };

/** How many of `tries` requests are taken. */
function taken(principal: Principal, tries = 100): number {
  let count = 0;
  for (let attempt = 0; attempt < tries; attempt++) {
    try {
      limits.take(principal);
      count++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'rate_limited' });
    }
  }
  return count;
}

test('two seconds’ worth may come at once, then as many as the rate says', () => {
  expect(taken(token('a'))).toBe(20);
  nowMs += 1_000;
  expect(taken(token('a'))).toBe(10);
  nowMs += 50;
  expect(taken(token('a'))).toBe(0);
  nowMs += 50;
  expect(taken(token('a'))).toBe(1);
});

test('who asks seldom does not save up for more', () => {
  taken(token('a'));
  nowMs += 3_600_000;
  expect(taken(token('a'))).toBe(20);
});

test('each token has its own, runs have theirs, and the server’s own has none', () => {
  expect(taken(token('a'))).toBe(20);
  expect(taken(token('b'))).toBe(20);
  expect(taken(run)).toBe(2);
  expect(taken(SERVER_ADMIN)).toBe(100);
});

test('a rate of 0 is none', () => {
  limits = new RateLimits({ perToken: 0, perRun: 0 }, () => nowMs);
  expect(taken(token('a')) + taken(run)).toBe(200);
});

test('many tokens are forgotten once they have all they may have, and not before', () => {
  taken(token('eager'));
  for (let n = 0; n < 15_000; n++) limits.take(token(`t${n}`));
  expect(taken(token('eager'))).toBe(0);
  nowMs += 2_000;
  limits.take(token('one more'));
  expect((limits as unknown as { buckets: Map<string, unknown> }).buckets.size).toBe(1);
});
