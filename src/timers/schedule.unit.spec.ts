import { defaultPolicy } from '../agents/domain/policy';
import { firstDue, hasMissed, nextDue } from './schedule';

const NOW = '2025-11-23T10:00:00.000Z';
const now = new Date(NOW);

type Schedule = Parameters<typeof firstDue>[0];

function every(intervalSec: number, parts: Partial<Schedule> = {}): Schedule {
  return { ...defaultPolicy, intervalSec, ...parts };
}

function at(cron: string, timezone: string | null = null, parts: Partial<Schedule> = {}): Schedule {
  return { ...defaultPolicy, cron, timezone, ...parts };
}

function seconds(count: number, from = NOW): string {
  return new Date(Date.parse(from) + count * 1_000).toISOString();
}

function due(time: string, base = time) {
  return { at: time, base };
}

/** The times that come after one another, each tick right on time. */
function times(schedule: Schedule, from: string, count: number): string[] {
  const found: string[] = [];
  let next = firstDue(schedule, new Date(from), null, 0);
  while (next && found.length < count) {
    found.push(next.at);
    next = nextDue(schedule, next, new Date(next.at), 0);
  }
  return found;
}

describe('no timer', () => {
  test.each([
    ['without a schedule', defaultPolicy],
    ['where the policy is not enabled', every(60, { enabled: false })],
    ['where the policy is not enabled, with a cron', at('* * * * *', null, { enabled: false })],
  ])('%s', (_name, schedule) => {
    expect(firstDue(schedule, now, null, 0.5)).toBeNull();
    expect(firstDue(schedule, now, due(NOW), 0.5)).toBeNull();
    expect(nextDue(schedule, due(NOW), now, 0.5)).toBeNull();
  });

  test('where the cron never comes', () => {
    expect(firstDue(at('0 0 30 2 *'), now, null, 0)).toBeNull();
  });
});

describe('an interval', () => {
  test('is first due at once, plus jitter', () => {
    expect(firstDue(every(60), now, null, 0.5)).toEqual(due(NOW));
    expect(firstDue(every(60, { jitterSec: 10 }), now, null, 0.5)).toEqual(due(seconds(5), NOW));
  });

  test('that has changed is due when it was, if that is soon enough', () => {
    expect(firstDue(every(60), now, due(seconds(60)), 0)).toEqual(due(seconds(60)));
    expect(firstDue(every(60), now, due(seconds(60.001)), 0)).toEqual(due(seconds(60)));
    expect(firstDue(every(60, { jitterSec: 10 }), now, due(seconds(600)), 0.5)).toEqual(
      due(seconds(65), seconds(60)),
    );
  });

  test('is due again one interval later, whatever jitter there was', () => {
    const schedule = every(60, { jitterSec: 30 });
    const jittered = due(seconds(29), NOW);
    expect(nextDue(schedule, jittered, new Date(seconds(29)), 0.1)).toEqual(due(seconds(63), seconds(60)));
  });

  test('does not drift, though every tick is late and jittered', () => {
    const schedule = every(60, { jitterSec: 20 });
    let next = firstDue(schedule, now, null, 0)!;
    for (let n = 1; n <= 1_000; n += 1) {
      const late = Date.parse(next.at) + (n % 37) * 1_000;
      next = nextDue(schedule, next, new Date(late), (n % 10) / 10)!;
      expect(next.base).toBe(seconds(60 * n));
    }
  });

  test('leaves out what has gone by', () => {
    expect(nextDue(every(60), due(NOW), new Date(seconds(59.999)), 0)).toEqual(due(seconds(60)));
    expect(nextDue(every(60), due(NOW), new Date(seconds(60)), 0)).toEqual(due(seconds(120)));
    expect(nextDue(every(60), due(NOW), new Date(seconds(3_630)), 0)).toEqual(due(seconds(3_660)));
  });

  test('lies ahead also for a clock that was put back', () => {
    expect(nextDue(every(60), due(NOW), new Date(seconds(-500)), 0)).toEqual(due(seconds(60)));
  });

  test('is missed where another one has gone by', () => {
    expect(hasMissed(every(60), due(NOW), new Date(seconds(59.999)))).toBe(false);
    expect(hasMissed(every(60), due(NOW), new Date(seconds(60)))).toBe(true);
  });
});

describe('a cron', () => {
  test('is due at its next time, plus jitter, and wins over an interval', () => {
    expect(firstDue(at('30 12 * * *'), now, null, 0)).toEqual(due('2025-11-23T12:30:00.000Z'));
    const both = at('30 12 * * *', null, { intervalSec: 60, jitterSec: 60 });
    expect(firstDue(both, now, due(NOW), 0.5)).toEqual(
      due('2025-11-23T12:30:30.000Z', '2025-11-23T12:30:00.000Z'),
    );
  });

  test('is due strictly after now', () => {
    expect(firstDue(at('0 10 * * *'), now, null, 0)).toEqual(due('2025-11-24T10:00:00.000Z'));
  });

  test('is read in its time zone', () => {
    expect(firstDue(at('30 12 * * *', 'Europe/Berlin'), now, null, 0)).toEqual(
      due('2025-11-23T11:30:00.000Z'),
    );
    expect(firstDue(at('30 12 * * *', 'America/New_York'), now, null, 0)).toEqual(
      due('2025-11-23T17:30:00.000Z'),
    );
  });

  test('is due after what has come, once for all that has gone by', () => {
    const late = new Date('2025-11-26T13:00:00.000Z');
    const daily = at('30 12 * * *');
    expect(nextDue(daily, due('2025-11-23T12:30:00.000Z'), late, 0)).toEqual(due('2025-11-27T12:30:00.000Z'));
  });

  test('jittered past its next time is due at the one after the tick', () => {
    const schedule = at('* * * * *', null, { jitterSec: 90 });
    const jittered = due(seconds(85), NOW);
    expect(nextDue(schedule, jittered, new Date(seconds(85)), 0)).toEqual(due(seconds(120)));
  });

  test('is missed where another one has gone by', () => {
    const daily = at('30 12 * * *');
    const first = due('2025-11-23T12:30:00.000Z');
    expect(hasMissed(daily, first, new Date('2025-11-24T12:29:59.999Z'))).toBe(false);
    expect(hasMissed(daily, first, new Date('2025-11-24T12:30:00.000Z'))).toBe(true);
    expect(hasMissed(at('0 0 30 2 *'), first, new Date('2099-01-01T00:00:00.000Z'))).toBe(false);
  });
});

describe('when the clocks change', () => {
  test.each([
    ['Europe/Berlin', '2026-03-28T12:00:00.000Z', ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']],
    [
      'America/New_York',
      '2026-03-07T12:00:00.000Z',
      ['2026-03-08T07:00:00.000Z', '2026-03-09T06:30:00.000Z'],
    ],
  ])('in %s a time that does not exist comes when the clocks have changed', (zone, from, expected) => {
    expect(times(at('30 2 * * *', zone), from, 2)).toEqual(expected);
  });

  test.each([
    [
      ...['Europe/Berlin', '30 2 * * *', '2025-10-25T12:00:00.000Z'],
      ['2025-10-26T00:30:00.000Z', '2025-10-27T01:30:00.000Z'],
    ],
    [
      ...['America/New_York', '30 1 * * *', '2025-11-01T12:00:00.000Z'],
      ['2025-11-02T05:30:00.000Z', '2025-11-03T06:30:00.000Z'],
    ],
  ] as [string, string, string, string[]][])(
    'in %s a time that comes twice is due once',
    (zone, cron, from, expected) => {
      expect(times(at(cron, zone), from, 2)).toEqual(expected);
    },
  );

  test.each([
    ['Europe/Berlin', '2026-03-28T23:30:00.000Z'],
    ['Europe/Berlin', '2025-10-25T22:30:00.000Z'],
    ['America/New_York', '2026-03-08T05:30:00.000Z'],
    ['America/New_York', '2025-11-02T04:30:00.000Z'],
  ])('in %s every hour is an hour, from %s', (zone, from) => {
    const hours = times(at('0 * * * *', zone), from, 6).map(Date.parse);
    const gaps = hours.slice(1).map((time, index) => time - hours[index]!);
    expect(gaps).toEqual([3_600_000, 3_600_000, 3_600_000, 3_600_000, 3_600_000]);
  });

  test('an interval takes no notice', () => {
    const schedule = every(3_600, { timezone: 'Europe/Berlin' });
    expect(times(schedule, '2026-03-29T00:00:00.000Z', 3)).toEqual([
      '2026-03-29T00:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-29T02:00:00.000Z',
    ]);
  });
});
