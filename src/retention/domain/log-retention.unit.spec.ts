import { agedOutUpToMs, maxAgeSecOf } from './log-retention';

const at = (day: number) => `2030-01-${`${day}`.padStart(2, '0')}T00:00:00.000Z`;
const now = new Date(at(30));
const upTo = (settings: [days: number | null, day: number][]) =>
  agedOutUpToMs(
    settings.map(([days, day]) => ({ days, at: at(day) })),
    now,
  );

describe('which output may be gone', () => {
  it('none, where nothing was ever said, or that it stays', () => {
    expect(upTo([])).toBe(-Infinity);
    expect(upTo([[null, 1]])).toBe(-Infinity);
  });

  it('that of runs that ended longer ago than it is kept', () => {
    expect(upTo([[10, 1]])).toBe(Date.parse(at(20)));
  });

  it('what went before it was to be kept longer, or while that had not been carried out yet', () => {
    const [day10, day11] = [Date.parse(at(10)), Date.parse(at(11))];
    expect(
      upTo([
        [10, 1],
        [null, 20],
      ]),
    ).toBe(day11);
    expect(
      upTo([
        [10, 1],
        [20, 20],
      ]),
    ).toBe(day11);
    expect(
      upTo([
        [20, 1],
        [10, 5],
        [20, 20],
      ]),
    ).toBe(day11);
    expect(upTo([[20, 1]])).toBe(day10);
  });
});

describe('the maximum age of a log', () => {
  it('counts from the end of the run: nothing of a long one goes early', () => {
    expect(maxAgeSecOf(1, { startedAt: at(1), finishedAt: at(3) })).toBe(3 * 86_400);
    expect(maxAgeSecOf(1, { startedAt: null, finishedAt: at(3) })).toBe(86_400);
  });
});
