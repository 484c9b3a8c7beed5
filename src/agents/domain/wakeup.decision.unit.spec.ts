import {
  cancelledWakeup,
  deferred,
  delayedWakeup,
  endRequested,
  finished,
  finishedUnstarted,
  hoursLater,
  joinedDeferred,
  joinedRun,
  paused,
  queued,
  queuedRun,
  registered,
  requested,
  runningRun,
  skipped,
  started,
  terminated,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent, WakeupSource } from './agent.events';
import { MAX_KEYS, MAX_OPEN_WAKEUPS } from './agent.state';
import type { HeartbeatPolicy } from './policy';

const given = givenFor(agentDecider);

const key = { keyHash: 'k1', requestHash: 'h1' };
const pending = registered({}, { requiresApproval: true });

function busyWith(policy: Partial<HeartbeatPolicy>): AgentEvent[] {
  return [registered(policy), ...runningRun(1)];
}

/** As many open wakeups as an agent may have, the first of them running, none with the key `free`. */
function crowded(policy: Partial<HeartbeatPolicy> = {}): AgentEvent[] {
  const others = Array.from({ length: MAX_OPEN_WAKEUPS - 1 }, (_, index) =>
    waitingWakeup(index + 2, { coalesceKey: `key ${index + 2}` }),
  );
  return [registered(policy), ...runningRun(1), ...others.flat()];
}

describe('rule 2: an idempotency key', () => {
  const keyed = [registered(), requested(1, key), queued(1)];

  test('used again for the same request changes nothing', () => {
    given(...keyed)
      .when(wake(2, key))
      .thenNothing();
  });

  test.each<[string, AgentEvent[]]>([
    ['deferred', [registered(), ...runningRun(9), requested(1, key), deferred(1)]],
    ['coalesced', [registered(), ...queuedRun(9), requested(1, key), joinedRun(1, 9)]],
    ['skipped', [registered({ wakeOnDemand: false }), requested(1, key), skipped(1, 'heartbeat.disabled')]],
    ['running', [...keyed, started(1)]],
    ['completed', [...keyed, started(1), finished(1)]],
  ])('is remembered for a wakeup that is %s', (_status, history) => {
    given(...history)
      .when(wake(2, key))
      .thenNothing();
  });

  test('used again for another request is refused', () => {
    given(...keyed)
      .when(wake(2, { ...key, requestHash: 'h2' }))
      .thenRefused('idempotency_key_reused', { wakeupId: 'w1' });
  });

  test.each<[string, AgentEvent]>([
    ['paused', paused],
    ['terminated', terminated],
  ])('comes before the status: of a %s agent', (_status, event) => {
    given(...keyed, event)
      .when(wake(2, key))
      .thenNothing();
    given(...keyed, event)
      .when(wake(2, { ...key, requestHash: 'h2' }))
      .thenRefused('idempotency_key_reused', { wakeupId: 'w1' });
  });

  test('comes before the policy and before what is open', () => {
    given(...keyed, updated({ wakeOnDemand: false }))
      .when(wake(2, key))
      .thenNothing();
    given(...crowded(), finished(1), [requested(5000, key), queued(5000)])
      .when(wake(5001, key))
      .thenNothing();
    given(...busyWith({ whenBusy: 'reject' }), requested(2, key))
      .when(wake(3, key))
      .thenNothing();
  });

  test('counts for 24 hours', () => {
    const almost = new Date(Date.parse(hoursLater(24)) - 1).toISOString();
    given(...keyed)
      .when(wake(2, { ...key, at: almost }))
      .thenNothing();
    const later = { ...key, at: hoursLater(24) };
    given(...keyed)
      .when(wake(2, later))
      .then(requested(2, later), joinedRun(2, 1));
    const other = { ...later, requestHash: 'h2' };
    given(...keyed)
      .when(wake(2, other))
      .then(requested(2, other), joinedRun(2, 1));
  });

  test('that is used anew after a day counts from then on, for the new wakeup', () => {
    const again = [requested(2, { ...key, requestHash: 'h2', at: hoursLater(25) }), joinedRun(2, 1)];
    given(...keyed, again)
      .when(wake(3, { ...key, requestHash: 'h2', at: hoursLater(48) }))
      .thenNothing();
    given(...keyed, again)
      .when(wake(3, { ...key, at: hoursLater(48) }))
      .thenRefused('idempotency_key_reused', { wakeupId: 'w2' });
  });

  test('is one of several', () => {
    const other = { ...key, keyHash: 'k2' };
    given(...keyed)
      .when(wake(2, other))
      .then(requested(2, other), joinedRun(2, 1));
  });

  test('is not needed: requests without one are all new', () => {
    given(registered(), queuedRun(1)).when(wake(2)).then(requested(2), joinedRun(2, 1));
  });

  describe('is forgotten', () => {
    const used = Array.from({ length: MAX_KEYS }, (_, n) => [
      requested(n, { keyHash: `k${n}` }),
      skipped(n, 'heartbeat.disabled'),
    ]).flat();
    const asked = (keyHash: string) => ({ keyHash });

    test('when 10,000 newer ones have come', () => {
      const full = [registered(), ...used];
      given(...full)
        .when(wake(20_000, asked('k0')))
        .thenNothing();
      const oneMore = [...full, ...queuedRun(10_000, asked('one more'))];
      given(...oneMore)
        .when(wake(20_000, asked('k0')))
        .then(requested(20_000, asked('k0')), joinedRun(20_000, 10_000));
      given(...oneMore)
        .when(wake(20_000, asked('k1')))
        .thenNothing();
    });

    test('later where it was used anew', () => {
      const renewed = [requested(10_000, { keyHash: 'k0', at: hoursLater(25) }), queued(10_000)];
      const history = [
        registered(),
        ...used,
        ...renewed,
        requested(10_001, asked('one more')),
        queued(10_001),
      ];
      given(...history)
        .when(wake(20_000, { keyHash: 'k0', at: hoursLater(25) }))
        .thenNothing();
      given(...history)
        .when(wake(20_000, asked('k1')))
        .then(requested(20_000, asked('k1')), joinedRun(20_000, 10_000));
    });
  });
});

describe('rule 3: an agent that cannot be woken', () => {
  test.each<[string, AgentEvent[]]>([
    ['pending_approval', [pending]],
    ['paused', [registered(), paused]],
    ['terminated', [registered(), terminated]],
  ])('because it is %s refuses', (status, history) => {
    given(...history)
      .when(wake(1, key))
      .thenRefused('agent_not_wakeable', { status });
  });

  test('refuses before its policy skips', () => {
    const policy = { enabled: false, wakeOnDemand: false };
    for (const source of ['timer', 'assignment'] as const) {
      given(registered(policy), paused)
        .when(wake(1, { source }))
        .thenRefused('agent_not_wakeable', { status: 'paused' });
    }
  });

  test('refuses before anything is coalesced', () => {
    given(registered(), queuedRun(1), paused)
      .when(wake(2))
      .thenRefused('agent_not_wakeable', { status: 'paused' });
  });
});

describe('rule 4: the policy skips', () => {
  const demands: WakeupSource[] = ['assignment', 'on_demand', 'automation'];

  test('timers where it is not enabled', () => {
    const timer = { source: 'timer', ...key } as const;
    given(registered({ enabled: false }))
      .when(wake(1, timer))
      .then(requested(1, timer), skipped(1, 'heartbeat.disabled'));
    given(registered({ enabled: false, wakeOnDemand: true }))
      .when(wake(1))
      .then(queuedRun(1));
  });

  test.each(demands)('%s where it does not wake on demand', (source) => {
    given(registered({ wakeOnDemand: false }))
      .when(wake(1, { source }))
      .then(requested(1, { source }), skipped(1, 'heartbeat.wakeOnDemand.disabled'));
  });

  test('no timer for want of waking on demand', () => {
    const timer = { source: 'timer' } as const;
    given(registered({ wakeOnDemand: false }))
      .when(wake(1, timer))
      .then(queuedRun(1, timer));
  });

  test('as it is now, not as it was', () => {
    given(registered(), updated({ wakeOnDemand: false }))
      .when(wake(1))
      .then(requested(1), skipped(1, 'heartbeat.wakeOnDemand.disabled'));
    given(registered({ wakeOnDemand: false }), updated({}))
      .when(wake(1))
      .then(queuedRun(1));
  });

  test('before anything is coalesced, deferred, rejected or too much', () => {
    const off = { wakeOnDemand: false };
    const skip = (n: number) => [requested(n), skipped(n, 'heartbeat.wakeOnDemand.disabled')];
    given(registered(off), queuedRun(1)).when(wake(2)).then(skip(2));
    given(...busyWith(off), waitingWakeup(2))
      .when(wake(3))
      .then(skip(3));
    given(...busyWith({ ...off, whenBusy: 'reject' }))
      .when(wake(2))
      .then(skip(2));
    given(...crowded(off))
      .when(wake(5000))
      .then(skip(5000));
  });
});

describe('rule 5: too many open wakeups', () => {
  const free = { coalesceKey: 'free' };
  const tooMany = ['too_many_open_wakeups', { limit: MAX_OPEN_WAKEUPS }] as const;

  test('are refused at 1,000', () => {
    given(...crowded())
      .when(wake(5000, free))
      .thenRefused(...tooMany);
  });

  test('are refused also where a slot is free, or each wakeup gets a run of its own', () => {
    given(...crowded({ maxConcurrentRuns: 2 }))
      .when(wake(5000, free))
      .thenRefused(...tooMany);
    given(...crowded({ whenBusy: 'enqueue' }))
      .when(wake(5000))
      .thenRefused(...tooMany);
  });

  test('come before the agent is found to be busy', () => {
    given(...crowded({ whenBusy: 'reject' }))
      .when(wake(5000))
      .thenRefused(...tooMany);
  });

  test.each<[string, AgentEvent[]]>([
    ['has ended', [endRequested(1, 'cancel'), finished(1)]],
    ['was cancelled', [cancelledWakeup(2, 'agent.terminated')]],
  ])('are few enough again when one %s', (_name, ending) => {
    given(...crowded(), ending)
      .when(wake(5000, { coalesceKey: 'key 3' }))
      .then(requested(5000, { coalesceKey: 'key 3' }), joinedDeferred(5000, 3));
    const history = [...crowded({ maxConcurrentRuns: 2 }), ...ending];
    given(...history)
      .when(wake(5000, free))
      .then(queuedRun(5000, free));
  });

  test('one less than that is not too many', () => {
    const [, ...others] = crowded();
    const fewer = others.filter(({ data }) => !('wakeupId' in data && data.wakeupId === 'w2'));
    given(registered(), ...fewer)
      .when(wake(5000, { coalesceKey: null }))
      .then(waitingWakeup(5000));
  });

  test('are refused also where another one would absorb them', () => {
    given(...crowded())
      .when(wake(5000, { coalesceKey: 'key 2' }))
      .thenRefused(...tooMany);
  });

  test('skipped and coalesced ones are not open', () => {
    const joined = Array.from({ length: MAX_OPEN_WAKEUPS }, (_, index) => [
      requested(index + 2),
      joinedRun(index + 2, 1),
    ]);
    const state = given(registered(), queuedRun(1), ...joined).state();
    expect('wakeups' in state && state.wakeups.size).toBe(1);
  });
});

describe('rule 6: a queued run', () => {
  test('of the whole agent absorbs', () => {
    given(registered(), queuedRun(1)).when(wake(2)).then(requested(2), joinedRun(2, 1));
  });

  test('of the same key absorbs, of another does not', () => {
    const a = { coalesceKey: 'a' };
    const b = { coalesceKey: 'b' };
    given(registered(), queuedRun(1), queuedRun(2, a))
      .when(wake(3, a))
      .then(requested(3, a), joinedRun(3, 2));
    given(registered(), queuedRun(1, a)).when(wake(2, b)).then(queuedRun(2, b));
    given(registered(), queuedRun(1, a)).when(wake(2)).then(queuedRun(2));
    given(registered(), queuedRun(1)).when(wake(2, a)).then(queuedRun(2, a));
  });

  test('absorbs every time', () => {
    given(registered(), queuedRun(1), [requested(2), joinedRun(2, 1)])
      .when(wake(3))
      .then(requested(3), joinedRun(3, 1));
  });

  test('that could not start now does not absorb: a slot is needed', () => {
    const a = { coalesceKey: 'a' };
    const b = { coalesceKey: 'b' };
    given(registered(), queuedRun(1, a), runningRun(2, b)).when(wake(3, a)).then(waitingWakeup(3, a));
  });

  test('that could not start now does not absorb: a run of its key is running', () => {
    const history = [
      registered({ maxConcurrentRuns: 2, whenBusy: 'enqueue' }),
      ...runningRun(1),
      ...queuedRun(2),
      updated({ maxConcurrentRuns: 2 }),
    ];
    given(...history)
      .when(wake(3))
      .then(waitingWakeup(3));
  });

  test('absorbs before a deferred wakeup does', () => {
    const history = [registered(), ...runningRun(1), ...waitingWakeup(2), finished(1), ...queuedRun(3)];
    given(...history)
      .when(wake(4))
      .then(requested(4), joinedRun(4, 3));
  });

  test('of several, the oldest absorbs', () => {
    const history = [registered({ whenBusy: 'enqueue' }), ...queuedRun(1), ...queuedRun(2), updated({})];
    given(...history)
      .when(wake(3))
      .then(requested(3), joinedRun(3, 1));
  });

  test('that is over, or has started, does not absorb', () => {
    given(registered(), queuedRun(1), finishedUnstarted(1, 'cancel')).when(wake(2)).then(queuedRun(2));
    given(registered(), runningRun(1)).when(wake(2)).then(waitingWakeup(2));
  });

  test('is made for each wakeup where they are enqueued', () => {
    const enqueue = { whenBusy: 'enqueue' } as const;
    const asked = { priority: 5, taskKey: 't', triggerDetail: 'ping', source: 'automation' } as const;
    given(registered(enqueue), queuedRun(1)).when(wake(2, asked)).then(queuedRun(2, asked));
    given(...busyWith(enqueue), queuedRun(2))
      .when(wake(3))
      .then(queuedRun(3));
  });

  test('is made for each wakeup also where an older one still waits', () => {
    given(...busyWith({}), waitingWakeup(2), updated({ whenBusy: 'enqueue' }))
      .when(wake(3))
      .then(queuedRun(3));
  });
});

describe('rule 7: a deferred wakeup', () => {
  test('absorbs, also the third and the fourth', () => {
    given(...busyWith({}), waitingWakeup(2))
      .when(wake(3))
      .then(requested(3), joinedDeferred(3, 2));
    given(...busyWith({}), waitingWakeup(2), [requested(3), joinedDeferred(3, 2)])
      .when(wake(4))
      .then(requested(4), joinedDeferred(4, 2));
  });

  test('absorbs its own key only', () => {
    const a = { coalesceKey: 'a' };
    given(...busyWith({}), waitingWakeup(2))
      .when(wake(3, a))
      .then(waitingWakeup(3, a));
    given(...busyWith({}), waitingWakeup(2, a))
      .when(wake(3))
      .then(waitingWakeup(3));
    given(...busyWith({}), waitingWakeup(2), waitingWakeup(3, a))
      .when(wake(4, a))
      .then(requested(4, a), joinedDeferred(4, 3));
  });

  test('absorbs also in the moment between an end and its release', () => {
    given(...busyWith({}), waitingWakeup(2), finished(1))
      .when(wake(3))
      .then(requested(3), joinedDeferred(3, 2));
  });

  test('absorbs before a busy agent rejects', () => {
    given(...busyWith({}), waitingWakeup(2), updated({ whenBusy: 'reject' }))
      .when(wake(3))
      .then(requested(3), joinedDeferred(3, 2));
  });

  test('that waits for a time, not for the agent, does not absorb', () => {
    given(registered(), delayedWakeup(1, hoursLater(1)))
      .when(wake(2))
      .then(queuedRun(2));
  });

  test('that was released or cancelled does not absorb', () => {
    given(...busyWith({}), waitingWakeup(2), finished(1), [queued(2), started(2)])
      .when(wake(3))
      .then(waitingWakeup(3));
    given(...busyWith({}), waitingWakeup(2), cancelledWakeup(2, 'agent.terminated'))
      .when(wake(3))
      .then(waitingWakeup(3));
  });
});

describe('rule 8: a slot', () => {
  test('that is free gives a queued run', () => {
    const asked = { source: 'assignment', triggerDetail: 'callback', priority: 7, taskKey: 't' } as const;
    given(registered()).when(wake(1)).then(queuedRun(1));
    given(registered()).when(wake(1, asked)).then(queuedRun(1, asked));
    given(registered(), runningRun(1), finished(1)).when(wake(2)).then(queuedRun(2));
  });

  test('is for one key among several', () => {
    const policy = { maxConcurrentRuns: 2 };
    const a = { coalesceKey: 'a' };
    const b = { coalesceKey: 'b' };
    given(registered(policy), runningRun(1, a)).when(wake(2, b)).then(queuedRun(2, b));
    given(registered(policy), runningRun(1, a)).when(wake(2, a)).then(waitingWakeup(2, a));
    given(registered(policy), runningRun(1, a), runningRun(2, b)).when(wake(3)).then(waitingWakeup(3));
  });

  test('is taken by what runs, not by what is queued', () => {
    given(registered(), queuedRun(1, { coalesceKey: 'a' }))
      .when(wake(2, { coalesceKey: 'b' }))
      .then(queuedRun(2, { coalesceKey: 'b' }));
  });

  test('is taken until the run is over, not until it is asked to end', () => {
    given(...busyWith({}), endRequested(1, 'cancel'))
      .when(wake(2))
      .then(waitingWakeup(2));
  });

  test('counts by the policy that is in force', () => {
    const a = { coalesceKey: 'a' };
    given(...busyWith({}), updated({ maxConcurrentRuns: 2 }))
      .when(wake(2, a))
      .then(queuedRun(2, a));
    given(...busyWith({ maxConcurrentRuns: 2 }), updated({}))
      .when(wake(2, a))
      .then(waitingWakeup(2, a));
  });

  test('that is missing defers for a day, with a run reserved', () => {
    const asked = { at: hoursLater(3), coalesceKey: 'a' };
    given(...busyWith({}))
      .when(wake(2, asked))
      .then(requested(2, asked), {
        type: 'WakeupDeferred',
        data: {
          ...{ companyId: 'company-1', agentId: 'agent-1', wakeupId: 'w2', runId: 'r2' },
          ...{ reason: 'agent.busy', dueAt: null, deadlineAt: hoursLater(27) },
        },
      });
  });

  test('that is missing refuses where the policy rejects', () => {
    given(...busyWith({ whenBusy: 'reject' }))
      .when(wake(2))
      .thenRefused('agent_busy');
    given(registered({ whenBusy: 'reject' }))
      .when(wake(1))
      .then(queuedRun(1));
  });
});

describe('releasing', () => {
  const release = {
    type: 'ReleaseDeferredWakeups',
    at: hoursLater(1),
    companyPaused: false,
  } as const;
  const a = { coalesceKey: 'a' };
  const b = { coalesceKey: 'b' };

  test('makes the run that was reserved, for what was asked', () => {
    const asked = { source: 'assignment', triggerDetail: 'ping', priority: 3, taskKey: 't' } as const;
    given(...busyWith({}), waitingWakeup(2, asked), finished(1))
      .when(release)
      .then(queued(2, asked));
  });

  test('once', () => {
    given(...busyWith({}), waitingWakeup(2), finished(1), queued(2))
      .when(release)
      .thenNothing();
  });

  test('waits for a slot', () => {
    given(...busyWith({}), waitingWakeup(2))
      .when(release)
      .thenNothing();
    given(...busyWith({}), waitingWakeup(2, a))
      .when(release)
      .thenNothing();
    given(...busyWith({}), waitingWakeup(2, a), updated({ maxConcurrentRuns: 2 }))
      .when(release)
      .then(queued(2, a));
  });

  test('waits for the run of its key', () => {
    given(...busyWith({ maxConcurrentRuns: 3 }), waitingWakeup(2), waitingWakeup(3, a))
      .when(release)
      .then(queued(3, a));
  });

  test('lets the oldest go first, as many as there are slots', () => {
    const c = { coalesceKey: 'c' };
    const history = [
      registered({ maxConcurrentRuns: 2 }),
      ...[runningRun(1, { coalesceKey: 'x' }), runningRun(2, { coalesceKey: 'y' })].flat(),
      ...[waitingWakeup(3, a), waitingWakeup(4, b), waitingWakeup(5, c)].flat(),
      finished(1, { lastRunning: false }),
    ];
    given(...history)
      .when(release)
      .then(queued(3, a));
    given(...history, finished(2))
      .when(release)
      .then(queued(3, a), queued(4, b));
  });

  test('counts a queued run as one that takes its slot', () => {
    given(...busyWith({}), waitingWakeup(2), finished(1), queuedRun(3, a))
      .when(release)
      .thenNothing();
    given(...busyWith({ maxConcurrentRuns: 2 }), waitingWakeup(2), finished(1), queuedRun(3, a))
      .when(release)
      .then(queued(2));
  });

  test('goes on when a queued run is cancelled', () => {
    given(...busyWith({}), waitingWakeup(2), finished(1), queuedRun(3, a), finishedUnstarted(3, 'cancel'))
      .when(release)
      .then(queued(2));
  });

  test.each<[string, AgentEvent]>([
    ['paused', paused],
    ['terminated', terminated],
  ])('is not for a %s agent', (_status, event) => {
    given(...busyWith({}), waitingWakeup(2), finished(1), event)
      .when(release)
      .thenNothing();
  });

  test('has nothing to do where nothing waits', () => {
    given(registered()).when(release).thenNothing();
    given(registered(), queuedRun(1)).when(release).thenNothing();
  });
});
