import fc from 'fast-check';
import { keptTails } from './log-quota';

describe('the kept end of a run’s output', () => {
  test('is everything where there is room', () => {
    expect(keptTails({ stdout: 60, stderr: 40 }, 100)).toEqual({ stdout: 60, stderr: 40 });
  });

  test('is half of the room for each, and what one does not need is for the other', () => {
    expect(keptTails({ stdout: 1_000, stderr: 1_000 }, 100)).toEqual({ stdout: 50, stderr: 50 });
    expect(keptTails({ stdout: 1_000, stderr: 10 }, 100)).toEqual({ stdout: 90, stderr: 10 });
    expect(keptTails({ stdout: 0, stderr: 1_000 }, 100)).toEqual({ stdout: 0, stderr: 100 });
  });

  test('fills the room, and is never more than there is', () => {
    const bytes = fc.nat(1_000);
    fc.assert(
      fc.property(bytes, bytes, bytes, (stdout, stderr, room) => {
        const tails = keptTails({ stdout, stderr }, room);
        expect(tails.stdout + tails.stderr).toBe(Math.min(room, stdout + stderr));
        expect(tails.stdout).toBeGreaterThanOrEqual(Math.min(stdout, Math.floor(room / 2)));
        expect(tails.stderr).toBeGreaterThanOrEqual(Math.min(stderr, Math.floor(room / 2)));
        expect(tails.stdout).toBeLessThanOrEqual(stdout);
        expect(tails.stderr).toBeLessThanOrEqual(stderr);
      }),
    );
  });
});
