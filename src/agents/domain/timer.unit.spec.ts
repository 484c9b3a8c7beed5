import {
  byTimer,
  due,
  dueAt,
  deferred,
  finished,
  hoursLater,
  joinedDeferred,
  joinedRun,
  NOW,
  paused,
  queued,
  queuedRun,
  registered,
  requested,
  resumed,
  runningRun,
  skipped,
  terminated,
  timer,
  timerScheduled,
  updated,
  waitingWakeup,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent, SkipReason } from './agent.events';
import type { HeartbeatPolicy } from './policy';

const given = givenFor(agentDecider);

const next = dueAt(hoursLater(1));
const after = dueAt(hoursLater(2));
const hourly = { intervalSec: 3_600 };

/** An agent whose timer is due an hour from now. */
function ticking(policy: Partial<HeartbeatPolicy> = {}): AgentEvent[] {
  return [registered({ ...hourly, ...policy }), timerScheduled(next)];
}

/** Wakeup 1 comes from the timer. */
function asked(at = next.at) {
  return requested(1, { ...byTimer, at });
}

function goesOff(at = next.at, { missed = false, companyPaused = false } = {}) {
  return due(at, { companyPaused, timer: timer(1, after, { at }, missed) });
}

describe('scheduling', () => {
  const schedule = { type: 'ScheduleTimer', at: NOW, version: 1, due: next } as const;

  test('says when the timer is due', () => {
    given(registered(hourly)).when(schedule).then(timerScheduled(next));
    expect(given(...ticking()).state()).toMatchObject({ nextDue: next });
  });

  test('to the same time changes nothing', () => {
    given(...ticking())
      .when(schedule)
      .thenNothing();
    given(registered())
      .when({ ...schedule, due: null })
      .thenNothing();
  });

  test('of a policy that is not in force any more changes nothing', () => {
    given(registered(hourly), updated({})).when(schedule).thenNothing();
    given(registered(), updated(hourly))
      .when({ ...schedule, version: 2 })
      .then(timerScheduled(next));
  });

  test('takes the timer away', () => {
    given(...ticking(), updated({}))
      .when({ ...schedule, version: 2, due: null })
      .then(timerScheduled(null));
    given(...ticking(), timerScheduled(null))
      .when(goesOff())
      .thenNothing();
  });

  test('is over with the agent', () => {
    given(registered(hourly), terminated).when(schedule).thenNothing();
    expect(given(...ticking(), terminated).state()).toMatchObject({ nextDue: null });
    given(...ticking(), terminated)
      .when(goesOff())
      .thenNothing();
  });

  test('goes on while the agent is paused', () => {
    given(registered(hourly), paused).when(schedule).then(timerScheduled(next));
  });
});

describe('a timer that is due', () => {
  test('wakes the agent, and is due again', () => {
    given(...ticking())
      .when(goesOff())
      .then(asked(), queued(1, byTimer), timerScheduled(after));
  });

  test('wakes it once', () => {
    given(...ticking(), asked(), queued(1, byTimer), timerScheduled(after))
      .when(goesOff())
      .thenNothing();
  });

  test('is left alone before its time, and where the caller sees no timer', () => {
    given(...ticking())
      .when(goesOff(new Date(Date.parse(next.at) - 1).toISOString()))
      .thenNothing();
    given(...ticking())
      .when(due(hoursLater(10)))
      .thenNothing();
  });

  test('late by less than an interval wakes all the same', () => {
    for (const catchUp of ['once', 'skip'] as const) {
      const at = hoursLater(1.9);
      given(...ticking({ catchUp }))
        .when(goesOff(at))
        .then(asked(at), queued(1, byTimer), timerScheduled(after));
    }
  });

  test('after downtime wakes once or not at all, as the policy says', () => {
    const at = hoursLater(30);
    given(...ticking({ catchUp: 'once' }))
      .when(goesOff(at, { missed: true }))
      .then(asked(at), queued(1, byTimer), timerScheduled(after));
    given(...ticking({ catchUp: 'skip' }))
      .when(goesOff(at, { missed: true }))
      .then(asked(at), skipped(1, 'timer.missed'), timerScheduled(after));
  });

  test('comes after the wakeups that are due', () => {
    const delayed = { notBefore: next.at, coalesceKey: 'a' };
    const waits = deferred(5, delayed);
    const data = { ...waits.data, reason: 'not.before', dueAt: next.at } as const;
    given(...ticking(), [requested(5, delayed), { ...waits, data }])
      .when(goesOff())
      .then(queued(5, delayed), asked(), queued(1, byTimer), timerScheduled(after));
  });
});

describe('a timer of an agent that cannot be woken leaves a receipt and is due again', () => {
  test.each<[string, AgentEvent[], SkipReason]>([
    ['paused', [...ticking(), paused], 'agent.paused'],
    [
      'pending approval',
      [registered(hourly, { requiresApproval: true }), timerScheduled(next)],
      'agent.pending_approval',
    ],
    ['disabled', ticking({ enabled: false }), 'heartbeat.disabled'],
    ['at its daily cap', ticking({ maxDailyRuns: 0 }), 'runs.dailyCap'],
    ['busy, and rejects', [...ticking({ whenBusy: 'reject' }), ...runningRun(9)], 'agent.busy'],
  ])('%s', (_name, history, reason) => {
    given(...history)
      .when(goesOff())
      .then(asked(), skipped(1, reason), timerScheduled(after));
  });

  test('its company is paused', () => {
    given(...ticking())
      .when(goesOff(next.at, { companyPaused: true }))
      .then(asked(), skipped(1, 'company.paused'), timerScheduled(after));
  });

  test('its status counts before the policy and before what was missed', () => {
    given(...ticking({ enabled: false, catchUp: 'skip' }), paused)
      .when(goesOff(next.at, { missed: true }))
      .then(asked(), skipped(1, 'agent.paused'), timerScheduled(after));
  });

  test('too many open wakeups', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => waitingWakeup(n + 2, { coalesceKey: `${n}` }));
    given(...ticking(), ...many)
      .when(goesOff())
      .then(asked(), skipped(1, 'wakeups.tooManyOpen'), timerScheduled(after));
  });

  test('resumed, it wakes as before', () => {
    given(...ticking(), paused, resumed)
      .when(goesOff())
      .then(asked(), queued(1, byTimer), timerScheduled(after));
  });
});

describe('runs that take longer than the interval give at most one waiting wakeup', () => {
  test('busy: the first waits, the next joins it', () => {
    const waits = deferred(1, { at: next.at });
    given(...ticking(), runningRun(9))
      .when(goesOff())
      .then(asked(), waits, timerScheduled(after));
    given(...ticking(), runningRun(9), waitingWakeup(8, byTimer))
      .when(goesOff())
      .then(asked(), joinedDeferred(1, 8), timerScheduled(after));
  });

  describe('also where each wakeup gets a run of its own', () => {
    const enqueue = ticking({ whenBusy: 'enqueue' });

    test('a queued one of the timer takes it in', () => {
      given(...enqueue, queuedRun(9, byTimer))
        .when(goesOff())
        .then(asked(), joinedRun(1, 9), timerScheduled(after));
    });

    test('what was asked for by others, runs, or is over does not', () => {
      const histories = [queuedRun(9), runningRun(9, byTimer), [...runningRun(9, byTimer), finished(9)]];
      for (const history of histories) {
        given(...enqueue, history)
          .when(goesOff())
          .then(asked(), queued(1, byTimer), timerScheduled(after));
      }
    });
  });
});
