import {
  cancelledWakeup,
  deferredUntil,
  delayedWakeup,
  due,
  endRequested,
  expired,
  finished,
  finishedUnstarted,
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
  retried,
  runningRun,
  secondsLater,
  skipped,
  terminated,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import { MAX_OPEN_WAKEUPS } from './agent.state';

const given = givenFor(agentDecider);

const later = hoursLater(1);
const a = { coalesceKey: 'a' };
const b = { coalesceKey: 'b' };

function release(at = later, companyPaused = false) {
  return { type: 'ReleaseDeferredWakeups', at, companyPaused } as const;
}

/** Wakeup `n` was due at `dueAt`, when the agent could not be woken. */
function held(n: number, dueAt = later) {
  return deferredUntil(n, dueAt, { reason: 'agent.held' });
}

/** Wakeup `n` was due at `dueAt`, when the agent was busy. */
function busyWhenDue(n: number, dueAt = later) {
  return deferredUntil(n, dueAt, { reason: 'agent.busy' });
}

describe('a wakeup that is not to run before its time', () => {
  test('waits until then, and for a day more', () => {
    given(registered())
      .when(wake(1, { notBefore: later }))
      .then(delayedWakeup(1, later));
    expect(deferredUntil(1, later).data.deadlineAt).toBe(hoursLater(25));
  });

  test.each([NOW, secondsLater(-1)])('waits for nothing where that is now or was before: %s', (notBefore) => {
    given(registered()).when(wake(1, { notBefore })).then(requested(1, { notBefore }), queued(1));
  });

  test('is skipped at once where the policy skips it', () => {
    given(registered({ wakeOnDemand: false }))
      .when(wake(1, { notBefore: later }))
      .then(requested(1, { notBefore: later }), skipped(1, 'heartbeat.wakeOnDemand.disabled'));
  });

  test('joins nothing, and nothing joins it', () => {
    given(registered(), queuedRun(1))
      .when(wake(2, { notBefore: later }))
      .then(delayedWakeup(2, later));
    given(registered(), delayedWakeup(1, later))
      .when(wake(2, { notBefore: later }))
      .then(delayedWakeup(2, later));
  });

  test('counts as open', () => {
    const many = Array.from({ length: MAX_OPEN_WAKEUPS }, (_, n) => delayedWakeup(n + 2, later));
    given(registered(), ...many)
      .when(wake(1, { notBefore: later }))
      .thenRefused('too_many_open_wakeups', { limit: MAX_OPEN_WAKEUPS });
    given(registered(), ...many.slice(1))
      .when(wake(1, { notBefore: later }))
      .then(delayedWakeup(1, later));
  });

  test('is left alone until it is due', () => {
    given(registered(), delayedWakeup(1, later))
      .when(due(secondsLater(3_599.999)))
      .thenNothing();
    given(registered(), delayedWakeup(1, later)).when(release()).thenNothing();
  });
});

describe('when it is due it is decided anew, as if it came now', () => {
  const asked = { source: 'assignment', priority: 3, taskKey: 't' } as const;

  test('a free slot: a queued run, for what was asked', () => {
    given(registered(), delayedWakeup(1, later, asked))
      .when(due(later))
      .then(queued(1, asked));
    given(registered(), delayedWakeup(1, later), queued(1)).when(due(later)).thenNothing();
  });

  test('no slot: it waits on, its deadline stands', () => {
    given(registered(), runningRun(9), delayedWakeup(1, later)).when(due(later)).then(busyWhenDue(1));
    given(registered(), runningRun(9), delayedWakeup(1, later), busyWhenDue(1))
      .when(due(hoursLater(2)))
      .thenNothing();
  });

  test('and is released like any other', () => {
    const history = [registered(), ...runningRun(9), ...delayedWakeup(1, later), busyWhenDue(1)];
    given(...history, finished(9))
      .when(release())
      .then(queued(1));
    given(...history)
      .when(wake(2))
      .then(requested(2), joinedDeferred(2, 1));
  });

  test('a queued run, or a wakeup that waits: it joins', () => {
    given(registered(), delayedWakeup(1, later), queuedRun(9)).when(due(later)).then(joinedRun(1, 9));
    given(registered(), delayedWakeup(1, later), runningRun(8), waitingWakeup(9))
      .when(due(later))
      .then(joinedDeferred(1, 9));
  });

  test('with its request, which is not the last one', () => {
    const history = [registered(), ...delayedWakeup(1, later), ...queuedRun(9), joinedRun(1, 9)];
    const { wakeups } = given(...history).state() as RegisteredAgent;
    expect([...wakeups.values()]).toMatchObject([
      {
        requests: [
          { wakeupId: 'w9', revision: 3 },
          { wakeupId: 'w1', revision: 1 },
        ],
      },
    ]);
  });

  test('the policy says no: it is skipped', () => {
    given(registered(), delayedWakeup(1, later), updated({ wakeOnDemand: false }))
      .when(due(later))
      .then(skipped(1, 'heartbeat.wakeOnDemand.disabled'));
    const over = [skipped(1, 'heartbeat.wakeOnDemand.disabled'), updated({})];
    given(registered(), delayedWakeup(1, later), ...over)
      .when(due(later))
      .thenNothing();
  });

  test('busy, and the policy rejects: it is skipped, since nobody is there to be refused', () => {
    given(registered({ whenBusy: 'reject' }), runningRun(9), delayedWakeup(1, later))
      .when(due(later))
      .then(skipped(1, 'agent.busy'));
  });

  test('busy, and the policy interrupts: what runs is asked to end', () => {
    given(registered({ whenBusy: 'interrupt' }), runningRun(9), delayedWakeup(1, later))
      .when(due(later))
      .then(endRequested(9, 'interrupt', later), busyWhenDue(1));
  });

  test('several, each on what the ones before it have led to', () => {
    given(registered(), delayedWakeup(1, later), delayedWakeup(2, later), delayedWakeup(3, later, a))
      .when(due(later))
      .then(queued(1), joinedRun(2, 1), queued(3, a));
  });
});

describe('due while the agent cannot be woken', () => {
  const delayed = [registered(), ...delayedWakeup(1, later)];

  test('it is held, once, and its deadline stands', () => {
    given(...delayed, paused)
      .when(due(later))
      .then(held(1));
    given(...delayed, paused, held(1))
      .when(due(hoursLater(2)))
      .thenNothing();
    given(...delayed)
      .when(due(later, { companyPaused: true }))
      .then(held(1));
  });

  test('it is decided anew on the return', () => {
    const history = [...delayed, paused, held(1), resumed];
    given(...history)
      .when(release())
      .then(queued(1));
    given(...history, queuedRun(2))
      .when(release())
      .then(joinedRun(1, 2));
    given(...history, runningRun(2))
      .when(release())
      .then(busyWhenDue(1));
    given(...history, updated({ wakeOnDemand: false }))
      .when(release())
      .then(skipped(1, 'heartbeat.wakeOnDemand.disabled'));
  });

  test('it stays where it is until then', () => {
    given(...delayed, paused, held(1))
      .when(release())
      .thenNothing();
    given(...delayed, held(1))
      .when(release(later, true))
      .thenNothing();
    given(...delayed, held(1))
      .when(release())
      .then(queued(1));
  });

  test('pausing leaves what is not due yet alone, and so does resuming', () => {
    given(...delayed, paused, resumed)
      .when(release())
      .thenNothing();
    given(...delayed, paused, resumed)
      .when(due(later))
      .then(queued(1));
  });

  test('terminating cancels it', () => {
    given(...delayed, paused, held(1))
      .when({ type: 'TerminateAgent', at: NOW })
      .then(terminated, cancelledWakeup(1, 'agent.terminated'));
  });
});

describe('a deadline', () => {
  const waiting = [registered(), ...runningRun(9), ...waitingWakeup(1)];

  test('is a day from the request, or from when it is due', () => {
    given(...waiting)
      .when(due(secondsLater(24 * 3_600 - 0.001)))
      .thenNothing();
    given(...waiting)
      .when(due(hoursLater(24)))
      .then(expired(1));
    given(registered(), runningRun(9), delayedWakeup(1, later), busyWhenDue(1))
      .when(due(hoursLater(24)))
      .thenNothing();
    given(registered(), runningRun(9), delayedWakeup(1, later), busyWhenDue(1))
      .when(due(hoursLater(25)))
      .then(expired(1));
  });

  test('comes before being decided anew', () => {
    given(registered(), delayedWakeup(1, later))
      .when(due(hoursLater(25)))
      .then(expired(1));
  });

  test('counts also while nobody can be woken', () => {
    given(...waiting, paused)
      .when(due(hoursLater(24)))
      .then(expired(1));
    given(...waiting)
      .when(due(hoursLater(24), { companyPaused: true }))
      .then(expired(1));
    given(registered(), delayedWakeup(1, later), paused, held(1))
      .when(due(hoursLater(25)))
      .then(expired(1));
  });

  test('is met once, by what waits only', () => {
    given(...waiting, expired(1))
      .when(due(hoursLater(24)))
      .thenNothing();
    given(...waiting, finished(9), queued(1))
      .when(due(hoursLater(24)))
      .thenNothing();
    given(...waiting, finished(9), expired(1))
      .when(release())
      .thenNothing();
  });
});

describe('cancelling a wakeup', () => {
  const cancel = { type: 'CancelWakeup', at: later, wakeupId: 'w1' } as const;
  const gone = cancelledWakeup(1, 'wakeup.cancelled');
  const retry = retried(2, 1, { notBefore: later });

  test.each<[string, AgentEvent[], AgentEvent[]]>([
    ['that waits for the agent is over', [...runningRun(9), ...waitingWakeup(1)], [gone]],
    ['that is delayed is over', delayedWakeup(1, hoursLater(2)), [gone]],
    ['that is held is over', [...delayedWakeup(1, NOW), paused, held(1)], [gone]],
    ['that is queued ends its run', queuedRun(1), [finishedUnstarted(1, 'cancel', { finishedAt: later })]],
    ['that is claimed asks its run to end', runningRun(1), [endRequested(1, 'cancel', later)]],
    [
      'whose run is to be tried again ends the retry',
      [...runningRun(1), finished(1, { status: 'failed', willRetry: true }), retry],
      [finishedUnstarted(2, 'cancel', { wakeupId: 'w1', finishedAt: later })],
    ],
    ['that is completed changes nothing', [...runningRun(1), finished(1)], []],
    ['that is cancelled changes nothing', [...runningRun(9), ...waitingWakeup(1), gone], []],
    ['that is coalesced changes nothing', [...queuedRun(9), requested(1), joinedRun(1, 9)], []],
    ['that is unknown changes nothing', [], []],
  ])('%s', (_name, history, events) => {
    const decided = given(registered(), ...history).when(cancel);
    if (events.length > 0) decided.then(...events);
    else decided.thenNothing();
  });

  test('takes the run along that was reserved', () => {
    const history = [registered(), ...runningRun(9), ...waitingWakeup(1), gone, finished(9)];
    given(...history)
      .when(release())
      .thenNothing();
  });
});

describe('releasing beside a retry', () => {
  const failed = [...runningRun(1, a), finished(1, { status: 'failed', willRetry: true })];
  const retry = { coalesceKey: 'a', notBefore: hoursLater(2) };
  const history = [
    registered(),
    ...failed.slice(0, 3),
    ...waitingWakeup(3, b),
    failed[3]!,
    retried(2, 1, retry),
  ];

  test('that waits for its time: it takes no slot', () => {
    given(...history)
      .when(release())
      .then(queued(3, b));
  });

  test('whose time has come: it takes its slot', () => {
    given(...history)
      .when(release(hoursLater(2)))
      .thenNothing();
  });
});
