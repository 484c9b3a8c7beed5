import {
  finished,
  finishedUnstarted,
  hoursLater,
  joinedRun,
  paused,
  queued,
  queuedRun,
  registered,
  requested,
  runningRun,
  secondsLater,
  skipped,
  start,
  started,
  waitingWakeup,
  wake,
  NOW,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import type { HeartbeatPolicy } from './policy';

const given = givenFor(agentDecider);

const a = { coalesceKey: 'a' };

describe('a daily cap', () => {
  const two = registered({ maxDailyRuns: 2, maxConcurrentRuns: 5 });
  const ran = (n: number) => [...runningRun(n), finished(n)];
  const midnight = '2025-11-24T00:00:00.000Z';
  const tooEarly = '2025-11-23T23:59:59.999Z';

  test('skips what would be one too many', () => {
    given(two, ran(1)).when(wake(2)).then(queuedRun(2));
    given(two, ran(1), ran(2)).when(wake(3)).then(requested(3), skipped(3, 'runs.dailyCap'));
    given(two, ran(1), runningRun(2, a)).when(wake(3)).then(requested(3), skipped(3, 'runs.dailyCap'));
  });

  test('counts what is queued as if it had started', () => {
    given(two, ran(1), queuedRun(2)).when(wake(3)).then(requested(3), skipped(3, 'runs.dailyCap'));
    given(two, ran(1), queuedRun(2), finishedUnstarted(2, 'cancel')).when(wake(3)).then(queuedRun(3));
  });

  test('counts anew each UTC day', () => {
    given(two, ran(1), ran(2))
      .when(wake(3, { at: tooEarly }))
      .then(requested(3, { at: tooEarly }), skipped(3, 'runs.dailyCap'));
    given(two, ran(1), ran(2))
      .when(wake(3, { at: midnight }))
      .then(queuedRun(3, { at: midnight }));
    const tomorrow = [queuedRun(3), started(3, { startedAt: midnight })].flat();
    expect(given(two, ran(1), ran(2), tomorrow).state()).toMatchObject({
      startsToday: { day: '2025-11-24', count: 1 },
    });
  });

  test('holds at the start, too, until the next day', () => {
    const history = [two, ...ran(1), ...ran(2), ...queuedRun(3)];
    given(...history)
      .when(start(3, { at: tooEarly }))
      .thenRefused('run_not_startable', { because: 'daily_cap', until: midnight });
    given(...history)
      .when(start(3, { at: midnight }))
      .then(started(3, { startedAt: midnight, lastHeartbeatAt: NOW }));
    given(two, ran(1), queuedRun(2))
      .when(start(2))
      .then(started(2, { lastHeartbeatAt: NOW }));
  });

  test('is none where the policy has none', () => {
    given(registered(), ...[1, 2, 3].map(ran))
      .when(wake(4))
      .then(queuedRun(4));
  });
});

describe('a circuit breaker', () => {
  const coolDownSec = 60;
  const breaker: Partial<HeartbeatPolicy> = { circuitBreaker: { failures: 2, coolDownSec } };
  const failed = (n: number, parts: Parameters<typeof finished>[1] = {}): AgentEvent[] => [
    ...runningRun(n),
    finished(n, { status: 'failed', ...parts }),
  ];
  const open = [registered(breaker), ...failed(1), ...failed(2)];
  const skip = (n: number, at?: string) => [
    requested(n, at ? { at } : {}),
    skipped(n, 'circuit.open' as const),
  ];
  const cool = secondsLater(coolDownSec);

  test('opens after so many failures in a row', () => {
    given(registered(breaker), failed(1)).when(wake(3)).then(queuedRun(3));
    given(...open)
      .when(wake(3))
      .then(skip(3));
    given(registered(breaker), failed(1), failed(2, { status: 'timed_out' }))
      .when(wake(3))
      .then(skip(3));
  });

  test('counts only those in a row: a success starts anew, a cancelled run is neither', () => {
    const between = (status: 'succeeded' | 'cancelled') => [...runningRun(5), finished(5, { status })];
    given(registered(breaker), failed(1), between('succeeded'), failed(2)).when(wake(3)).then(queuedRun(3));
    given(registered(breaker), failed(1), between('cancelled'), failed(2)).when(wake(3)).then(skip(3));
  });

  test('does not count what never ran', () => {
    given(registered(breaker), failed(1), queuedRun(2), finishedUnstarted(2, 'timeout'))
      .when(wake(3))
      .then(queuedRun(3));
  });

  test('stays open for the cool-down, counted from the last failure', () => {
    const early = secondsLater(coolDownSec - 0.001);
    given(...open)
      .when(wake(3, { at: early }))
      .then(skip(3, early));
    const lastFailure = failed(2, { finishedAt: secondsLater(10) });
    given(registered(breaker), failed(1), lastFailure)
      .when(wake(3, { at: cool }))
      .then(skip(3, cool));
  });

  test('then lets one trial through', () => {
    given(...open)
      .when(wake(3, { at: cool }))
      .then(queuedRun(3, { at: cool }));
    for (const trial of [queuedRun(3, a), runningRun(3, a)]) {
      given(...open, trial)
        .when(wake(4, { at: cool }))
        .then(skip(4, cool));
    }
  });

  test('closes when the trial succeeds, and opens again when it fails', () => {
    given(...open, runningRun(3), finished(3))
      .when(wake(4))
      .then(queuedRun(4));
    const again = [...open, ...failed(3, { finishedAt: cool })];
    given(...again)
      .when(wake(4, { at: cool }))
      .then(skip(4, cool));
    const coolAgain = secondsLater(2 * coolDownSec);
    given(...again)
      .when(wake(4, { at: coolAgain }))
      .then(queuedRun(4, { at: coolAgain }));
  });

  test('lets a person through', () => {
    given(...open)
      .when(wake(3, { triggerDetail: 'manual' }))
      .then(queuedRun(3, { triggerDetail: 'manual' }));
  });

  describe('where something is queued already', () => {
    const refusal = { because: 'circuit.open', until: cool };

    test('a retry or a follow-up waits for the cool-down', () => {
      given(...open, queuedRun(3))
        .when(start(3))
        .thenRefused('run_not_startable', refusal);
      given(...open, queuedRun(3))
        .when(start(3, { at: cool }))
        .then(started(3, { startedAt: cool, lastHeartbeatAt: NOW }));
    });

    test('then there is one trial, and the rest waits for its end', () => {
      const two = [...queuedRun(3, a), ...queuedRun(4)];
      given(registered({ ...breaker, maxConcurrentRuns: 2 }), failed(1), failed(2), two, started(3))
        .when(start(4, { at: cool }))
        .thenRefused('run_not_startable', { ...refusal, until: null });
    });

    test('a person does not join what waits for the cool-down', () => {
      const manual = { triggerDetail: 'manual' } as const;
      given(...open, queuedRun(3))
        .when(wake(4, manual))
        .then(queuedRun(4, manual));
      given(...open, queuedRun(3), queuedRun(4, manual))
        .when(start(4))
        .then(started(4, { ...manual, lastHeartbeatAt: NOW }));
      given(...open, queuedRun(3, manual))
        .when(wake(4, manual))
        .then(requested(4, manual), joinedRun(4, 3));
    });
  });

  test('is asked after the daily cap', () => {
    const capped = registered({ ...breaker, maxDailyRuns: 2 });
    given(capped, failed(1), failed(2)).when(wake(3)).then(requested(3), skipped(3, 'runs.dailyCap'));
  });
});

describe('a paused company', () => {
  const companyPaused = true;

  test('refuses its agents to be woken', () => {
    given(registered())
      .when(wake(1, { companyPaused }))
      .thenRefused('agent_not_wakeable', { status: 'company.paused' });
  });

  test('after the agent itself, and after a repeat', () => {
    given(registered(), paused)
      .when(wake(1, { companyPaused }))
      .thenRefused('agent_not_wakeable', { status: 'paused' });
    const key = { keyHash: 'k1' };
    given(registered(), requested(1, key), queued(1))
      .when(wake(2, { ...key, companyPaused }))
      .thenNothing();
  });

  test('starts and releases nothing, and lets go of it on its return', () => {
    const notNow = ['run_not_startable', { because: 'company.paused', until: null }] as const;
    given(registered(), queuedRun(1))
      .when(start(1, { companyPaused }))
      .thenRefused(...notNow);
    given(registered(), runningRun(1)).when(start(1, { companyPaused })).thenNothing();
    const history = [registered(), ...runningRun(1), ...waitingWakeup(2), finished(1)];
    const release = { type: 'ReleaseDeferredWakeups', at: hoursLater(1) } as const;
    given(...history)
      .when({ ...release, companyPaused })
      .thenNothing();
    given(...history)
      .when({ ...release, companyPaused: false })
      .then(queued(2));
  });

  test('coalesces as before once it is back', () => {
    given(registered(), queuedRun(1)).when(wake(2)).then(requested(2), joinedRun(2, 1));
  });
});
