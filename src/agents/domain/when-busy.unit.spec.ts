import {
  delayedWakeup,
  due,
  endRequested,
  finish,
  finished,
  hoursLater,
  joinedDeferred,
  joinedRun,
  queued,
  queuedRun,
  registered,
  requested,
  runningRun,
  secondsLater,
  started,
  terminated,
  updated,
  waitingWakeup,
  wake,
} from '../../../test/support/agent-history';
import { givenFor } from '../../../test/support/given';
import { agentDecider } from './agent.decider';
import type { AgentEvent } from './agent.events';
import type { RegisteredAgent } from './agent.state';
import { MAX_CONTEXT_WAKEUPS } from './agent.state';
import type { HeartbeatPolicy } from './policy';

const given = givenFor(agentDecider);

const a = { coalesceKey: 'a' };
const b = { coalesceKey: 'b' };

function busyWith(policy: Partial<HeartbeatPolicy>): AgentEvent[] {
  return [registered(policy), ...runningRun(1)];
}

function nextRun(n: number, of: number, asked: Parameters<typeof queued>[1] = {}) {
  const { type, data } = queued(of, asked);
  return { type, data: { ...data, runId: `r${n}-next` } };
}

/** Wakeup `n` goes into the run that follows run `of`. */
function joinedNext(n: number, of: number, reason: 'run.exited' | 'retry.waiting') {
  const { type, data } = joinedRun(n, of, reason);
  return { type, data: { ...data, runId: `r${of}-next` } };
}

describe('followUp', () => {
  test('waits, and all that come meanwhile wait with it', () => {
    const busy = busyWith({});
    given(...busy)
      .when(wake(2))
      .then(waitingWakeup(2));
    given(...busy, waitingWakeup(2))
      .when(wake(3))
      .then(requested(3), joinedDeferred(3, 2));
  });

  test('finishing alone makes no run of what waits: that is released', () => {
    given(...busyWith({}), waitingWakeup(2))
      .when(finish(1))
      .then(finished(1));
  });
});

describe('enqueue', () => {
  test('makes a run of each wakeup, busy or not', () => {
    given(...busyWith({ whenBusy: 'enqueue' }))
      .when(wake(2))
      .then(queuedRun(2));
  });
});

describe('reject', () => {
  test('refuses what there is no slot for', () => {
    given(...busyWith({ whenBusy: 'reject' }))
      .when(wake(2))
      .thenRefused('agent_busy');
    given(...busyWith({ whenBusy: 'reject', maxConcurrentRuns: 2 }))
      .when(wake(2, a))
      .then(queuedRun(2, a));
  });
});

describe('coalesce', () => {
  const busy = busyWith({ whenBusy: 'coalesce' });
  const exitedAt = secondsLater(10);
  const absorbed = (n: number, seconds: number, asked = {}) => [
    requested(n, { at: secondsLater(seconds), ...asked }),
    joinedRun(n, 1, 'run.running'),
  ];

  test('leaves a receipt on the run that is going on', () => {
    given(...busy)
      .when(wake(2))
      .then(requested(2), joinedRun(2, 1, 'run.running'));
    given(...busy, absorbed(2, 1))
      .when(wake(3))
      .then(requested(3), joinedRun(3, 1, 'run.running'));
  });

  test('merges nothing into that run', () => {
    const state = given(...busy, absorbed(2, 1)).state() as RegisteredAgent;
    expect(state.wakeups.get('w1')).toMatchObject({ coalescedCount: 0, requests: [{ wakeupId: 'w1' }] });
    expect([...state.wakeups.keys()]).toEqual(['w1']);
  });

  test('names the run of its own key, or the one that was started first', () => {
    const two = [
      registered({ whenBusy: 'coalesce', maxConcurrentRuns: 2 }),
      ...queuedRun(1, a),
      ...[...queuedRun(2, b), started(2), started(1)],
    ];
    given(...two)
      .when(wake(3, a))
      .then(requested(3, a), joinedRun(3, 1, 'run.running'));
    given(...two)
      .when(wake(3))
      .then(requested(3), joinedRun(3, 2, 'run.running'));
  });

  test('what came before the exit is covered', () => {
    given(...busy, absorbed(2, 10))
      .when(finish(1, { exitedAt }))
      .then(finished(1, { exitedAt }));
  });

  test('what came after the exit gets one follow-up', () => {
    const late = { source: 'assignment', priority: 4, taskKey: 't' } as const;
    given(...busy, absorbed(2, 9), absorbed(3, 11, late), absorbed(4, 12))
      .when(finish(1, { exitedAt }))
      .then(
        finished(1, { exitedAt }),
        nextRun(1, 3, late),
        joinedNext(3, 1, 'run.exited'),
        joinedNext(4, 1, 'run.exited'),
      );
  });

  test('the follow-up stands for each of them once', () => {
    const events = [
      finished(1, { exitedAt }),
      nextRun(1, 3),
      joinedNext(3, 1, 'run.exited'),
      joinedNext(4, 1, 'run.exited'),
    ];
    const history = [...busy, absorbed(2, 9), absorbed(3, 11), absorbed(4, 12), ...events];
    const { wakeups } = given(...history).state() as RegisteredAgent;
    expect([...wakeups.values()]).toMatchObject([
      {
        ...{ wakeupId: 'w3', runId: 'r1-next', status: 'queued', coalescedCount: 1 },
        requests: [
          { wakeupId: 'w3', revision: 6 },
          { wakeupId: 'w4', revision: 8 },
        ],
      },
    ]);
  });

  test('nothing is late where nobody knows when the process ended', () => {
    given(...busy, absorbed(2, 100))
      .when(finish(1, { exitedAt: null }))
      .then(finished(1, { exitedAt: null }));
  });

  test('nothing follows for a terminated agent', () => {
    given(...busy, absorbed(2, 11), terminated)
      .when(finish(1, { exitedAt }))
      .then(finished(1, { exitedAt, agentStatus: 'terminated' }));
  });

  test('remembers the newest 100', () => {
    const many = Array.from({ length: 150 }, (_, n) => absorbed(n + 2, 11)).flat();
    const { runs } = given(...busy, many).state() as RegisteredAgent;
    const ids = runs.get('r1')!.absorbed.map(({ wakeupId }) => wakeupId);
    expect(ids).toHaveLength(MAX_CONTEXT_WAKEUPS);
    expect([ids[0], ids.at(-1)]).toEqual(['w52', 'w151']);
  });

  describe('of a wakeup that was delayed', () => {
    const delayed = [...busy, ...delayedWakeup(2, secondsLater(11))];
    const taken = [...delayed, ...queuedRun(9, a), joinedRun(2, 1, 'run.running')];

    test('is a receipt like any other, and final', () => {
      given(...delayed)
        .when(due(secondsLater(11)))
        .then(joinedRun(2, 1, 'run.running'));
      given(...taken)
        .when(due(hoursLater(48)))
        .thenNothing();
    });

    test('counts from when it was due', () => {
      given(...taken)
        .when(finish(1, { exitedAt }))
        .then(finished(1, { exitedAt }), nextRun(1, 2), joinedNext(2, 1, 'run.exited'));
      given(...taken)
        .when(finish(1, { exitedAt: secondsLater(12) }))
        .then(finished(1, { exitedAt: secondsLater(12) }));
    });
  });
});

describe('interrupt', () => {
  const busy = busyWith({ whenBusy: 'interrupt', graceSec: 10 });

  test('asks what runs to end, and waits for its place', () => {
    given(...busy)
      .when(wake(2))
      .then(requested(2), endRequested(1, 'interrupt'), waitingWakeup(2)[1]!);
  });

  test('is not repeated by what comes meanwhile: that waits with it', () => {
    given(...busy, endRequested(1, 'interrupt'), waitingWakeup(2))
      .when(wake(3, { at: hoursLater(1) }))
      .then(requested(3, { at: hoursLater(1) }), joinedDeferred(3, 2));
  });

  test('leaves a run alone that is to end already', () => {
    given(...busy, endRequested(1, 'timeout'))
      .when(wake(2))
      .then(waitingWakeup(2));
  });

  test.each([
    [9.999, false],
    [10, true],
  ])('happens at most once in the time of grace: again after %s s is %s', (seconds, again) => {
    const at = secondsLater(seconds);
    const history = [...busy, endRequested(1, 'interrupt'), ...waitingWakeup(2), finished(1)];
    given(...history, [queued(2), started(2)])
      .when(wake(3, { at }))
      .then(
        requested(3, { at }),
        again ? [endRequested(2, 'interrupt', at)] : [],
        waitingWakeup(3, { at })[1]!,
      );
  });

  test('is not counted where another cause ended a run', () => {
    given(...busy, endRequested(1, 'cancel'), finished(1), runningRun(2))
      .when(wake(3))
      .then(requested(3), endRequested(2, 'interrupt'), waitingWakeup(3)[1]!);
  });

  test('takes the run of its own key, or the one that was started first', () => {
    const two = [
      registered({ whenBusy: 'interrupt', maxConcurrentRuns: 2 }),
      ...[...queuedRun(1, a), ...queuedRun(2, b), started(2), started(1)],
    ];
    given(...two)
      .when(wake(3, a))
      .then(requested(3, a), endRequested(1, 'interrupt'), waitingWakeup(3, a)[1]!);
    given(...two)
      .when(wake(3))
      .then(requested(3), endRequested(2, 'interrupt'), waitingWakeup(3)[1]!);
  });

  test('is decided by the policy that is in force', () => {
    given(...busyWith({}), updated({ whenBusy: 'interrupt' }))
      .when(wake(2))
      .then(requested(2), endRequested(1, 'interrupt'), waitingWakeup(2)[1]!);
  });
});
